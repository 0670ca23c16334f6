import { isObstreamError } from '#lib/errors.ts'
import type { Instant } from '#lib/time.ts'
import type { TopicDefinition } from '#lib/topics.ts'
import type { BatchStore, PartitionBounds } from './batch-store.ts'
import { EmbeddedLog, type EmbeddedLogOptions } from './embedded-log.ts'
import { createMemoryStore } from './memory.ts'
import type { EventLog, Offset, PartitionOffsets } from './port.ts'
import type { RecordBatch } from './record-batch.ts'

export interface OverlayOptions extends EmbeddedLogOptions {
  /**
   * The topics to see. Each is frozen at its end of now, in this order; since others may go on writing, a topic stands
   * before those it follows from.
   */
  readonly topics: readonly TopicDefinition[]
  /** Groups that begin where they are on the base; any other begins without a commit. Frozen before the topics. */
  readonly groups: readonly { readonly group: string; readonly topic: TopicDefinition }[]
}

/**
 * A log that shows another one as it stands now and takes everything further into memory: for trying out what would
 * happen. Offsets go on where the base ended. Appends, commits, held groups and settings of topics are the overlay's own;
 * the base is only read, stays open when the overlay is closed, and must stay open while the overlay is used.
 *
 * Retention and compaction of the base may go on meanwhile and show; `topics.compact` reaches the overlay's records only.
 *
 * @throws what `offsets`, `read` and `committed` of the base throw; a topic that the base lacks is left out
 */
export async function openOverlayLog(base: EventLog, options: OverlayOptions): Promise<EventLog> {
  const commits = await readCommits(base, options)
  const frozen = await freeze(base, options.topics)
  const store = createMemoryStore(
    options.partitions,
    (topic, partition) => frozen.get(topic)?.[partition] ?? { earliest: 0, end: 0, lastAppendedAtMs: 0 },
  )
  store.transact(() => {
    for (const { name, cleanup, retentionMs } of options.topics) {
      const partitions = frozen.get(name)?.length
      if (partitions !== undefined) store.saveTopic({ name, cleanup, retentionMs, partitions })
    }
    for (const { group, topic, commit } of commits) store.commit(group, topic, commit)
  })
  return new OverlayLog(base, frozen, store, options)
}

/** Of each topic, by partition, where the base ends and the overlay begins. */
type Frozen = ReadonlyMap<string, readonly PartitionBounds[]>

async function readCommits(base: EventLog, { groups }: OverlayOptions) {
  const commits = []
  for (const { group, topic } of groups)
    for (const commit of await unlessMissing(base.committed(group, topic.name), []))
      commits.push({ group, topic: topic.name, commit })
  return commits
}

async function freeze(base: EventLog, topics: readonly TopicDefinition[]): Promise<Frozen> {
  const frozen = new Map<string, readonly PartitionBounds[]>()
  for (const { name } of topics) {
    const places = await unlessMissing(base.offsets(name), undefined)
    if (!places) continue
    const bounds: PartitionBounds[] = []
    for (const place of places)
      bounds.push({ earliest: place.end, end: place.end, lastAppendedAtMs: await lastAppendedAt(base, name, place) })
    frozen.set(name, bounds)
  }
  return frozen
}

/** 0 when the last offset holds no record any more: then the clock alone says when an append happens. */
async function lastAppendedAt(
  base: EventLog,
  topic: string,
  { partition, earliest, end }: PartitionOffsets,
): Promise<Instant> {
  let appendedAtMs = 0
  for await (const batch of base.read(topic, partition, Math.max(earliest, end - 1), end))
    appendedAtMs = batch.appendedAtMs
  return appendedAtMs
}

async function unlessMissing<Answer, Instead>(asked: Promise<Answer>, instead: Instead): Promise<Answer | Instead> {
  try {
    return await asked
  } catch (error) {
    if (isObstreamError(error, 'OBS_LOG_TOPIC_MISSING')) return instead
    throw error
  }
}

/** The embedded log in memory holds what lies behind the frozen ends; what lies before them is read from the base. */
class OverlayLog extends EmbeddedLog {
  readonly #base: EventLog
  readonly #frozen: Frozen
  readonly #closing = new AbortController()

  constructor(base: EventLog, frozen: Frozen, store: BatchStore, options: EmbeddedLogOptions) {
    super(store, options)
    this.#base = base
    this.#frozen = frozen
  }

  override async *read(
    topic: string,
    partition: number,
    from: Offset,
    to: Offset,
    signal?: AbortSignal,
  ): AsyncGenerator<RecordBatch> {
    const end = this.#frozenEnd(topic, partition)
    if (from < Math.min(end, to)) yield* this.#base.read(topic, partition, from, Math.min(end, to), signal)
    yield* super.read(topic, partition, Math.max(from, end), to, signal)
  }

  override async *follow(
    topic: string,
    partition: number,
    from: Offset,
    signal: AbortSignal,
  ): AsyncGenerator<RecordBatch> {
    const ending = AbortSignal.any([signal, this.#closing.signal])
    const end = this.#frozenEnd(topic, partition)
    if (from < end)
      for await (const batch of this.#base.read(topic, partition, from, end)) {
        if (ending.aborted) return
        yield batch
      }
    if (!ending.aborted) yield* super.follow(topic, partition, Math.max(from, end), signal)
  }

  override async offsets(topic: string, atMs?: Instant): Promise<readonly PartitionOffsets[]> {
    const places = await super.offsets(topic, atMs)
    if (!this.#frozen.has(topic)) return places
    const below = await this.#base.offsets(topic, atMs)
    return places.map((place, partition) => {
      const end = this.#frozenEnd(topic, partition)
      const { earliest, atOrAfter } = below[partition]!
      return {
        ...place,
        earliest: place.earliest > end ? place.earliest : Math.min(earliest, end),
        atOrAfter: atMs !== undefined && atOrAfter < end ? atOrAfter : place.atOrAfter,
      }
    })
  }

  override close(): Promise<void> {
    this.#closing.abort()
    return super.close()
  }

  #frozenEnd(topic: string, partition: number): Offset {
    return this.#frozen.get(topic)?.[partition]?.end ?? 0
  }
}
