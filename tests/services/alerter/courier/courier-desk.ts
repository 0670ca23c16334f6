import { planRecord } from '#lib/codec/plan-json.ts'
import { sha256Hex } from '#lib/codec/sha256.ts'
import { CommandTopic } from '#lib/commands/command-topic.ts'
import type { ChannelConfig, Config, DeliveryConfig } from '#lib/config.ts'
import type { DeliveryFact } from '#lib/delivery/facts.ts'
import { Ledger, type LedgerMessage } from '#lib/delivery/ledger.ts'
import { type MemoryLog, openMemoryLog } from '#lib/eventlog/memory.ts'
import type { CommandFact, SampleFact } from '#lib/facts.ts'
import { openEmbeddedRegistry } from '#lib/registry/embedded.ts'
import { codecOf, type Environment, environmentOn } from '#lib/runtime/environment.ts'
import { randomIds, timeOrderedId } from '#lib/runtime/ids.ts'
import { createMetricsRegistry } from '#lib/runtime/metrics.ts'
import { derivedHeaders } from '#lib/runtime/record-headers.ts'
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '#lib/time.ts'
import { catalogue, topics } from '#lib/topics.ts'
import { type RunningCourier, startCourier } from '#services/alerter/courier/start.ts'
import { configOf, withoutChannels } from '#tests/services/sampler/desk.ts'
import { eventually } from '#tests/support/eventually.ts'
import { ManualClock } from '#tests/support/manual-clock.ts'
import { openReceiver, type Receiver } from '#tests/support/receiver.ts'
import { MONDAY, plan, run, type Written } from '../desk.ts'

export const WEBHOOK_SECRET = `whsec_${Buffer.from('a secret of thirty-two bytes, yes').toString('base64')}`
export const ROUTING_KEY = '0123456789abcdef0123456789abcdef'

/** The third window of `hours('B B B')` is decided then. */
export const CRITICAL_AT = MONDAY + 3 * HOUR_MS + 10 * MINUTE_MS
/** A courier that starts then takes all of it for news. */
export const NOW = CRITICAL_AT - 30 * MINUTE_MS
/** What operators say of themselves. */
export const SAID = { by: 'ann', reason: 'maintenance' }

/** What a line of the log says. */
export interface Line {
  readonly fields: Readonly<Record<string, unknown>>
  readonly message: string
}

/**
 * A log in memory with transitions that the alerter's own fold has made, real receivers, and couriers that tell them. Time
 * stands still but for `until`, while which it runs.
 */
export class CourierDesk {
  readonly clock: ManualClock
  readonly log: MemoryLog
  readonly lines: Line[] = []
  /** Of the courier that was started last. */
  metrics = createMetricsRegistry()
  readonly receivers: Readonly<Record<ChannelConfig['kind'], Receiver>>
  config: Config
  readonly #running: RunningCourier[] = []
  #transitions = 0

  private constructor(clock: ManualClock, log: MemoryLog, receivers: CourierDesk['receivers']) {
    this.clock = clock
    this.log = log
    this.receivers = receivers
    const channels: ChannelConfig[] = [
      channelOf('ops', 'webhook', receivers.webhook.url('/hook'), WEBHOOK_SECRET),
      channelOf('pd', 'pagerduty', receivers.pagerduty.url('/v2/enqueue'), ROUTING_KEY),
      channelOf('chat', 'slack', receivers.slack.url('/services/T0/B0/secret-of-slack'), null),
    ]
    this.config = {
      ...configOf([]),
      channels,
      routes: { ...withoutChannels.routes, warning: ['ops'], critical: ['ops', 'pd'] },
      delivery: { ...withoutChannels.delivery, allowHosts: ['127.0.0.1'] },
    }
  }

  static async open(startAt: number, partitions = 1): Promise<CourierDesk> {
    const clock = new ManualClock(startAt)
    const log = openMemoryLog({ clock, partitions })
    await log.topics.apply(catalogue)
    const [webhook, pagerduty, slack] = await Promise.all([openReceiver(), openReceiver(), openReceiver()])
    return new CourierDesk(clock, log, { webhook: webhook!, pagerduty: pagerduty!, slack: slack! })
  }

  routes(routes: Partial<Config['routes']>): void {
    this.config = { ...this.config, routes: { ...this.config.routes, ...routes } }
  }

  delivery(delivery: Partial<DeliveryConfig>): void {
    this.config = { ...this.config, delivery: { ...this.config.delivery, ...delivery } }
  }

  /**
   * The transitions that follow from facts of rollup, all of an alerter that starts with the first of them.
   *
   * @param planHash of a plan that nobody knows; default: one that stands in the log
   */
  async append(facts: readonly Written[], from = 0, planHash?: string): Promise<void> {
    const env = await this.#environment()
    const { hash, record } = planRecord(plan())
    const planValue = codecOf(env, topics.plan).encode(record)
    await this.log.append(topics.plan.name, 0, [{ key: Buffer.from(hash), value: planValue }])
    const codec = codecOf(env, topics.alert)
    for (const { key, alert } of run(facts).slice(from)) {
      const headers = derivedHeaders([this.#transitions++, 0, 0], { offset: 0, crc: '00000000' })
      const value = codec.encode({ ...alert, plan: planHash ?? hash })
      await this.log.append(topics.alert.name, 0, [{ key: Buffer.from(key), value, headers }])
    }
  }

  /** @returns the id of the command */
  async command(fact: CommandFact): Promise<string> {
    const id = timeOrderedId(this.clock.now())
    await new CommandTopic(this.log, codecOf(await this.#environment(), topics.command)).append(id, fact)
    return id
  }

  /** A tick of the sampler, now. */
  tick(partition = 0): Promise<void> {
    return this.samples(partition, [{ type: 'tick', at: this.clock.now(), plan: 'p' }])
  }

  /** What samplers have written. */
  async samples(partition: number, facts: readonly SampleFact[]): Promise<void> {
    const codec = codecOf(await this.#environment(), topics.sample)
    const records = facts.map((fact) => ({ key: Buffer.alloc(0), value: codec.encode(fact) }))
    await this.log.append(topics.sample.name, partition, records)
  }

  async start(): Promise<RunningCourier> {
    const courier = await startCourier(await this.#environment())
    courier.ended.catch(() => {})
    this.#running.push(courier)
    return courier
  }

  /** Waits for a fact while time goes on, a second at a turn. */
  async until<T>(fact: () => T | Promise<T>): Promise<Exclude<T, undefined | false>> {
    return await eventually(async () => {
      const value = await fact()
      if (value === undefined || value === false) this.clock.advance(SECOND_MS)
      return value
    })
  }

  /** Everything that the log holds is told, or past its fast schedule. */
  async settled(courier: RunningCourier): Promise<void> {
    let isSettled = false
    const settled = courier.settled().then(() => {
      isSettled = true
    })
    await this.until(() => isSettled)
    await settled
  }

  /** Starts a courier, lets it tell everything, and stops it. */
  async tellAll(): Promise<void> {
    await this.settled(await this.start())
    await this.stop()
  }

  async ledger(): Promise<readonly LedgerMessage[]> {
    const codec = codecOf(await this.#environment(), topics.delivery)
    return [...(await Ledger.open(this.log, codec, { partition: 0, sinceAt: 0 })).messages()]
  }

  /** What another courier says in the ledger. */
  async claim(fact: DeliveryFact): Promise<void> {
    const codec = codecOf(await this.#environment(), topics.delivery)
    await (await Ledger.open(this.log, codec, { partition: 0, sinceAt: 0 })).claim([fact])
  }

  /** The texts that a channel got. */
  textsAt(kind: 'slack' | 'webhook'): readonly string[] {
    return this.receivers[kind].received.map(({ body }) => {
      const { text, data } = JSON.parse(body.toString())
      return text ?? data.message ?? data.alerts[0].message
    })
  }

  /** `opened ops routed: accepted`, message by message: what was told, on which channel, why, and what came of each attempt. */
  async told(): Promise<readonly string[]> {
    return (await this.ledger()).map(({ decision, attempts }) => {
      const { channel, code, subject, send } = decision
      const results = attempts.map(({ outcome }) => outcome?.result ?? '…').join(' ')
      const what = subject
        .split('/')
        .at(-1)!
        .replace(/^0+(?=\d)/, '')
      return `${what} ${channel} ${code}${send ? `: ${results}` : ''}`
    })
  }

  async stop(): Promise<void> {
    for (const courier of this.#running.splice(0)) await courier.stop()
  }

  async close(): Promise<void> {
    await this.stop()
    for (const receiver of Object.values(this.receivers)) await receiver.close()
    await this.log.close()
  }

  #environment(): Promise<Environment> {
    const logger = {
      info: (fields: object, message: string) => void this.lines.push({ fields: { ...fields }, message }),
      warn: (fields: object, message: string) => void this.lines.push({ fields: { ...fields }, message }),
    }
    const { clock, config } = this
    this.metrics = createMetricsRegistry()
    const parts = { config, clock, ids: randomIds, logger, metrics: this.metrics }
    return environmentOn(this.log, openEmbeddedRegistry(this.log.schemas), parts)
  }
}

export function channelOf(
  name: string,
  kind: ChannelConfig['kind'],
  url: string,
  secret: string | null,
): ChannelConfig {
  return { name, kind, profile: 'full', url, secret, previousSecret: null, configSha256: sha256Hex(name) }
}
