import { type Cause, compareCauses, formatCause } from '#lib/cause.ts'
import type { TopicCodec } from '#lib/codec/avro.ts'
import { factJson } from '#lib/codec/fact-json.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import { causeOf } from '#lib/runtime/record-headers.ts'
import type { TopicDefinition } from '#lib/topics.ts'

export interface SeenFact {
  readonly key: string
  readonly cause: Cause
  readonly json: string
}

/** Every record of a derived topic's partition as it stands in the log, copies too. */
export async function recordsOf(
  log: EventLog,
  topic: TopicDefinition,
  codec: TopicCodec<object>,
  partition = 0,
): Promise<readonly SeenFact[]> {
  const { earliest, end } = (await log.offsets(topic.name))[partition]!
  const records: SeenFact[] = []
  for await (const batch of log.read(topic.name, partition, earliest, end))
    for (const record of batch.records()) {
      const json = JSON.stringify(factJson(codec.decode(record.value!)))
      records.push({ key: record.key.toString(), cause: causeOf(record)!, json })
    }
  return records
}

/** What a running reader sees: it drops a cause that is not newer than the newest it accepted. */
export function asFollower(records: readonly SeenFact[]): readonly string[] {
  let newest: Cause | null = null
  const seen: string[] = []
  for (const record of records) {
    if (newest !== null && compareCauses(record.cause, newest) <= 0) continue
    newest = record.cause
    seen.push(line(record))
  }
  return seen
}

/** What a reader beyond the compaction lag sees: a set, one per key, in order of causes. */
export function asSet(records: readonly SeenFact[]): readonly string[] {
  const byKey = new Map<string, SeenFact>()
  for (const record of records) {
    const first = byKey.get(record.key)
    if (first && first.json !== record.json)
      throw new Error(`${record.key} was said twice, differently: ${first.json} and ${record.json}`)
    if (!first) byKey.set(record.key, record)
  }
  return [...byKey.values()].toSorted((a, b) => compareCauses(a.cause, b.cause)).map(line)
}

const line = ({ key, cause, json }: SeenFact): string => `${formatCause(cause)} ${key} ${json}`
