import type { EventLog } from '#lib/eventlog/port.ts'

/** A record as one of several programs sees it. Each character of a text is one byte. */
export interface SeenRecord {
  readonly offset: number
  /** Of the append. */
  readonly timestampMs: number
  readonly key: string
  readonly value: string | null
  /** `name=value,name=value` */
  readonly headers: string
}

/** What a partition holds, as our own reader sees it. */
export async function seenByUs(log: EventLog, topic: string, partition: number): Promise<readonly SeenRecord[]> {
  const { earliest, end } = (await log.offsets(topic))[partition]!
  const seen: SeenRecord[] = []
  for await (const batch of log.read(topic, partition, earliest, end))
    for (const { offset, key, value, headers } of batch.records())
      seen.push({
        offset,
        timestampMs: batch.appendedAtMs,
        key: key.toString('latin1'),
        value: value?.toString('latin1') ?? null,
        headers: Buffer.from(headers.map((header) => `${header.name}=${header.value}`).join()).toString('latin1'),
      })
  return seen
}
