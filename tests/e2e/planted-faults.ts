import { copyFileSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { LogRecord } from '#lib/eventlog/port.ts'
import {
  type BatchRecord,
  decodeBatch,
  encodeBatch,
  type RecordBatch,
  retainRecords,
} from '#lib/eventlog/record-batch.ts'
import type { TopicDefinition } from '#lib/topics.ts'

/** A copy of a log that no process has open, in a folder of its own. */
export function copyOf(logPath: string): string {
  const copy = join(mkdtempSync(join(tmpdir(), 'obstream-planted-')), 'obstream.db')
  copyFileSync(logPath, copy)
  return copy
}

interface Row {
  readonly id: number
  readonly partition: number
  readonly bytes: Uint8Array
}

function batchesOf(database: DatabaseSync, topic: TopicDefinition): readonly Row[] {
  const rows = database
    .prepare(
      `SELECT b.id, p.number AS partition, b.bytes FROM batches b JOIN partitions p ON p.id = b.partition_id
       WHERE p.topic = ? ORDER BY p.number, b.base_offset`,
    )
    .all(topic.name)
  return rows as unknown as Row[]
}

function change(logPath: string, how: (database: DatabaseSync) => void): void {
  const database = new DatabaseSync(logPath)
  try {
    how(database)
  } finally {
    database.close()
  }
}

/**
 * Rewrites the first batch of a topic that `changed` gives other bytes for, behind the product's back: offsets and times
 * stay.
 *
 * @throws Error when no batch was changed
 */
function rewrite(logPath: string, topic: TopicDefinition, changed: (bytes: Buffer) => Buffer | undefined): void {
  change(logPath, (database) => {
    for (const { id, bytes } of batchesOf(database, topic)) {
      const other = changed(Buffer.from(bytes))
      if (!other) continue
      database.prepare('UPDATE batches SET bytes = ? WHERE id = ?').run(other, id)
      return
    }
    throw new Error(`no record of ${topic.name} could be changed`)
  })
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

/** Gives the first record for which `changed` has another value that value. */
export function changeValue(
  logPath: string,
  topic: TopicDefinition,
  changed: (record: BatchRecord) => Buffer | undefined,
): void {
  rewrite(logPath, topic, (bytes) => {
    const batch = decodeBatch(bytes)
    let isChanged = false
    const records: LogRecord[] = []
    for (const record of batch.records()) {
      const value: Buffer | undefined = isChanged ? undefined : changed(record)
      isChanged ||= value !== undefined
      records.push({ key: record.key, value: value ?? record.value!, headers: record.headers })
    }
    const { baseOffset, appendedAtMs } = batch
    return isChanged ? encodeBatch(records, { baseOffset, appendedAtMs }) : undefined
  })
}

/** Lets the first two batches of a partition change places. @throws Error when no partition of the topic has two */
export function reorderBatches(logPath: string, topic: TopicDefinition): void {
  change(logPath, (database) => {
    const rows = batchesOf(database, topic)
    const at = rows.findIndex(({ partition }, i) => rows[i + 1]?.partition === partition)
    if (at < 0) throw new Error(`no partition of ${topic.name} holds two batches`)
    const [first, second] = [rows[at]!, rows[at + 1]!].map(({ bytes }) => decodeBatch(Buffer.from(bytes)))
    const before = first!.baseOffset
    const behind = before + second!.recordCount
    put(database, rows[at + 1]!.id, movedTo(behind, first!))
    put(database, rows[at]!.id, movedTo(before, second!))
  })
}

function put(database: DatabaseSync, id: number, bytes: Buffer): void {
  const { baseOffset, lastOffset } = decodeBatch(bytes)
  database
    .prepare('UPDATE batches SET bytes = ?, base_offset = ?, last_offset = ? WHERE id = ?')
    .run(bytes, baseOffset, lastOffset, id)
}

function movedTo(baseOffset: number, batch: RecordBatch): Buffer {
  const records = [...batch.records()].map(({ key, value, headers }) => ({ key, value: value!, headers }))
  return encodeBatch(records, { baseOffset, appendedAtMs: batch.appendedAtMs })
}

/** Nobody has ever committed anything. */
export function loseCommits(logPath: string): void {
  change(logPath, (database) => database.exec('DELETE FROM commits'))
}
