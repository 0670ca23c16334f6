import type { Cause } from '#lib/cause.ts'
import { compareCauses } from '#lib/cause.ts'
import type { TopicCodec } from '#lib/codec/avro.ts'
import { UnknownSchemaError } from '#lib/codec/avro.ts'
import { ObstreamError } from '#lib/errors.ts'
import type { EventLog, Offset } from '#lib/eventlog/port.ts'
import type { BatchRecord, RecordBatch } from '#lib/eventlog/record-batch.ts'
import { causeOf } from './record-headers.ts'

/** A record of a derived topic with the place it follows from. */
export interface CausedRecord {
  readonly cause: Cause
  readonly key: string
  readonly value: Buffer
}

/** Finds records by offset, going forward through one batch after the other. */
export class BatchCursor {
  #batch: RecordBatch | null = null
  #records: Iterator<BatchRecord> = [].values()
  #reached: Offset = -1

  /** Key and value of the record at exactly that offset. @throws OBS_RUNTIME_UNEXPECTED when the batch does not hold it */
  contentAt(batch: RecordBatch, offset: Offset): { readonly key: Buffer; readonly value: Buffer } {
    if (batch !== this.#batch || offset <= this.#reached) {
      this.#batch = batch
      this.#records = batch.records()[Symbol.iterator]()
    }
    for (let next = this.#records.next(); !next.done; next = this.#records.next()) {
      const { offset: at, key, value } = next.value
      this.#reached = at
      if (at === offset && value) return { key, value }
    }
    throw new ObstreamError(
      'OBS_RUNTIME_UNEXPECTED',
      `offset ${offset} is not in its batch ${batch.baseOffset}–${batch.lastOffset}`,
    )
  }
}

/**
 * The last record of a partition, wherever compaction has left it.
 *
 * @returns `undefined` for a partition without records
 */
export async function lastRecord(log: EventLog, topic: string, partition: number): Promise<BatchRecord | undefined> {
  const { earliest, end } = (await log.offsets(topic))[partition]!
  for (let step = 1, to = end; to > earliest; step *= 2) {
    const from = Math.max(earliest, to - step)
    let last: BatchRecord | undefined
    for await (const batch of log.read(topic, partition, from, to))
      for (const record of batch.records()) if (record.offset >= from && record.offset < to) last = record
    if (last) return last
    to = from
  }
  return undefined
}

/**
 * Derived records of a partition as a set: one per cause, in order of cause. Right however often they were written and
 * whatever compaction has moved.
 *
 * @param wanted sees key and cause before anything else is read
 */
export async function readSet(
  log: EventLog,
  topic: string,
  partition: number,
  wanted: (key: string, cause: Cause) => boolean,
): Promise<readonly CausedRecord[]> {
  const { earliest, end } = (await log.offsets(topic))[partition]!
  const records: CausedRecord[] = []
  for await (const batch of log.read(topic, partition, earliest, end))
    for (const record of batch.records()) {
      if (record.offset < earliest || record.offset >= end || !record.value) continue
      const cause = causeOf(record)
      const key = record.key.toString()
      if (cause && wanted(key, cause)) records.push({ cause, key, value: record.value })
    }
  records.sort((a, b) => compareCauses(a.cause, b.cause))
  return records.filter((record, i) => i === 0 || compareCauses(records[i - 1]!.cause, record.cause) !== 0)
}

/** Decodes, fetching the writer's schema first when it is not known yet. @param signal ends a wait for it */
export async function decodeOwn<Value>(codec: TopicCodec<Value>, bytes: Buffer, signal?: AbortSignal): Promise<Value> {
  try {
    return codec.decode(bytes)
  } catch (error) {
    if (!(error instanceof UnknownSchemaError)) throw error
    await codec.learn(error.id, signal)
    return codec.decode(bytes)
  }
}
