import type { Offset } from './port.ts'
import type { RecordBatch } from './record-batch.ts'

/** Whether a batch has a record at or behind `from`: compaction may have removed those of a batch that `from` points into. */
export function holdsFrom(batch: RecordBatch, from: Offset): boolean {
  if (batch.recordCount === 0 || batch.lastOffset < from) return false
  if (batch.baseOffset >= from) return true
  for (const { offset } of batch.records()) if (offset >= from) return true
  return false
}
