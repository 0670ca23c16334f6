import type { TopicCodec } from '#lib/codec/avro.ts'
import type { Config } from '#lib/config.ts'
import { Dispatcher, type DispatcherDependencies } from '#lib/delivery/dispatcher.ts'
import type { DeliveryFact, DeliveryOutcome } from '#lib/delivery/facts.ts'
import { Ledger, type LedgerMessage } from '#lib/delivery/ledger.ts'
import { isAccepted, mayBeKnown } from '#lib/delivery/next-step.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import type { Ids } from '#lib/runtime/ids.ts'
import { DAY_MS } from '#lib/time.ts'
import { fallbackVerdict, NO_CHANNEL, type Verdict } from './decide.ts'
import { decisionsOf } from './decisions.ts'
import { failureOf } from './fallback.ts'
import { channelSubject, endOf, type HouseNotice, houseNoticeOf, isOfHouse } from './house-subjects.ts'
import { type OutcomeReport, reportOutcome } from './outcome-report.ts'
import { LONGEST_DELIVERY_MS, retrySchedule } from './retry.ts'

export interface HouseDependencies extends OutcomeReport, Pick<DispatcherDependencies, 'sender' | 'pacers'> {
  readonly log: EventLog
  readonly clock: Clock
  readonly ids: Ids
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
  readonly #stopping = new AbortController()
  #ledger: Promise<Ledger> | null = null

  constructor(deps: HouseDependencies) {
    this.#deps = deps
    this.#dispatcher = new Dispatcher({
      ...deps,
      courier: deps.ids.next(),
      schedule: () => retrySchedule(deps.config()),
      told: ({ decision }, outcome) => reportOutcome(deps, decision, outcome),
      failed: async (message, outcome) => {
        await this.channelFailed(message.decision.channel, outcome)
        await this.#takeOver(message)
        this.#sendNew(await this.#open())
      },
    })
  }

  /** Rejects with the fault of the log that no new try can cure. */
  get failed(): Promise<never> {
    return this.#dispatcher.failed
  }

  /** Goes on with what an earlier courier has decided to tell. */
  async resume(): Promise<void> {
    const ledger = await this.#open()
    this.#sendNew(ledger)
    for (const subject of new Set([...ledger.messages()].map(({ decision }) => decision.subject)))
      await this.#completeEnd(ledger, subject)
  }

  /** All that was ever told of the house and is still kept. */
  async messages(): Promise<readonly LedgerMessage[]> {
    const ledger = await this.#open()
    await ledger.readOn()
    return [...ledger.messages()]
  }

  /** Tells it on these channels, unless anybody has told it. */
  async tell(subject: string, notice: HouseNotice, channels: readonly string[], reason: string): Promise<void> {
    const ledger = await this.#open()
    await ledger.readOn()
    if (ledger.about(subject).length === 0) await this.#claim(ledger, { subject, notice }, verdictsOf(channels, reason))
    this.#sendNew(ledger)
  }

  /** Tells that something is over to those who were told that it had begun. */
  async tellEnd(begun: string, notice: HouseNotice, reason: string): Promise<void> {
    const ledger = await this.#open()
    await ledger.readOn()
    await this.#claimEnd(ledger, begun, notice, reason)
    this.#sendNew(ledger)
  }

  /** A channel that takes nothing any more: its owner is told on another one, once a day. */
  async channelFailed(channel: string, { result, status, at }: DeliveryOutcome): Promise<void> {
    if (result !== 'gone' && result !== 'unauthorized' && result !== 'forbidden') return
    const config = this.#deps.config()
    if (!config.channels.some(({ name }) => name === channel)) return
    const notice = { kind: 'channel_failed', channel, reason: result, status, at } as const
    const reason = status === null ? `${channel} may not be used` : `${channel} answered ${status}`
    await this.tell(channelSubject(channel, result, at), notice, ownersBeside(channel, config), reason)
  }

  /** Resolves when each message is accepted, given up or past its fast schedule. */
  settled(): Promise<void> {
    return this.#dispatcher.settled()
  }

  /** Lets running requests end; what waits is told by the next start. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#dispatcher.stop(await this.#ledger?.catch(() => undefined))
  }

  /** The fallback is told in the place of a channel that failed, unless what it would be told of is over, or it is about itself. */
  async #takeOver(message: LedgerMessage): Promise<void> {
    const failure = failureOf(message, this.#deps.config().delivery)
    if (!failure) return
    const { fallback, channel, attempts } = failure
    const { subject, decidedAt } = message.decision
    const notice = houseNoticeOf(message.decision)
    const isAboutItself = notice.kind === 'channel_failed' && notice.channel === fallback
    if (isAboutItself || this.#deps.clock.now() - decidedAt > LONGEST_DELIVERY_MS) return
    const ledger = await this.#open()
    const isOver = endOf(subject) !== undefined && ledger.about(endOf(subject)!).length > 0
    const isNews =
      notice.kind !== 'sampler_back' ||
      ledger.laneWith(message).some((other) => other.order < message.order && mayBeKnown(other))
    if (isOver || !isNews || ledger.message({ subject, channel: fallback })) return
    await this.#claim(ledger, { subject, notice }, [fallbackVerdict(fallback, { kind: 'failed', channel, attempts })])
    await this.#completeEnd(ledger, subject)
  }

  /** Who was told of a beginning after its end was decided is told the end, too. */
  async #completeEnd(ledger: Ledger, begun: string): Promise<void> {
    const end = endOf(begun)
    const [first] = end === undefined ? [] : ledger.about(end)
    if (!first) return
    await this.#claimEnd(ledger, begun, houseNoticeOf(first.decision), first.decision.reason)
    this.#sendNew(ledger)
  }

  async #claimEnd(ledger: Ledger, begun: string, notice: HouseNotice, reason: string): Promise<void> {
    const subject = endOf(begun)!
    for (;;) {
      const told = ledger.about(begun).flatMap(({ decision }) => (decision.send ? decision.channel : []))
      const lacking = told.filter((channel) => !ledger.message({ subject, channel }))
      if (lacking.length === 0 && ledger.about(subject).length > 0) return
      await this.#claim(ledger, { subject, notice }, verdictsOf(lacking, reason))
    }
  }

  async #claim(
    ledger: Ledger,
    { subject, notice }: { readonly subject: string; readonly notice: HouseNotice },
    verdicts: readonly Verdict[],
  ): Promise<void> {
    const { env, channels, locale, displayTimeZone, publicUrl } = this.#deps.config()
    const context = { env, locale, displayTimeZone, publicUrl, labelsOf: () => ({}) }
    const decidedAt = this.#deps.clock.now()
    await ledger.claim(decisionsOf({ subject, decidedAt, env, channels, context, notice: () => notice }, verdicts))
    for (const { channel, code } of verdicts) this.#deps.counters.decision(channel, code)
  }

  /** One that could not be opened is opened anew at the next call. */
  #open(): Promise<Ledger> {
    const { log, codec, clock } = this.#deps
    const { signal } = this.#stopping
    const place = { partition: PARTITION, sinceAt: clock.now() - REMEMBERS_MS, isAbout: isOfHouse, signal }
    this.#ledger ??= Ledger.open(log, codec, place).catch((error: unknown) => {
      this.#ledger = null
      throw error
    })
    return this.#ledger
  }

  /** Whatever was decided, by whomever. */
  #sendNew(ledger: Ledger): void {
    for (const message of ledger.takeNew())
      if (message.decision.send && !isAccepted(message)) this.#dispatcher.send(ledger, message)
  }
}

/** Whom to tell of a channel that takes nothing: who answers for it, else the fallback, else whoever hears of critical alerts. */
function ownersBeside(failed: string, { routes, delivery }: Config): readonly string[] {
  const fallback = delivery.fallback === null ? [] : [delivery.fallback]
  const candidates = [routes.owner, fallback, routes.critical].map((channels) =>
    channels.filter((channel) => channel !== failed),
  )
  return candidates.find((channels) => channels.length > 0) ?? []
}

function verdictsOf(channels: readonly string[], reason: string): readonly Verdict[] {
  const common = { reason, commands: [], note: null } as const
  if (channels.length > 0) return channels.map((channel) => ({ ...common, channel, send: true, code: 'house' }))
  return [{ ...common, channel: NO_CHANNEL, send: false, code: 'no_route' }]
}
