import type { Instant } from '#lib/time.ts'
import type { StoredPartition } from './batch-store.ts'
import type { Offset } from './port.ts'

/**
 * An offset with nothing older than `at` at or behind it, and nothing appended at or after `at` before it; the end of the
 * partition when everything is older.
 *
 * Append times never go back, so halving the offsets finds it without an index by time.
 */
export function firstAppendedAt(partition: StoredPartition, at: Instant): Offset {
  const { earliest, end } = partition.bounds()
  let low = earliest
  let high = end
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const batch = partition.spanFrom(middle)
    if (batch && batch.appendedAtMs < at) low = batch.lastOffset + 1
    else high = middle
  }
  return low
}
