import type { TopicCodec } from '#lib/codec/avro.ts'
import type { Config } from '#lib/config.ts'
import { Dispatcher, type DispatcherDependencies } from '#lib/delivery/dispatcher.ts'
import type { DeliveryFact, DeliveryOutcome } from '#lib/delivery/facts.ts'
import { Ledger, type LedgerMessage } from '#lib/delivery/ledger.ts'
import { isAccepted } from '#lib/delivery/next-step.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import type { Ids } from '#lib/runtime/ids.ts'
import type { RunLogger } from '#lib/runtime/run.ts'
import { DAY_MS } from '#lib/time.ts'
import type { Notice } from '../messages/compose.ts'
import { NO_CHANNEL, type Verdict } from './decide.ts'
import { decisionsOf } from './decisions.ts'
import { logOutcome } from './outcome-line.ts'
import { retrySchedule } from './retry.ts'
import { channelSubject, isOfHouse, laneOf } from './subjects.ts'

export interface HouseDependencies extends Pick<DispatcherDependencies, 'sender' | 'pacers'> {
  readonly log: EventLog
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: RunLogger
  readonly codec: TopicCodec<DeliveryFact>
  config(): Config
}

/** Where the whole installation keeps what concerns no single alert. */
const PARTITION = 0
/** A silence that began before is not ended by us. */
const REMEMBERS_MS = 30 * DAY_MS

/**
 * Tells of what concerns no single alert: a channel that takes nothing any more, a sampler that is silent. Every courier of
 * an installation has one, and all of them write in one ledger, so that people hear of each thing once.
 */
export class House {
  readonly #deps: HouseDependencies
  readonly #dispatcher: Dispatcher
  #ledger: Promise<Ledger> | null = null

  constructor(deps: HouseDependencies) {
    this.#deps = deps
    this.#dispatcher = new Dispatcher({
      ...deps,
      courier: deps.ids.next(),
      schedule: () => retrySchedule(deps.config()),
      told: async ({ decision }, outcome) => {
        logOutcome(deps.logger, decision, outcome)
        await this.channelFailed(decision.channel, outcome)
      },
      over: async () => {},
    })
  }

  /** Rejects with the fault of the log that no new try can cure. */
  get failed(): Promise<never> {
    return this.#dispatcher.failed
  }

  /** Goes on with what an earlier courier has decided to tell. */
  async resume(): Promise<void> {
    const ledger = await this.#open()
    for (const message of ledger.messages()) this.#send(ledger, message)
  }

  /** What was decided about a subject; empty: nothing. As far as this process has read. */
  async about(subject: string): Promise<readonly LedgerMessage[]> {
    const ledger = await this.#open()
    await ledger.readOn()
    return ledger.about(subject)
  }

  /** All that was ever told of the house and is still kept. */
  async messages(): Promise<readonly LedgerMessage[]> {
    const ledger = await this.#open()
    await ledger.readOn()
    return [...ledger.messages()]
  }

  /** Tells it on these channels, unless anybody has told it. */
  async tell(subject: string, notice: Notice, channels: readonly string[], reason: string): Promise<void> {
    const ledger = await this.#open()
    await ledger.readOn()
    if (ledger.about(subject).length === 0) {
      const { env, channels: configured, locale, displayTimeZone, publicUrl } = this.#deps.config()
      const context = { env, locale, displayTimeZone, publicUrl, labelsOf: () => ({}) }
      const decidedAt = this.#deps.clock.now()
      const about = { subject, decidedAt, env, channels: configured, context, notice: () => notice }
      await ledger.claim(decisionsOf(about, verdictsOf(channels, reason)))
    }
    for (const message of ledger.about(subject)) this.#send(ledger, message)
  }

  /** A channel says that it is gone, or does not know us: its owner is told on another one, once a day. */
  async channelFailed(channel: string, { result, status, at }: DeliveryOutcome): Promise<void> {
    if (result !== 'gone' && result !== 'unauthorized') return
    const { routes, delivery } = this.#deps.config()
    const owners = routes.owner.length > 0 ? routes.owner : delivery.fallback === null ? [] : [delivery.fallback]
    const others = owners.filter((owner) => owner !== channel)
    const subject = channelSubject(channel, result, at)
    const notice = { kind: 'channel_failed', channel, reason: result, status, at } as const
    await this.tell(subject, notice, others, `${channel} answered ${status}`)
  }

  /** Resolves when each message is accepted, given up or past its fast schedule. */
  settled(): Promise<void> {
    return this.#dispatcher.settled()
  }

  /** Lets running requests end; what waits is told by the next start. Idempotent. */
  async stop(): Promise<void> {
    const ledger = await this.#ledger?.catch(() => null)
    ledger?.stop()
    await this.#dispatcher.stop()
  }

  /** One that could not be opened is opened anew at the next call. */
  #open(): Promise<Ledger> {
    const { log, codec, clock } = this.#deps
    const place = { partition: PARTITION, sinceAt: clock.now() - REMEMBERS_MS, isAbout: isOfHouse }
    this.#ledger ??= Ledger.open(log, codec, place).catch((error: unknown) => {
      this.#ledger = null
      throw error
    })
    return this.#ledger
  }

  #send(ledger: Ledger, message: LedgerMessage): void {
    const { send, subject, channel, messageId } = message.decision
    if (send && !isAccepted(message))
      this.#dispatcher.send(laneOf({ subject, channel }), { ledger, name: { subject, channel, messageId } })
  }
}

function verdictsOf(channels: readonly string[], reason: string): readonly Verdict[] {
  const common = { reason, commands: [], note: null } as const
  if (channels.length > 0) return channels.map((channel) => ({ ...common, channel, send: true, code: 'house' }))
  return [{ ...common, channel: NO_CHANNEL, send: false, code: 'no_route' }]
}
