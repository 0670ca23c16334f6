import type { EventLog, PartitionOffsets } from '#lib/eventlog/port.ts'
import type { BatchRecord } from '#lib/eventlog/record-batch.ts'
import type { TopicDefinition } from '#lib/topics.ts'

/** Every kept record of a topic, one partition after the other, each in order. */
export async function* recordsIn(
  log: EventLog,
  { name }: TopicDefinition,
): AsyncGenerator<{ readonly partition: number; readonly record: BatchRecord }> {
  for (const place of await log.offsets(name))
    for await (const record of recordsOf(log, name, place)) yield { partition: place.partition, record }
}

/** Every kept record of one partition, in order. */
export async function* recordsOf(
  log: EventLog,
  topic: string,
  { partition, earliest, end }: PartitionOffsets,
): AsyncGenerator<BatchRecord> {
  for await (const batch of log.read(topic, partition, earliest, end)) yield* batch.records()
}
