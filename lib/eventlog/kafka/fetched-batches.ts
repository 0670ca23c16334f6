import { field } from '../batch-header.ts'
import type { RecordBatch } from '../record-batch.ts'
import { decodeBatch } from '../record-batch.ts'

/**
 * Cuts the bytes that a broker gave for one partition into batches. A part of one at the end is left out: the next fetch
 * brings it whole.
 *
 * @param place e.g. `obs.sample.v1/0`
 * @throws OBS_LOG_CORRUPT
 */
export function* fetchedBatches(records: Buffer, place: string): Generator<RecordBatch> {
  for (let start = 0; start + field.leaderEpoch <= records.length; ) {
    const end = start + field.leaderEpoch + records.readInt32BE(start + field.batchLength)
    if (end > records.length) return
    yield decodeBatch(records.subarray(start, end), place)
    start = end
  }
}
