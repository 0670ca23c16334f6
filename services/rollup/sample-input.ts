import type { TopicCodec } from '#lib/codec/avro.ts'
import { isObstreamError } from '#lib/errors.ts'
import type { Offset } from '#lib/eventlog/port.ts'
import type { BatchRecord, RecordBatch } from '#lib/eventlog/record-batch.ts'
import type { SampleFact, Tick } from '#lib/facts.ts'
import type { FoldInput, ReportBad } from '#lib/runtime/define-service.ts'
import { faultOf } from './sample-limits.ts'
import type { Sample } from './tally.ts'

/** A record of `obs.sample.v1` as rollup sees it; what it does not count with may be missing. */
export interface SampleInput extends FoldInput<Sample | Tick> {
  /** A small number, usually the same for the same source, and another for another. */
  readonly hint: number
}

type Decoder = Pick<TopicCodec<SampleFact>, 'decode'>

/**
 * The inputs of a batch from an offset on, by the codec.
 *
 * @throws UnknownSchemaError at a record whose schema must be fetched first
 */
export function* readByCodec(
  batch: RecordBatch,
  from: Offset,
  bad: ReportBad,
  codec: Decoder,
): Generator<SampleInput, undefined> {
  for (const record of batch.records()) {
    if (record.offset < from) continue
    const key = record.key.toString('utf8')
    const fact = decode(record, codec)
    const fault = typeof fact === 'string' ? fact : faultOf(key, fact)
    if (fault !== undefined) bad(record, fault)
    else yield { offset: record.offset, cause: [record.offset], key, value: fact as SampleFact, hint: 0 }
  }
  return undefined
}

/** @returns the value, or why the record is bad */
function decode({ value }: BatchRecord, codec: Decoder): SampleFact | string {
  if (value === null) return 'OBS_LOG_NULL_VALUE: the record has no value'
  try {
    return codec.decode(value)
  } catch (error) {
    if (isObstreamError(error, 'OBS_RECORD_INVALID')) return error.message
    throw error
  }
}
