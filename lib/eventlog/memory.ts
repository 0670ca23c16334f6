import { ObstreamError } from '#lib/errors.ts'
import { MemorySchemaStore } from '#lib/registry/memory-store.ts'
import type { SchemaStore } from '#lib/registry/port.ts'
import {
  type BatchSpan,
  type BatchStore,
  CHUNK,
  type PartitionBounds,
  type StoredBatch,
  type StoredPartition,
  type TopicSettings,
} from './batch-store.ts'
import { EmbeddedLog, type EmbeddedLogOptions } from './embedded-log.ts'
import type { Offset, Progress } from './port.ts'

/** A log that lasts as long as the process. */
export class MemoryLog extends EmbeddedLog {
  readonly #memory: Memory
  readonly #options: EmbeddedLogOptions

  constructor(memory: Memory, groups: Set<string>, options: EmbeddedLogOptions) {
    super(new MemoryStore(memory, groups), options)
    this.#memory = memory
    this.#options = options
  }

  /**
   * The same log as another process would have it: closing one handle leaves the others open, and a group that one holds
   * is held for all.
   *
   * @param sharing `cutOff`: this handle knows of no group that others hold, and they know of none of its own. So two of
   *   them may own a partition at once, as it happens with Kafka when a process was cut off and does not know it yet
   */
  handle(sharing: 'groups' | 'cutOff' = 'groups'): MemoryLog {
    return new MemoryLog(this.#memory, sharing === 'groups' ? this.#memory.groups : new Set(), this.#options)
  }
}

/**
 * A store in memory that nobody else shares.
 *
 * @param begin where a new partition begins: its bounds while it holds nothing; `earliest` and `end` are equal
 */
export function createMemoryStore(
  latencyPartitions: number,
  begin: (topic: string, partition: number) => PartitionBounds,
): BatchStore {
  return new MemoryStore(new Memory(latencyPartitions, begin), new Set())
}

const fromZero = (): PartitionBounds => ({ earliest: 0, end: 0, lastAppendedAtMs: 0 })

/** Creates an empty log in memory. */
export function openMemoryLog(options: EmbeddedLogOptions): MemoryLog {
  const memory = new Memory(options.partitions, fromZero)
  return new MemoryLog(memory, memory.groups, options)
}

/** What all handles share. */
class Memory {
  readonly latencyPartitions: number
  readonly begin: (topic: string, partition: number) => PartitionBounds
  readonly groups = new Set<string>()
  readonly topics = new Map<string, TopicSettings>()
  readonly partitions = new Map<string, MemoryPartition>()
  readonly commits = new Map<string, { readonly partition: number } & Progress>()
  readonly schemas: SchemaStore = new MemorySchemaStore()
  readonly watchers = new Set<() => void>()
  version = 0

  constructor(latencyPartitions: number, begin: Memory['begin']) {
    this.latencyPartitions = latencyPartitions
    this.begin = begin
  }
}

class MemoryStore implements BatchStore {
  readonly latencyPartitions: number
  readonly schemas: SchemaStore
  readonly #memory: Memory
  readonly #groups: Set<string>

  constructor(memory: Memory, groups: Set<string>) {
    this.#memory = memory
    this.#groups = groups
    this.latencyPartitions = memory.latencyPartitions
    this.schemas = memory.schemas
  }

  transact<T>(work: () => T): T {
    const result = work()
    this.#memory.version++
    for (const wake of [...this.#memory.watchers]) wake()
    return result
  }

  topic(name: string): TopicSettings | undefined {
    return this.#memory.topics.get(name)
  }

  topics(): readonly TopicSettings[] {
    return [...this.#memory.topics.values()]
  }

  saveTopic(settings: TopicSettings): void {
    const isNew = !this.#memory.topics.has(settings.name)
    this.#memory.topics.set(settings.name, settings)
    if (isNew)
      for (let i = 0; i < settings.partitions; i++)
        this.#memory.partitions.set(`${settings.name}/${i}`, new MemoryPartition(this.#memory.begin(settings.name, i)))
  }

  partition(topic: string, partition: number): StoredPartition | undefined {
    return this.#memory.partitions.get(`${topic}/${partition}`)
  }

  committed(group: string, topic: string): readonly ({ readonly partition: number } & Progress)[] {
    const partitions = Array.from({ length: this.topic(topic)?.partitions ?? 0 }, (_, partition) => partition)
    return partitions.flatMap((partition) => this.#memory.commits.get(`${group}/${topic}/${partition}`) ?? [])
  }

  commit(group: string, topic: string, commit: { readonly partition: number } & Progress): void {
    this.#memory.commits.set(`${group}/${topic}/${commit.partition}`, commit)
  }

  hold(name: string): () => void {
    if (this.#groups.has(name)) throw new ObstreamError('OBS_LOG_GROUP_HELD', `${name} is running on this log already`)
    this.#groups.add(name)
    return () => this.#groups.delete(name)
  }

  version(): number {
    return this.#memory.version
  }

  watch(wake: () => void): () => void {
    this.#memory.watchers.add(wake)
    return () => this.#memory.watchers.delete(wake)
  }

  close(): void {}
}

class MemoryPartition implements StoredPartition {
  /** In order of offset. */
  readonly #batches: StoredBatch[] = []
  readonly #begin: PartitionBounds
  #earliest: Offset
  #compactedTo: Offset

  constructor(begin: PartitionBounds) {
    this.#begin = begin
    this.#earliest = begin.earliest
    this.#compactedTo = begin.earliest
  }

  bounds(): PartitionBounds {
    const last = this.#batches.at(-1)
    if (!last) return this.#begin
    return { earliest: this.#earliest, end: last.lastOffset + 1, lastAppendedAtMs: last.appendedAtMs }
  }

  spanFrom(offset: Offset): BatchSpan | undefined {
    return this.#batches[this.#indexFrom(offset)]
  }

  batches(from: Offset, to: Offset): readonly StoredBatch[] {
    const chunk: StoredBatch[] = []
    let bytes = 0
    for (
      let i = this.#indexFrom(from);
      i < this.#batches.length && chunk.length < CHUNK.batches && bytes < CHUNK.bytes;
      i++
    ) {
      const batch = this.#batches[i]!
      if (batch.baseOffset >= to) break
      chunk.push(batch)
      bytes += batch.bytes.length
    }
    return chunk
  }

  insert(batch: StoredBatch): void {
    this.#batches.push(batch)
  }

  replace(baseOffset: Offset, bytes: Buffer): void {
    const index = this.#indexFrom(baseOffset)
    this.#batches[index] = { ...this.#batches[index]!, bytes }
  }

  remove(baseOffset: Offset): void {
    this.#batches.splice(this.#indexFrom(baseOffset), 1)
  }

  setEarliest(offset: Offset): void {
    this.#earliest = offset
  }

  compactedTo(): Offset {
    return this.#compactedTo
  }

  setCompactedTo(offset: Offset): void {
    this.#compactedTo = offset
  }

  /** Index of the first batch whose last offset is not below `offset`. */
  #indexFrom(offset: Offset): number {
    let low = 0
    let high = this.#batches.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#batches[middle]!.lastOffset < offset) low = middle + 1
      else high = middle
    }
    return low
  }
}
