import type { TopicCodec } from '#lib/codec/avro.ts'
import { sha256Hex } from '#lib/codec/sha256.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import type { SampleFact } from '#lib/facts.ts'
import { catalogue, topics } from '#lib/topics.ts'
import { CSV_SOURCE } from './desk.ts'
import { chain, type Evidence, type Mark } from './evidence.ts'
import type { Fault } from './fault.ts'
import type { ObservedRecord } from './observer.ts'
import { recordsIn } from './records-in.ts'
import type { Row } from './trading-system.ts'

/** What was in the log, or was seen in it, is there for ever, byte for byte in the same place. */
export async function checkRecords(
  log: EventLog,
  codec: TopicCodec<SampleFact>,
  { marks, observed, rows }: Evidence,
): Promise<readonly Fault[]> {
  return [
    ...(await checkMarks(log, marks)),
    ...(await checkObserved(log, observed)),
    ...(await checkRows(log, codec, rows)),
  ]
}

async function checkMarks(log: EventLog, marks: readonly Mark[]): Promise<readonly Fault[]> {
  const faults: Fault[] = []
  const hashes = new Map<string, string>()
  for (const place of new Set(marks.map(({ topic, partition }) => `${topic}/${partition}`))) {
    const [topic, partition] = place.split('/') as [string, string]
    for await (const { end, sha256 } of chain(log, topic, Number(partition))) hashes.set(`${place}@${end}`, sha256)
  }
  for (const [kill, { topic, partition, end, sha256 }] of marks.entries()) {
    const now = end === 0 ? '' : hashes.get(`${topic}/${partition}@${end}`)
    if (now !== sha256)
      faults.push({
        kind: 'record_lost',
        about: `${topic}/${partition} up to offset ${end} is not what it was at mark ${kill}`,
      })
  }
  return faults
}

async function checkObserved(log: EventLog, observed: readonly ObservedRecord[]): Promise<readonly Fault[]> {
  const faults: Fault[] = []
  for (const topic of catalogue) {
    const seenHere = observed.filter((record) => record.topic === topic.name)
    if (seenHere.length === 0) continue
    const records = new Map<string, string>()
    for await (const { partition, record } of recordsIn(log, topic))
      records.set(`${partition}/${record.offset}`, `${record.key} ${record.value && sha256Hex(record.value)}`)
    const keys = new Set<string>()
    for (const seen of seenHere) {
      const about = `${topic.name}/${seen.partition} ${seen.key} at offset ${seen.offset}`
      if (records.get(`${seen.partition}/${seen.offset}`) !== `${seen.key} ${seen.sha256}`)
        faults.push({ kind: 'record_lost', about: `somebody was told of ${about}, and it is not there` })
      if (topic.derived && keys.has(seen.key))
        faults.push({ kind: 'fact_doubled', about: `a reader took ${about} for the second time` })
      keys.add(seen.key)
    }
  }
  return faults
}

async function checkRows(
  log: EventLog,
  codec: TopicCodec<SampleFact>,
  rows: readonly Row[],
): Promise<readonly Fault[]> {
  const published = new Map<number, number | null>()
  for await (const { record } of recordsIn(log, topics.sample)) {
    const { key, value } = record
    if (key.toString() !== CSV_SOURCE || !value) continue
    const fact = codec.decode(value)
    if (fact.type === 'probe' && !published.has(fact.scheduledAt)) published.set(fact.scheduledAt, fact.latencyMs)
  }
  return rows
    .filter(({ at, latencyMs }) => published.get(at) !== latencyMs)
    .map(({ at, latencyMs }) => ({
      kind: 'row_lost',
      about: `the row ${new Date(at).toISOString()} with ${latencyMs} ms was published as ${published.get(at)} ms`,
    }))
}
