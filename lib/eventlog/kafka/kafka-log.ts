import { ObstreamError } from '#lib/errors.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import { type Instant, type Milliseconds, SECOND_MS } from '#lib/time.ts'
import type {
  Appended,
  EventLog,
  LogRecord,
  Offset,
  PartitionHandler,
  PartitionOffsets,
  Progress,
  SubscribeOptions,
  Subscription,
} from '../port.ts'
import type { RecordBatch } from '../record-batch.ts'
import { Appender } from './appender.ts'
import { Cluster } from './cluster.ts'
import { type Bounds, Fetcher } from './fetcher.ts'
import { GroupMember } from './group-member.ts'
import { refuseCompany } from './group-state.ts'
import { KafkaSubscription } from './kafka-subscription.ts'
import type { KafkaPlace } from './kafka-url.ts'
import type { SaslOptions, TlsOptions } from './kafkajs.ts'
import { fetchCommits, listOffsets } from './offsets.ts'
import { ENDS_LAG_MS } from './patience.ts'
import { TopicAdmin } from './topic-admin.ts'

export interface KafkaLogOptions extends KafkaPlace {
  readonly clock: Clock
  /** Partitions of the latency path, for topics that are created. */
  readonly partitions: number
  /** What brokers call us in their logs and quotas. */
  readonly clientId: string
  readonly tls?: TlsOptions
  readonly sasl?: SaslOptions
  /** Copies of each record of the topics that are created; default: three, or as many as there are brokers. */
  readonly replication?: number
  /** How long a start waits for a broker. Default 30 s. */
  readonly connectTimeoutMs?: Milliseconds
}

const CONNECT_TIMEOUT_MS = 30 * SECOND_MS

/**
 * Opens a log on a Kafka cluster (3.1 or later). Creates nothing; `topics.apply` does.
 *
 * @throws OBS_LOG_UNAVAILABLE when no broker answers in time · OBS_LOG_ACCESS_DENIED
 */
export async function openKafkaLog(options: KafkaLogOptions): Promise<KafkaLog> {
  const cluster = new Cluster(options)
  try {
    await cluster.connect(options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS)
  } catch (error) {
    cluster.close()
    throw error
  }
  return new KafkaLog(cluster, options)
}

/** The port's promises on Kafka's brokers. */
export class KafkaLog implements EventLog {
  readonly endsLagMs = ENDS_LAG_MS
  readonly topics: EventLog['topics']
  /** Schemas lie in a registry. */
  readonly schemas = null
  /** Before the names of topics, groups and subjects, with its dot. */
  readonly prefix: string
  readonly #cluster: Cluster
  readonly #appender: Appender
  readonly #reads: Fetcher
  readonly #follows: Fetcher
  readonly #closing = new AbortController()
  readonly #subscriptions = new Set<Subscription>()
  #closed: Promise<void> | undefined

  constructor(cluster: Cluster, { prefix, partitions, replication, clock }: KafkaLogOptions) {
    this.#cluster = cluster
    this.prefix = prefix
    const nameOf = (topic: string): string => this.#nameOf(topic)
    this.#appender = new Appender(cluster, nameOf, () => clock.now())
    this.#reads = new Fetcher(cluster, 'read', this.#bounds)
    this.#follows = new Fetcher(cluster, 'follow', this.#bounds)
    const admin = new TopicAdmin({
      cluster,
      nameOf,
      latencyPartitions: partitions,
      ...(replication === undefined ? {} : { replication }),
    })
    this.topics = {
      apply: (catalogue) => admin.apply(catalogue),
      check: (catalogue) => admin.check(catalogue),
      /** The brokers do that by themselves. */
      compact: async () => [],
    }
  }

  async append(topic: string, partition: number, records: readonly LogRecord[]): Promise<Appended> {
    this.#refuseClosed(topic)
    return this.#appender.append(topic, partition, records)
  }

  async *read(
    topic: string,
    partition: number,
    from: Offset,
    to: Offset,
    signal: AbortSignal = new AbortController().signal,
  ): AsyncGenerator<RecordBatch> {
    signal.throwIfAborted()
    const range = { topic: this.#nameOf(topic), partition, from, to: await this.#within(topic, partition, to) }
    if (from >= range.to) return
    for await (const batch of this.#reads.batches(range, this.#unlessClosed(signal))) {
      signal.throwIfAborted()
      yield batch
    }
    signal.throwIfAborted()
    this.#refuseClosed(topic)
  }

  async *follow(topic: string, partition: number, from: Offset, signal: AbortSignal): AsyncGenerator<RecordBatch> {
    if (signal.aborted) return
    this.#refuseClosed(topic)
    const until = this.#unlessClosed(signal)
    try {
      await this.#boundsOf(topic, partition)
    } catch (error) {
      if (until.aborted) return
      throw error
    }
    yield* this.#follows.batches({ topic: this.#nameOf(topic), partition, from }, until)
  }

  async offsets(topic: string, atMs?: Instant): Promise<readonly PartitionOffsets[]> {
    this.#refuseClosed(topic)
    const name = this.#nameOf(topic)
    const knownEnd = (partition: number): Offset => this.#appender.acknowledgedEnd(name, partition)
    return listOffsets(this.#cluster, { topic: name, knownEnd, ...(atMs === undefined ? {} : { atMs }) })
  }

  async subscribe(
    group: string,
    topic: string,
    handler: PartitionHandler,
    { alone = false }: SubscribeOptions = {},
  ): Promise<Subscription> {
    this.#refuseClosed(topic)
    const name = this.#nameOf(topic)
    const groupId = this.#groupOf(group)
    await this.#cluster.topic(name)
    if (alone) await refuseCompany(this.#cluster, groupId)
    const fetcher = new Fetcher(this.#cluster, `follow ${groupId}`, this.#bounds)
    const subscription = new KafkaSubscription({
      handler,
      member: (assigned) => new GroupMember({ cluster: this.#cluster, group: groupId, topic: name, alone, assigned }),
      partition: (partition, member) => ({
        partition,
        committed: async () =>
          (await this.committed(group, topic)).find((commit) => commit.partition === partition) ?? null,
        commit: (progress) => member.commit(partition, progress),
        follow: (from, signal) => fetcher.batches({ topic: name, partition, from }, this.#unlessClosed(signal)),
      }),
    })
    this.#subscriptions.add(subscription)
    const forget = (): void => void this.#subscriptions.delete(subscription)
    subscription.ended.then(forget, forget)
    return subscription
  }

  async committed(group: string, topic: string): Promise<readonly ({ readonly partition: number } & Progress)[]> {
    this.#refuseClosed(topic)
    return fetchCommits(this.#cluster, this.#groupOf(group), this.#nameOf(topic))
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.stop()))
    this.#closing.abort()
    await this.#appender.idle()
    this.#cluster.close()
  }

  readonly #bounds: Bounds = async (topic, partition) => (await listOffsets(this.#cluster, { topic }))[partition]!

  /** An offset, or the end of the partition when that lies before. */
  async #within(topic: string, partition: number, to: Offset): Promise<Offset> {
    this.#refuseClosed(topic)
    if (to <= this.#appender.acknowledgedEnd(this.#nameOf(topic), partition)) return to
    return Math.min(to, (await this.#boundsOf(topic, partition)).end)
  }

  async #boundsOf(topic: string, partition: number): Promise<PartitionOffsets> {
    const offsets = await this.offsets(topic)
    const found = offsets[partition]
    if (found) return found
    throw new ObstreamError(
      'OBS_LOG_TOPIC_MISSING',
      `topic ${topic} has ${offsets.length} partitions; there is no ${partition}. Run \`obstream topics apply\`.`,
    )
  }

  #nameOf(topic: string): string {
    return `${this.prefix}${topic}`
  }

  #groupOf(group: string): string {
    return `${this.prefix}obs.${group}`
  }

  #unlessClosed(signal: AbortSignal): AbortSignal {
    return AbortSignal.any([signal, this.#closing.signal])
  }

  #refuseClosed(topic: string): void {
    if (this.#closed !== undefined)
      throw new ObstreamError('OBS_LOG_UNAVAILABLE', `the log is closed; ${topic} was asked for`)
  }
}
