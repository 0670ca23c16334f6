import { type Cause, compareCauses, formatCause } from '#lib/cause.ts'
import type { EventLog, LogRecord, Offset } from '#lib/eventlog/port.ts'
import { causeOf } from '#lib/runtime/record-headers.ts'
import { topics } from '#lib/topics.ts'
import type { Beginning } from './beginning.ts'
import type { ReplayLog } from './replay-log.ts'

const BATCH_RECORDS = 500
const BATCH_BYTES = 262_144

/**
 * Takes the derived facts that a replay does not recompute as they were recorded, and lets the services begin behind them,
 * as after a restart: from there on they speak, before that they only grow their state.
 */
export async function takeRecorded(
  source: EventLog,
  replay: ReplayLog,
  partition: number,
  { foldsFrom, speaksFrom, recomputedFrom }: Beginning,
): Promise<void> {
  for (const { name } of [topics.window, topics.breach, topics.alert])
    await appendAll(replay, name, partition, await recordedBefore(source, name, partition, speaksFrom))
  const isSilent = recomputedFrom === Number.POSITIVE_INFINITY
  const windows = (await replay.offsets(topics.window.name))[partition]!
  const place = { position: [speaksFrom], floor: null, done: null, reached: null }
  replay.begin(
    { group: 'rollup', topic: topics.sample.name, partition },
    { offset: foldsFrom, mark: [foldsFrom], ...place },
  )
  replay.begin(
    { group: 'alerter', topic: topics.window.name, partition },
    { offset: isSilent ? windows.end : 0, mark: [isSilent ? speaksFrom : 0], ...place },
  )
}

/** One record per cause, in order of cause, wherever compaction has left it. */
async function recordedBefore(
  source: EventLog,
  topic: string,
  partition: number,
  before: Offset,
): Promise<readonly LogRecord[]> {
  const { earliest, end } = (await source.offsets(topic))[partition]!
  const records = new Map<string, { readonly cause: Cause; readonly record: LogRecord }>()
  for await (const batch of source.read(topic, partition, earliest, end))
    for (const { offset, key, value, headers } of batch.records()) {
      const cause = causeOf({ headers })
      if (!cause || !value || cause[0]! >= before || offset < earliest || offset >= end) continue
      if (!records.has(formatCause(cause))) records.set(formatCause(cause), { cause, record: { key, value, headers } })
    }
  const sorted = [...records.values()].toSorted((a, b) => compareCauses(a.cause, b.cause))
  return sorted.map(({ record }) => (topic === topics.alert.name ? withoutInput(record) : record))
}

/** Samples stand where they stood; windows do not, so an alert may not say where its window is. */
function withoutInput({ key, value, headers = [] }: LogRecord): LogRecord {
  return { key, value, headers: headers.filter((header) => causeOf({ headers: [header] }) !== undefined) }
}

async function appendAll(
  log: EventLog,
  topic: string,
  partition: number,
  records: readonly LogRecord[],
): Promise<void> {
  let batch: LogRecord[] = []
  let sizeBytes = 0
  for (const record of records) {
    if (batch.length === BATCH_RECORDS || (batch.length > 0 && sizeBytes + record.value.length > BATCH_BYTES)) {
      await log.append(topic, partition, batch)
      batch = []
      sizeBytes = 0
    }
    batch.push(record)
    sizeBytes += record.key.length + record.value.length
  }
  if (batch.length > 0) await log.append(topic, partition, batch)
}
