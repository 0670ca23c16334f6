import { type Cause, compareCauses } from '#lib/cause.ts'
import type { TopicCodec } from '#lib/codec/avro.ts'
import { UnknownSchemaError } from '#lib/codec/avro.ts'
import { isObstreamError, ObstreamError } from '#lib/errors.ts'
import type { EventLog, Offset } from '#lib/eventlog/port.ts'
import type { BatchRecord, RecordBatch } from '#lib/eventlog/record-batch.ts'
import { decodeOwn } from '#lib/runtime/own-records.ts'
import { causeOf } from '#lib/runtime/record-headers.ts'

/** A record as a job reads it. */
export interface ReadFact<Value> {
  readonly offset: Offset
  readonly key: string
  readonly value: Value
}

/** A piece of one partition: `from <= offset < to`. */
export interface Stretch {
  readonly partition: number
  readonly from: Offset
  readonly to: Offset
}

/**
 * The facts of a stretch in order. Records that are bad in themselves are left out: the service that folds the topic has
 * put them to the dead letters.
 *
 * @throws the signal's reason when it aborts; what a log and a registry throw
 */
export async function* readFacts<Value>(
  log: EventLog,
  codec: TopicCodec<Value>,
  stretch: Stretch,
  signal?: AbortSignal,
): AsyncGenerator<ReadFact<Value>> {
  for await (const records of readRecords(log, codec.topic.name, stretch, signal))
    for (const record of records) {
      const decoded = decodeGood(codec, record, signal)
      const value = decoded instanceof Promise ? await decoded : decoded
      if (value !== undefined) yield { offset: record.offset, key: record.key.toString(), value }
    }
}

/**
 * The facts of a derived topic up to its end, as a set: one per key, each partition in order of cause, wherever compaction
 * has moved them.
 *
 * @throws OBS_LOG_FACT_CHANGED when one key has two values · the signal's reason
 */
export async function readFactSet<Value>(
  log: EventLog,
  codec: TopicCodec<Value>,
  signal?: AbortSignal,
): Promise<readonly ReadFact<Value>[]> {
  const facts: ReadFact<Value>[] = []
  for (const { partition, earliest, end } of await log.offsets(codec.topic.name))
    for (const { record } of await readRecordSet(
      log,
      codec.topic.name,
      { partition, from: earliest, to: end },
      signal,
    )) {
      const value = await decodeGood(codec, record, signal)
      if (value !== undefined) facts.push({ offset: record.offset, key: record.key.toString(), value })
    }
  return facts
}

interface CausedRecord {
  readonly cause: Cause
  readonly record: BatchRecord
}

async function readRecordSet(
  log: EventLog,
  topic: string,
  stretch: Stretch,
  signal: AbortSignal | undefined,
): Promise<readonly CausedRecord[]> {
  const byKey = new Map<string, CausedRecord>()
  for await (const records of readRecords(log, topic, stretch, signal))
    for (const record of records) {
      const cause = causeOf(record)
      if (!cause || !record.value) continue
      const key = record.key.toString()
      const known = byKey.get(key)
      if (!known) byKey.set(key, { cause, record })
      else if (!record.value.equals(known.record.value!))
        throw new ObstreamError(
          'OBS_LOG_FACT_CHANGED',
          `${topic} holds two values for ${key}; one version of obstream may write a topic`,
        )
    }
  return [...byKey.values()].sort((a, b) => compareCauses(a.cause, b.cause))
}

/** Batch by batch: to wait for each record would take longer than to read it. */
async function* readRecords(
  log: EventLog,
  topic: string,
  { partition, from, to }: Stretch,
  signal: AbortSignal | undefined,
): AsyncGenerator<Iterable<BatchRecord>> {
  for await (const batch of log.read(topic, partition, from, to, signal)) yield recordsWithin(batch, from, to)
  signal?.throwIfAborted()
}

function* recordsWithin(batch: RecordBatch, from: Offset, to: Offset): Generator<BatchRecord> {
  for (const record of batch.records()) if (record.offset >= from && record.offset < to) yield record
}

/** `undefined` for a record that is bad in itself. A promise only when its schema has to be learnt first. */
function decodeGood<Value>(
  codec: TopicCodec<Value>,
  { value }: BatchRecord,
  signal: AbortSignal | undefined,
): Value | undefined | Promise<Value | undefined> {
  if (!value) return undefined
  try {
    return codec.decode(value)
  } catch (error) {
    return error instanceof UnknownSchemaError ? decodeOwn(codec, value, signal).catch(orBad) : orBad(error)
  }
}

function orBad(error: unknown): undefined {
  if (!isObstreamError(error, 'OBS_RECORD_INVALID')) throw error
}
