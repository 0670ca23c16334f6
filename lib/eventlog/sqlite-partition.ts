import { type BatchSpan, CHUNK, type PartitionBounds, type StoredBatch, type StoredPartition } from './batch-store.ts'
import type { Offset } from './port.ts'
import type { SqliteFile } from './sqlite.ts'

const SPAN = 'base_offset AS baseOffset, last_offset AS lastOffset, appended_at_ms AS appendedAtMs'
/** From the batch that holds an offset, or the first behind it: partition, partition, offset, offset. */
const FROM_OFFSET = `
  FROM batches WHERE partition_id = ? AND base_offset >= coalesce(
    (SELECT base_offset FROM batches WHERE partition_id = ? AND base_offset <= ? ORDER BY base_offset DESC LIMIT 1), 0)
  AND last_offset >= ?`

/** One partition's rows. */
export class SqlitePartition implements StoredPartition {
  readonly #file: SqliteFile
  readonly #id: number

  constructor(file: SqliteFile, id: number) {
    this.#file = file
    this.#id = id
  }

  bounds(): PartitionBounds {
    const last = this.#file.get<BatchSpan>(
      `SELECT ${SPAN} FROM batches WHERE partition_id = ? ORDER BY base_offset DESC LIMIT 1`,
      this.#id,
    )
    const earliest = this.#number('earliest')
    return { earliest, end: last ? last.lastOffset + 1 : 0, lastAppendedAtMs: last?.appendedAtMs ?? 0 }
  }

  spanFrom(offset: Offset): BatchSpan | undefined {
    return this.#file.get<BatchSpan>(
      `SELECT ${SPAN} ${FROM_OFFSET} ORDER BY base_offset LIMIT 1`,
      this.#id,
      this.#id,
      offset,
      offset,
    )
  }

  batches(from: Offset, to: Offset): readonly StoredBatch[] {
    const chunk: StoredBatch[] = []
    let bytes = 0
    this.#file.takeWhile<BatchSpan & { bytes: Uint8Array }>(
      `SELECT ${SPAN}, bytes ${FROM_OFFSET} AND base_offset < ? ORDER BY base_offset LIMIT ?`,
      [this.#id, this.#id, from, from, to, CHUNK.batches],
      (row) => {
        chunk.push({ ...row, bytes: Buffer.from(row.bytes.buffer, row.bytes.byteOffset, row.bytes.byteLength) })
        bytes += row.bytes.byteLength
        return bytes < CHUNK.bytes
      },
    )
    return chunk
  }

  insert({ baseOffset, lastOffset, appendedAtMs, bytes }: StoredBatch): void {
    this.#file.run(
      'INSERT INTO batches (partition_id, base_offset, last_offset, appended_at_ms, bytes) VALUES (?, ?, ?, ?, ?)',
      this.#id,
      baseOffset,
      lastOffset,
      appendedAtMs,
      bytes,
    )
  }

  replace(baseOffset: Offset, bytes: Buffer): void {
    this.#file.run(
      'UPDATE batches SET bytes = ? WHERE partition_id = ? AND base_offset = ?',
      bytes,
      this.#id,
      baseOffset,
    )
  }

  remove(baseOffset: Offset): void {
    this.#file.run('DELETE FROM batches WHERE partition_id = ? AND base_offset = ?', this.#id, baseOffset)
  }

  setEarliest(offset: Offset): void {
    this.#file.run('UPDATE partitions SET earliest = ? WHERE id = ?', offset, this.#id)
  }

  compactedTo(): Offset {
    return this.#number('compacted_to')
  }

  setCompactedTo(offset: Offset): void {
    this.#file.run('UPDATE partitions SET compacted_to = ? WHERE id = ?', offset, this.#id)
  }

  #number(column: 'earliest' | 'compacted_to'): number {
    return this.#file.get<{ value: number }>(`SELECT ${column} AS value FROM partitions WHERE id = ?`, this.#id)!.value
  }
}
