import { ObstreamError } from '#lib/errors.ts'
import type { Instant } from '#lib/time.ts'
import { firstAppendedAt } from './append-time.ts'
import { corruptBatch } from './batch-header.ts'
import { holdsFrom } from './batch-range.ts'
import type { BatchStore, StoredBatch, StoredPartition } from './batch-store.ts'
import type { Offset } from './port.ts'
import { decodeBatch, type RecordBatch } from './record-batch.ts'

/** The next few batches of a partition that hold records, and the offset to go on at: `from` itself at the end. */
export interface ReadChunk {
  readonly batches: readonly RecordBatch[]
  readonly next: Offset
}

/**
 * Reads on from an offset.
 *
 * @param place e.g. `obs.sample.v1/0`
 * @throws OBS_LOG_OFFSET_EXPIRED when `from` lies before the oldest kept offset, also when it came to lie there meanwhile
 * @throws OBS_LOG_HISTORY_CHANGED when the log ends before `from` · OBS_LOG_CORRUPT
 */
export function readBatches(partition: StoredPartition, from: Offset, to: Offset, place: string): ReadChunk {
  const { earliest, end } = partition.bounds()
  if (from < earliest)
    throw new ObstreamError(
      'OBS_LOG_OFFSET_EXPIRED',
      `${place}: offset ${from} was asked for; the oldest kept one is ${earliest}.`,
    )
  if (from > end)
    throw new ObstreamError(
      'OBS_LOG_HISTORY_CHANGED',
      `${place}: offset ${from} was asked for; the log ends at ${end}. It was truncated or created anew.`,
    )
  const stored = partition.batches(from, to)
  const last = stored.at(-1)
  return {
    batches: stored.map((batch) => decodeStored(batch, place)).filter((batch) => holdsFrom(batch, from)),
    next: last ? last.lastOffset + 1 : Math.max(from, Math.min(to, end)),
  }
}

/** The store's own numbers must be those in the bytes, which the CRC32C does not cover. */
function decodeStored(stored: StoredBatch, place: string): RecordBatch {
  const batch = decodeBatch(stored.bytes, place)
  if (batch.baseOffset !== stored.baseOffset || batch.lastOffset !== stored.lastOffset)
    throw corruptBatch(
      place,
      stored.baseOffset,
      `it says that it has the offsets ${batch.baseOffset} to ${batch.lastOffset}`,
    )
  return batch
}

/** The first record appended at or after `at`; the end of the partition when there is none. */
export function firstRecordAt(partition: StoredPartition, at: Instant, place: string): Offset {
  const { end } = partition.bounds()
  for (let next = firstAppendedAt(partition, at); next < end; ) {
    const chunk = readBatches(partition, next, end, place)
    for (const batch of chunk.batches) for (const { offset } of batch.records()) if (offset >= next) return offset
    next = chunk.next
  }
  return end
}

/** Resolves when the store may have changed since its version was `seen`, or `signal` aborts. */
export function waitForChange(store: BatchStore, seen: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const check = () => {
      if (!signal.aborted && !hasChanged(store, seen)) return
      stopWatching()
      signal.removeEventListener('abort', check)
      resolve()
    }
    const stopWatching = store.watch(check)
    signal.addEventListener('abort', check)
    check()
  })
}

/** A store that cannot say counts as changed: whoever waits reads on and meets the fault itself. */
function hasChanged(store: BatchStore, seen: number): boolean {
  try {
    return store.version() !== seen
  } catch {
    return true
  }
}
