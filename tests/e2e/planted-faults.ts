import { copyFileSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { LogRecord } from '#lib/eventlog/port.ts'
import { type BatchRecord, decodeBatch, encodeBatch, retainRecords } from '#lib/eventlog/record-batch.ts'
import type { TopicDefinition } from '#lib/topics.ts'

/** A copy of a log that no process has open, in a folder of its own. */
export function copyOf(logPath: string): string {
  const copy = join(mkdtempSync(join(tmpdir(), 'obstream-planted-')), 'obstream.db')
  copyFileSync(logPath, copy)
  return copy
}

interface Row {
  readonly id: number
  readonly bytes: Uint8Array
}

/**
 * Rewrites the first batch of a topic that `change` gives other bytes for, behind the product's back: offsets and times
 * stay.
 *
 * @throws Error when no batch was changed
 */
function rewrite(logPath: string, topic: TopicDefinition, change: (bytes: Buffer) => Buffer | undefined): void {
  const database = new DatabaseSync(logPath)
  try {
    const rows = database
      .prepare(
        'SELECT b.id, b.bytes FROM batches b JOIN partitions p ON p.id = b.partition_id WHERE p.topic = ? ORDER BY base_offset',
      )
      .all(topic.name) as unknown as Row[]
    for (const { id, bytes } of rows) {
      const changed = change(Buffer.from(bytes))
      if (!changed) continue
      database.prepare('UPDATE batches SET bytes = ? WHERE id = ?').run(changed, id)
      return
    }
    throw new Error(`no record of ${topic.name} could be changed`)
  } finally {
    database.close()
  }
}

/** Takes the first record that `wanted` names out of the log; its offset stays empty. */
export function dropRecord(logPath: string, topic: TopicDefinition, wanted: (record: BatchRecord) => boolean): void {
  let isDropped = false
  rewrite(logPath, topic, (bytes) =>
    retainRecords(bytes, topic.name, (record) => {
      if (isDropped || !wanted(record)) return true
      isDropped = true
      return false
    }),
  )
}

/** Gives the first record for which `change` has another value that value. */
export function changeValue(
  logPath: string,
  topic: TopicDefinition,
  change: (record: BatchRecord) => Buffer | undefined,
): void {
  rewrite(logPath, topic, (bytes) => {
    const batch = decodeBatch(bytes)
    let isChanged = false
    const records: LogRecord[] = []
    for (const record of batch.records()) {
      const value: Buffer | undefined = isChanged ? undefined : change(record)
      isChanged ||= value !== undefined
      records.push({ key: record.key, value: value ?? record.value!, headers: record.headers })
    }
    const { baseOffset, appendedAtMs } = batch
    return isChanged ? encodeBatch(records, { baseOffset, appendedAtMs }) : undefined
  })
}
