import { setImmediate as turnOfTheLoop } from 'node:timers/promises'
import { ObstreamError } from '#lib/errors.ts'
import type { SchemaStore } from '#lib/registry/port.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import { type Instant, MINUTE_MS, type Milliseconds, SECOND_MS } from '#lib/time.ts'
import { MAX_BATCH_BYTES, MAX_DEAD_LETTER_BYTES, type TopicDefinition, topics } from '#lib/topics.ts'
import type { BatchStore, StoredPartition, TopicSettings } from './batch-store.ts'
import { GroupSubscription } from './group-subscription.ts'
import { Housekeeping } from './housekeeping.ts'
import { firstRecordAt, readBatches, waitForChange } from './partition-reader.ts'
import type {
  Appended,
  EventLog,
  LogRecord,
  Offset,
  PartitionHandler,
  PartitionOffsets,
  Progress,
  Subscription,
  TopicDifference,
} from './port.ts'
import { encodeBatch, placeBatch, type RecordBatch } from './record-batch.ts'
import { applyTopics, topicDifferences } from './topic-settings.ts'
import { WriteQueue } from './write-queue.ts'

export interface EmbeddedLogOptions {
  readonly clock: Clock
  /** Partitions of the latency path. An existing log keeps the number it was created with. */
  readonly partitions: number
  /** How long an append waits for another process. Default 10 s. */
  readonly busyTimeoutMs?: Milliseconds
  /** How often the background removes copies and expired records. Default 10 min. */
  readonly compactEveryMs?: Milliseconds
  /** Hears what went wrong in the background, which tries again next time. Default: nobody; readers meet the same fault. */
  readonly onBackgroundError?: (error: unknown) => void
}

export const BUSY_TIMEOUT_MS = 10 * SECOND_MS
const COMPACT_EVERY_MS = 10 * MINUTE_MS

/** A log in this process: what the port promises, on top of a store of batches. */
export class EmbeddedLog implements EventLog {
  readonly endsLagMs = 0
  readonly topics: EventLog['topics']
  readonly #store: BatchStore
  readonly #options: EmbeddedLogOptions
  readonly #writes: WriteQueue
  readonly #closing = new AbortController()
  readonly #subscriptions = new Set<Subscription>()
  readonly #housekeeping: Housekeeping
  #closed: Promise<void> | undefined

  constructor(store: BatchStore, options: EmbeddedLogOptions) {
    this.#store = store
    this.#options = options
    this.#writes = new WriteQueue(store, options.busyTimeoutMs ?? BUSY_TIMEOUT_MS)
    this.#housekeeping = new Housekeeping(store, this.#writes, {
      clock: options.clock,
      everyMs: options.compactEveryMs ?? COMPACT_EVERY_MS,
      onError: options.onBackgroundError ?? (() => {}),
    })
    this.topics = {
      apply: (catalogue) => this.#applyTopics(catalogue),
      check: async (catalogue) => this.#differences(catalogue),
      compact: async (catalogue) =>
        this.#housekeeping.run(
          catalogue.map((topic) => ({ ...topic, partitions: this.#topic(topic.name).partitions })),
        ),
    }
  }

  /** Partitions of the topics of the latency path, fixed when the log was created. */
  get latencyPartitions(): number {
    return this.#store.latencyPartitions
  }

  /** For an embedded registry. */
  get schemas(): SchemaStore {
    return this.#store.schemas
  }

  async append(topic: string, partition: number, records: readonly LogRecord[]): Promise<Appended> {
    const stored = this.#partition(topic, partition)
    const bytes = encodeBatch(records, { baseOffset: 0, appendedAtMs: this.#options.clock.now() })
    const limit = topic === topics.deadLetter.name ? MAX_DEAD_LETTER_BYTES : MAX_BATCH_BYTES
    if (bytes.length > limit)
      throw new ObstreamError(
        'OBS_LOG_BATCH_TOO_LARGE',
        `${records.length} records for ${topic} make a batch of ${bytes.length} bytes; ${limit} are allowed. Append fewer at once.`,
      )
    return this.#writes.run(() => this.#insert(stored, bytes, records.length))
  }

  /** Append times of a partition never go back, whatever the clock does. */
  #insert(partition: StoredPartition, bytes: Buffer, recordCount: number): Appended {
    const { end, lastAppendedAtMs } = partition.bounds()
    const place: Appended = { baseOffset: end, appendedAtMs: Math.max(this.#options.clock.now(), lastAppendedAtMs) }
    placeBatch(bytes, place)
    partition.insert({ ...place, lastOffset: end + recordCount - 1, bytes })
    return place
  }

  /** Ends at the end that the log has when it is asked, if that comes before `to`. @throws the signal's reason */
  async *read(
    topic: string,
    partition: number,
    from: Offset,
    to: Offset,
    signal?: AbortSignal,
  ): AsyncGenerator<RecordBatch> {
    const stored = this.#partition(topic, partition)
    const end = Math.min(to, stored.bounds().end)
    for (let next = from; next < end; ) {
      signal?.throwIfAborted()
      const { batches, next: after } = readBatches(
        this.#partition(topic, partition),
        next,
        end,
        `${topic}/${partition}`,
      )
      yield* batches
      next = after
      await turnOfTheLoop()
    }
  }

  async *follow(topic: string, partition: number, from: Offset, signal: AbortSignal): AsyncGenerator<RecordBatch> {
    const stored = this.#partition(topic, partition)
    const ending = AbortSignal.any([signal, this.#closing.signal])
    for (let next = from; !ending.aborted; ) {
      const seen = this.#store.version()
      const { batches, next: after } = readBatches(stored, next, Number.MAX_SAFE_INTEGER, `${topic}/${partition}`)
      for (const batch of batches) {
        if (ending.aborted) return
        yield batch
      }
      if (after === next) await waitForChange(this.#store, seen, ending)
      else await turnOfTheLoop()
      next = after
    }
  }

  async offsets(topic: string, atMs?: Instant): Promise<readonly PartitionOffsets[]> {
    const { partitions } = this.#topic(topic)
    return Array.from({ length: partitions }, (_, partition) => {
      const stored = this.#partition(topic, partition)
      const { earliest, end } = stored.bounds()
      return {
        partition,
        earliest,
        end,
        atOrAfter: atMs === undefined ? end : firstRecordAt(stored, atMs, `${topic}/${partition}`),
      }
    })
  }

  async subscribe(group: string, topic: string, handler: PartitionHandler): Promise<Subscription> {
    const { partitions } = this.#topic(topic)
    const release = this.#store.hold(group)
    const subscription = new GroupSubscription(
      {
        partitions,
        committed: (partition) =>
          this.#store.committed(group, topic).find((commit) => commit.partition === partition) ?? null,
        commit: (partition, progress) =>
          this.#writes.run(() => this.#store.commit(group, topic, { partition, ...progress })),
        follow: (partition, from, signal) => this.follow(topic, partition, from, signal),
        release,
      },
      handler,
    )
    this.#subscriptions.add(subscription)
    const forget = () => this.#subscriptions.delete(subscription)
    subscription.ended.then(forget, forget)
    return subscription
  }

  async committed(group: string, topic: string): Promise<readonly ({ readonly partition: number } & Progress)[]> {
    this.#topic(topic)
    return this.#store.committed(group, topic)
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#closing.abort()
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.stop()))
    await this.#housekeeping.stop()
    await this.#writes.idle()
    this.#store.close()
  }

  #topic(name: string): TopicSettings {
    if (this.#closing.signal.aborted)
      throw new ObstreamError('OBS_LOG_UNAVAILABLE', `the log is closed; ${name} was asked for`)
    const topic = this.#store.topic(name)
    if (!topic) throw missing(`topic ${name} does not exist`)
    return topic
  }

  #partition(topic: string, partition: number): StoredPartition {
    const { partitions } = this.#topic(topic)
    const stored = this.#store.partition(topic, partition)
    if (!stored) throw missing(`topic ${topic} has ${partitions} partitions; there is no ${partition}`)
    return stored
  }

  async #applyTopics(catalogue: readonly TopicDefinition[]): Promise<readonly TopicDifference[]> {
    if (this.#differences(catalogue).length > 0) {
      const { partitions: latencyPartitions } = this.#options
      await this.#writes.run(() => applyTopics(catalogue, { store: this.#store, latencyPartitions }))
    }
    return this.#differences(catalogue)
  }

  #differences(catalogue: readonly TopicDefinition[]): readonly TopicDifference[] {
    return topicDifferences(catalogue, { store: this.#store, latencyPartitions: this.#options.partitions })
  }
}

function missing(what: string): ObstreamError {
  return new ObstreamError('OBS_LOG_TOPIC_MISSING', `${what}. Run \`obstream topics apply\`.`)
}
