import type { RecordHeader } from './port.ts'
import type { BatchRecord, RecordBatch } from './record-batch.ts'
import { ByteCursor } from './varint.ts'

/** Length, attributes, timestamp, offset, key length, value length, number of headers: a byte each. */
export const SMALLEST_RECORD_BYTES = 7

const EMPTY = Buffer.alloc(0)
const NO_HEADERS: readonly RecordHeader[] = []

/** What a reader must know of its batch. */
export interface ReadableBatch extends RecordBatch {
  /** Turns the RangeError of a reader that met bytes that are no records into OBS_LOG_CORRUPT; other errors stay. */
  corrupt(fault: unknown): unknown
}

/** One pass over the records of a batch; every length and offset is checked before it is used. */
export class RecordReader implements Iterator<BatchRecord, undefined> {
  readonly #batch: ReadableBatch
  readonly #cursor: ByteCursor
  readonly #baseOffset: number
  readonly #lastOffset: number
  #left: number
  #nextOffset: number

  constructor(batch: ReadableBatch) {
    this.#batch = batch
    this.#cursor = new ByteCursor(batch.payload())
    this.#baseOffset = batch.baseOffset
    this.#lastOffset = batch.lastOffset
    this.#left = batch.recordCount
    this.#nextOffset = batch.baseOffset
  }

  /** Position in the payload, behind the record read last. */
  get at(): number {
    return this.#cursor.at
  }

  next(): IteratorResult<BatchRecord, undefined> {
    try {
      if (this.#left > 0) return { done: false, value: this.#read() }
      if (this.#cursor.at !== this.#cursor.bytes.length) throw new RangeError('bytes remain behind its last record')
      return { done: true, value: undefined }
    } catch (error) {
      throw this.#batch.corrupt(error)
    }
  }

  #read(): BatchRecord {
    const cursor = this.#cursor
    const length = cursor.readVarint()
    const end = cursor.at + length
    if (length < SMALLEST_RECORD_BYTES - 1 || end > cursor.bytes.length)
      throw new RangeError(`a record of ${length} bytes`)
    cursor.at++ // Attributes: Kafka uses none so far.
    cursor.readVarint() // Own timestamp: the batch's append time counts.
    const offset = this.#baseOffset + cursor.readVarint()
    if (!(offset >= this.#nextOffset && offset <= this.#lastOffset))
      throw new RangeError(`offset ${offset} is out of order`)
    const keyBytes = readLength(cursor, end)
    const keyEnd = cursor.at + Math.max(keyBytes, 0)
    cursor.at = keyEnd
    const valueBytes = readLength(cursor, end)
    const valueEnd = cursor.at + Math.max(valueBytes, 0)
    if (valueEnd >= end) throw new RangeError(`the fields of record ${offset} are longer than the record`)
    cursor.at = end
    this.#left--
    this.#nextOffset = offset + 1
    return new EncodedRecord(this.#batch, { offset, keyBytes, keyEnd, valueBytes, valueEnd, end })
  }
}

/** Length of a key, value or header value: -1 is null. */
function readLength(cursor: ByteCursor, end: number): number {
  const length = cursor.readVarint()
  if (length < -1 || cursor.at + length > end)
    throw new RangeError(`a field of ${length} bytes in a record that ends before`)
  return length
}

/** Positions in the payload; lengths are -1 for null. */
interface Layout {
  readonly offset: number
  readonly keyBytes: number
  readonly keyEnd: number
  readonly valueBytes: number
  readonly valueEnd: number
  readonly end: number
}

class EncodedRecord implements BatchRecord {
  readonly #batch: ReadableBatch
  readonly #layout: Layout

  constructor(batch: ReadableBatch, layout: Layout) {
    this.#batch = batch
    this.#layout = layout
  }

  get offset(): number {
    return this.#layout.offset
  }

  get key(): Buffer {
    const { keyBytes, keyEnd } = this.#layout
    return keyBytes <= 0 ? EMPTY : this.#batch.payload().subarray(keyEnd - keyBytes, keyEnd)
  }

  get value(): Buffer | null {
    const { valueBytes, valueEnd } = this.#layout
    return valueBytes < 0 ? null : this.#batch.payload().subarray(valueEnd - valueBytes, valueEnd)
  }

  get headers(): readonly RecordHeader[] {
    const { valueEnd, end } = this.#layout
    const payload = this.#batch.payload()
    if (payload[valueEnd] === 0 && valueEnd + 1 === end) return NO_HEADERS
    try {
      return readHeaders(payload, valueEnd, end)
    } catch (error) {
      throw this.#batch.corrupt(error)
    }
  }
}

function readHeaders(payload: Buffer, start: number, end: number): readonly RecordHeader[] {
  const cursor = new ByteCursor(payload, start)
  const count = cursor.readVarint()
  if (count < 0 || count > end - start) throw new RangeError(`a record with ${count} headers`)
  const headers: RecordHeader[] = []
  for (let i = 0; i < count; i++)
    headers.push({ name: readBytes(cursor, end).toString('utf8'), value: readBytes(cursor, end) })
  if (cursor.at !== end) throw new RangeError('the headers of a record do not end with it')
  return headers
}

function readBytes(cursor: ByteCursor, end: number): Buffer {
  const length = readLength(cursor, end)
  if (length <= 0) return EMPTY
  const start = cursor.at
  cursor.at += length
  return (cursor.bytes as Buffer).subarray(start, cursor.at)
}
