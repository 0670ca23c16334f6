import type { SchemaStore } from '#lib/registry/port.ts'
import type { Instant } from '#lib/time.ts'
import type { TopicDefinition } from '#lib/topics.ts'
import type { Offset, Progress } from './port.ts'

/**
 * Where an embedded log keeps its batches: a file or the memory. Everything is synchronous and short; what is said of a
 * log (order, waiting, groups, compaction) is built on it once, in `embedded-log.ts`.
 *
 * Methods that write are called within `transact` only.
 */
export interface BatchStore {
  /** Partitions of the topics of the latency path, fixed when the log was created. */
  readonly latencyPartitions: number
  readonly schemas: SchemaStore
  /**
   * Runs `work` as one transaction: all or nothing, and durable when it returns. Wakes the watchers.
   *
   * @throws OBS_LOG_BUSY at once, when another process writes · OBS_LOG_IO
   */
  transact<T>(work: () => T): T
  topic(name: string): TopicSettings | undefined
  topics(): readonly TopicSettings[]
  /** Creates the topic with its partitions, or changes its settings; the number of partitions stays. */
  saveTopic(settings: TopicSettings): void
  /** @returns `undefined` when there is none */
  partition(topic: string, partition: number): StoredPartition | undefined
  committed(group: string, topic: string): readonly ({ readonly partition: number } & Progress)[]
  commit(group: string, topic: string, commit: { readonly partition: number } & Progress): void
  /**
   * Takes a name that only one process at a time can have; it is free again when the process dies.
   *
   * @returns gives the name back
   * @throws OBS_LOG_GROUP_HELD
   */
  hold(name: string): () => void
  /** A number that changes whenever anybody, in this process or another, may have written. */
  version(): number
  /** Calls `wake` after the version may have changed. @returns ends it */
  watch(wake: () => void): () => void
  close(): void
}

export type TopicSettings = Pick<TopicDefinition, 'name' | 'cleanup' | 'retentionMs'> & { readonly partitions: number }

/** One batch without its bytes. */
export interface BatchSpan {
  readonly baseOffset: Offset
  readonly lastOffset: Offset
  readonly appendedAtMs: Instant
}

export interface StoredBatch extends BatchSpan {
  readonly bytes: Buffer
}

export interface PartitionBounds {
  readonly earliest: Offset
  readonly end: Offset
  /** Append time of the newest batch; 0 without one. */
  readonly lastAppendedAtMs: Instant
}

/** The batches of one partition. The newest one is never removed, only emptied: its last offset says where the log ends. */
export interface StoredPartition {
  bounds(): PartitionBounds
  /** The first batch that reaches `offset` or lies behind it. */
  spanFrom(offset: Offset): BatchSpan | undefined
  /** Batches with offsets in `from <= offset < to`, in order; some of them, at least one if there is any. */
  batches(from: Offset, to: Offset): readonly StoredBatch[]
  insert(batch: StoredBatch): void
  replace(baseOffset: Offset, bytes: Buffer): void
  remove(baseOffset: Offset): void
  /** Nothing before `offset` is kept any more. */
  setEarliest(offset: Offset): void
  /** Before this offset no key occurs twice. */
  compactedTo(): Offset
  setCompactedTo(offset: Offset): void
}

/** A call of `batches` hands out at most this much, so that it ends soon. */
export const CHUNK = { bytes: 1_048_576, batches: 256 } as const
