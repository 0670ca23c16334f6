import type { Instant } from '#lib/time.ts'
import { COMPACTION_LAG_MS } from '#lib/topics.ts'
import { firstAppendedAt } from './append-time.ts'
import type { StoredBatch, StoredPartition, TopicSettings } from './batch-store.ts'
import type { Offset } from './port.ts'
import { type BatchRecord, decodeBatch, retainRecords } from './record-batch.ts'
import type { WriteQueue } from './write-queue.ts'

/** What compaction works with. */
export interface CompactionContext {
  readonly now: Instant
  readonly writes: WriteQueue
  /** Compacts only when the part not yet compacted is this share of the part that is; 0: always. */
  readonly minDirtyRatio: number
  /** Between two steps: lets others work. @throws to give up */
  pause(): Promise<void>
}

/** How much went away. */
export interface Removed {
  records: number
  bytes: number
}

/** Keys that one pass remembers at most; more take more passes. */
const MAX_KEYS = 500_000

/**
 * Removes what a topic's settings do not keep: expired records, then copies (equal keys, of which the last stays) that
 * were appended more than the compaction lag ago. Offsets stay; removed records leave holes.
 *
 * @param place e.g. `obs.window.v1/0`
 * @throws OBS_LOG_CORRUPT, OBS_LOG_BUSY, OBS_LOG_IO; what was done before stays done, each step is whole
 */
export async function cleanPartition(
  partition: StoredPartition,
  settings: Pick<TopicSettings, 'cleanup' | 'retentionMs'>,
  place: string,
  context: CompactionContext,
): Promise<Removed> {
  const cleaner = new PartitionCleaner(partition, place, context)
  if (settings.cleanup !== 'compact' && settings.retentionMs !== null)
    await cleaner.removeOlderThan(context.now - settings.retentionMs)
  if (settings.cleanup !== 'delete') await cleaner.removeCopies(context.now - COMPACTION_LAG_MS)
  return cleaner.removed
}

class PartitionCleaner {
  readonly removed: Removed = { records: 0, bytes: 0 }
  readonly #partition: StoredPartition
  readonly #place: string
  readonly #context: CompactionContext

  constructor(partition: StoredPartition, place: string, context: CompactionContext) {
    this.#partition = partition
    this.#place = place
    this.#context = context
  }

  /** Append times never go back, so expired batches are the first ones. */
  async removeOlderThan(before: Instant): Promise<void> {
    for (;;) {
      const { earliest, end } = this.#partition.bounds()
      const isEmptyEnd = (batch: StoredBatch) => batch.lastOffset + 1 === end && earliest === end
      const expired = this.#partition
        .batches(0, end)
        .filter((batch) => batch.appendedAtMs < before && !isEmptyEnd(batch))
      if (expired.length === 0) return
      await this.#rewrite(expired, () => false, expired.at(-1)!.lastOffset + 1)
    }
  }

  /** Passes over what is not yet compacted to learn its keys, then over all before it to remove their older copies. */
  async removeCopies(notAfter: Instant): Promise<void> {
    for (;;) {
      const { earliest } = this.#partition.bounds()
      const from = Math.max(this.#partition.compactedTo(), earliest)
      const dirty = firstAppendedAt(this.#partition, notAfter + 1) - from
      if (dirty <= 0 || dirty < (from - earliest) * this.#context.minDirtyRatio) return
      const { lastOffsets, to } = await this.#lastOffsets(from, from + dirty)
      const isLast = ({ key, offset }: BatchRecord) => (lastOffsets.get(nameOf(key)) ?? offset) <= offset
      for await (const batch of this.#between(earliest, to)) await this.#rewrite([batch], isLast, earliest)
      await this.#context.writes.run(() => this.#partition.setCompactedTo(to))
    }
  }

  async #lastOffsets(
    from: Offset,
    to: Offset,
  ): Promise<{ readonly lastOffsets: ReadonlyMap<string, Offset>; readonly to: Offset }> {
    const lastOffsets = new Map<string, Offset>()
    for await (const batch of this.#between(from, to)) {
      for (const { key, offset } of decodeBatch(batch.bytes, this.#place).records())
        lastOffsets.set(nameOf(key), offset)
      if (lastOffsets.size >= MAX_KEYS) return { lastOffsets, to: batch.lastOffset + 1 }
    }
    return { lastOffsets, to }
  }

  async *#between(from: Offset, to: Offset): AsyncGenerator<StoredBatch> {
    for (let next = from; next < to; ) {
      const chunk = this.#partition.batches(next, to)
      if (chunk.length === 0) return
      yield* chunk
      next = chunk.at(-1)!.lastOffset + 1
      await this.#context.pause()
    }
  }

  /** Takes records out of batches, all of these batches at once. */
  async #rewrite(
    batches: readonly StoredBatch[],
    keep: (record: BatchRecord) => boolean,
    earliest: Offset,
  ): Promise<void> {
    const changes = batches.flatMap((batch) => {
      const kept = retainRecords(batch.bytes, this.#place, keep)
      return kept || earliest > batch.lastOffset ? [{ batch, kept: kept ?? batch.bytes }] : []
    })
    if (changes.length === 0) return
    await this.#context.writes.run(() => {
      const { end } = this.#partition.bounds()
      for (const { batch, kept } of changes) this.#put(batch, kept, end)
      this.#partition.setEarliest(earliest)
    })
    for (const { batch, kept } of changes) {
      const left = decodeBatch(kept).recordCount
      this.removed.records += decodeBatch(batch.bytes).recordCount - left
      this.removed.bytes += batch.bytes.length - (left > 0 ? kept.length : 0)
    }
    await this.#context.pause()
  }

  /** The newest batch stays even when it is empty, since it says where the log ends. */
  #put(batch: StoredBatch, kept: Buffer, end: Offset): void {
    if (decodeBatch(kept).recordCount > 0 || batch.lastOffset + 1 === end)
      this.#partition.replace(batch.baseOffset, kept)
    else this.#partition.remove(batch.baseOffset)
  }
}

function nameOf(key: Buffer): string {
  return key.toString('latin1')
}
