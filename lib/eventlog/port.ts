import type { Cause } from '#lib/cause.ts'
import type { Instant, Milliseconds } from '#lib/time.ts'
import type { TopicDefinition } from '#lib/topics.ts'
import type { RecordBatch } from './record-batch.ts'

/** Position of a record in one partition of a topic: 0, 1, 2, …; offsets may have holes where compaction removed copies. */
export type Offset = number

/** What an append takes. Keys and values are bytes; an absent value does not exist here. */
export interface LogRecord {
  readonly key: Uint8Array
  readonly value: Uint8Array
  readonly headers?: readonly RecordHeader[]
}

export interface RecordHeader {
  readonly name: string
  readonly value: Uint8Array
}

export interface Appended {
  readonly baseOffset: Offset
  readonly appendedAtMs: Instant
}

export interface PartitionOffsets {
  readonly partition: number
  /** Oldest offset that may still hold a record. */
  readonly earliest: Offset
  /** Offset that the next append gets. */
  readonly end: Offset
  /** First offset whose record was appended at or after the asked instant; `end` when there is none. */
  readonly atOrAfter: Offset
}

/**
 * How far a fold has come in one partition. Offsets and causes only: what a fold knows is in the log.
 *
 * Text form (the metadata of a Kafka commit): `v1 mark position floor done reached`, causes as `81.2.0`, absent ones as `-`.
 */
export interface Progress {
  /** Where a restart reads from: no retained record with the cause `mark` or a later one lies before it. */
  readonly offset: Offset
  /** The oldest input that the state still needs. */
  readonly mark: Cause
  /** The next input; every output of an earlier input is durable. */
  readonly position: Cause
  /** The newest cause accepted before the mark. */
  readonly floor: Cause | null
  /** The newest cause accepted at all. */
  readonly done: Cause | null
  /** The newest tick folded, for others to see how far this fold has come. */
  readonly reached: Instant | null
}

/** What a service does with the partitions a group gives it. One partition's calls never overlap. */
export interface PartitionHandler {
  /**
   * The partition is ours from now on.
   *
   * @param committed what the last owner committed, or `null`
   * @param signal aborts when the partition is no longer ours: a handler that waits then, in any of its calls, throws the
   *   signal's reason, so that nobody waits for it
   * @returns the offset to read from
   */
  assigned(partition: number, committed: Progress | null, signal: AbortSignal): Promise<Offset>
  /**
   * Records in order of offset, at least one.
   *
   * @returns progress to commit, or `null` for "not yet"
   */
  batch(partition: number, batch: RecordBatch): Promise<Progress | null>
  /** The partition is no longer ours. Best effort: a process that is cut off never hears it. */
  revoked(partition: number): void
}

export interface SubscribeOptions {
  /**
   * All partitions or none: nobody else may be in the group now, and whoever joins later gets no partition. Default
   * `false`. A group of the embedded log has one member in any case.
   */
  readonly alone?: boolean
}

export interface Subscription {
  /** Rejects with the error that ended the subscription; resolves after `stop`. */
  readonly ended: Promise<void>
  /** Lets a running `batch` call end, commits, and gives the partitions back. Idempotent. */
  stop(): Promise<void>
}

/** A difference between a topic and the catalogue, as a value: `setting` is e.g. `partitions`, `cleanup.policy`. */
export interface TopicDifference {
  readonly topic: string
  readonly setting: string
  readonly expected: string
  /** `null`: the topic does not exist. */
  readonly actual: string | null
}

/**
 * An ordered, durable, partitioned log of records.
 *
 * One appended batch is all or nothing and durable once `append` resolves. Within a partition everybody reads the same
 * records in the same order. Every batch's CRC32C is checked by whoever reads it.
 */
export interface EventLog {
  /**
   * Appends records as one batch.
   *
   * @throws OBS_LOG_BATCH_TOO_LARGE before anything is sent
   * @throws OBS_LOG_BUSY, OBS_LOG_IO, OBS_LOG_REFUSED, OBS_LOG_UNAVAILABLE, OBS_LOG_TOPIC_MISSING,
   *   OBS_LOG_ACCESS_DENIED certainly not appended
   * @throws OBS_LOG_OUTCOME_UNKNOWN perhaps appended now, perhaps later
   */
  append(topic: string, partition: number, records: readonly LogRecord[]): Promise<Appended>
  /**
   * Records with `from <= offset < to`, in order. The first and the last batch may hold records outside of the asked
   * range; `RecordBatch` readers skip them by offset. Ends at `to` even when the last offsets hold no record.
   *
   * @throws OBS_LOG_OFFSET_EXPIRED when `from` lies before the oldest kept offset
   * @throws OBS_LOG_CORRUPT
   */
  read(topic: string, partition: number, from: Offset, to: Offset, signal?: AbortSignal): AsyncIterable<RecordBatch>
  /** Endless `read`: waits for records to come, ends when `signal` aborts. */
  follow(topic: string, partition: number, from: Offset, signal: AbortSignal): AsyncIterable<RecordBatch>
  /**
   * For so long `offsets` may tell an end that lies before what others have appended: a broker that was cut off does not know
   * at once that another one leads. 0 where there is nobody else.
   */
  readonly endsLagMs: Milliseconds
  /** One entry per partition, in order. No end lies before what was appended here and acknowledged. */
  offsets(topic: string, atMs?: Instant): Promise<readonly PartitionOffsets[]>
  /**
   * Joins a group that shares the partitions of one topic.
   *
   * @throws OBS_LOG_GROUP_HELD when another process is in the group: on the embedded log always, on Kafka for who wants to
   *   be alone
   */
  subscribe(group: string, topic: string, handler: PartitionHandler, options?: SubscribeOptions): Promise<Subscription>
  /** What the group has committed; partitions without a commit are left out. */
  committed(group: string, topic: string): Promise<readonly ({ readonly partition: number } & Progress)[]>
  readonly topics: {
    /** Creates what is missing and corrects settings, never partitions. Returns what it could not correct. */
    apply(catalogue: readonly TopicDefinition[]): Promise<readonly TopicDifference[]>
    check(catalogue: readonly TopicDefinition[]): Promise<readonly TopicDifference[]>
    /** Removes copies and expired records now, as the background does in its own time. */
    compact(catalogue: readonly TopicDefinition[]): Promise<readonly Compaction[]>
  }
  /** Waits for running calls, then closes. Idempotent. */
  close(): Promise<void>
}

export interface Compaction {
  readonly topic: string
  readonly partition: number
  readonly removedRecords: number
  readonly removedBytes: number
}
