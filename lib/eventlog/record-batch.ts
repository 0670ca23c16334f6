import type { Instant } from '#lib/time.ts'
import {
  attribute,
  corruptBatch,
  field,
  headerFault,
  readInt64,
  seal,
  writeHeader,
  writeInt64,
  writeLength,
} from './batch-header.ts'
import { type Compression, compress, compressionCodes, decompress } from './compression.ts'
import type { LogRecord, Offset, RecordHeader } from './port.ts'
import { type ReadableBatch, RecordReader, SMALLEST_RECORD_BYTES } from './record-reader.ts'
import { varintBytes, writeVarint } from './varint.ts'

/**
 * Kafka's record batch, format version 2 (magic 2): what a log stores and hands out, byte for byte as Kafka does.
 *
 * Base offset and leader epoch lie outside of the CRC32C: the log that takes a batch sets them.
 */
export interface RecordBatch {
  readonly baseOffset: Offset
  /** Offset of the last record that the batch was appended with; compaction may have removed it. */
  readonly lastOffset: Offset
  /** Records that are there. 0 for a batch that compaction emptied and for Kafka's own control batches. */
  readonly recordCount: number
  /** When the log took it: the batch's largest timestamp. */
  readonly appendedAtMs: Instant
  /** The whole batch. Not to be changed. */
  readonly bytes: Buffer
  /**
   * The records section, unpacked: `recordCount` records of Kafka's format, for readers that work on columns.
   *
   * @throws OBS_LOG_CORRUPT when it cannot be unpacked
   */
  payload(): Buffer
  /**
   * The records in order of offset, read one by one as they are asked for.
   *
   * @throws OBS_LOG_CORRUPT (each step) when the bytes are no records, although the CRC32C is right
   */
  records(): Iterable<BatchRecord>
}

/** A view of one record. Each access to a field cuts it out anew; its bytes are the batch's. */
export interface BatchRecord {
  readonly offset: Offset
  /** Empty also where Kafka has null. */
  readonly key: Buffer
  /** `null` was written by a stranger: nothing of obstream appends such a record. It is one for the dead letters. */
  readonly value: Buffer | null
  /** Values are empty also where Kafka has null. @throws OBS_LOG_CORRUPT */
  readonly headers: readonly RecordHeader[]
}

/** Where and when a log takes a batch. */
export interface BatchPlace {
  readonly baseOffset: Offset
  readonly appendedAtMs: Instant
}

export interface EncodeOptions extends BatchPlace {
  /** Default `none`. */
  readonly compression?: Compression
  /** Who gives the batch its time: the log (default), or the producer for a log that puts its own in place of it. */
  readonly stampedBy?: 'log' | 'producer'
}

/**
 * Writes records as one batch.
 *
 * @param records at least one; the first gets `baseOffset`, the others follow without holes
 * @throws RangeError without a record
 */
export function encodeBatch(records: readonly LogRecord[], options: EncodeOptions): Buffer {
  if (records.length === 0) throw new RangeError('a batch needs at least one record')
  const compression = options.compression ?? 'none'
  const plain = encodeRecords(records)
  const bytes =
    compression === 'none'
      ? plain
      : Buffer.concat([plain.subarray(0, field.records), compress(plain.subarray(field.records), compression)])
  writeHeader(bytes, {
    attributes: compressionCodes[compression] | (options.stampedBy === 'producer' ? 0 : attribute.logAppendTime),
    lastOffsetDelta: records.length - 1,
    recordCount: records.length,
  })
  writeInt64(bytes, field.baseOffset, options.baseOffset)
  writeInt64(bytes, field.baseTimestamp, options.appendedAtMs)
  writeInt64(bytes, field.maxTimestamp, options.appendedAtMs)
  seal(bytes)
  return bytes
}

/** Room for the header, then the records. */
function encodeRecords(records: readonly LogRecord[]): Buffer {
  const sizes = new Float64Array(records.length)
  let total: number = field.records
  for (let i = 0; i < records.length; i++) {
    const size = recordBytes(records[i]!, i)
    sizes[i] = size
    total += varintBytes(size) + size
  }
  const bytes = Buffer.allocUnsafe(total)
  let at: number = field.records
  for (let i = 0; i < records.length; i++) at = writeRecord(bytes, writeVarint(bytes, at, sizes[i]!), records[i]!, i)
  return bytes
}

/** Size of a record without the length in front of it. */
function recordBytes(record: LogRecord, offsetDelta: number): number {
  const { key, value, headers } = record
  let size =
    2 + varintBytes(offsetDelta) + varintBytes(key.length) + key.length + varintBytes(value.length) + value.length
  if (headers === undefined) return size + 1
  size += varintBytes(headers.length)
  for (const header of headers) {
    const nameBytes = Buffer.byteLength(header.name)
    size += varintBytes(nameBytes) + nameBytes + varintBytes(header.value.length) + header.value.length
  }
  return size
}

function writeRecord(bytes: Buffer, start: number, record: LogRecord, offsetDelta: number): number {
  bytes[start] = 0 // attributes
  bytes[start + 1] = 0 // timestamp: that of the batch
  let at = writeVarint(bytes, start + 2, offsetDelta)
  at = writeBytes(bytes, at, record.key)
  at = writeBytes(bytes, at, record.value)
  const headers = record.headers ?? []
  at = writeVarint(bytes, at, headers.length)
  for (const header of headers) {
    at = writeBytes(bytes, at, Buffer.from(header.name))
    at = writeBytes(bytes, at, header.value)
  }
  return at
}

/** Below this a loop is faster than a call into V8. */
const SHORT_BYTES = 48

function writeBytes(bytes: Buffer, start: number, content: Uint8Array): number {
  const at = writeVarint(bytes, start, content.length)
  if (content.length < SHORT_BYTES) for (let i = 0; i < content.length; i++) bytes[at + i] = content[i]!
  else bytes.set(content, at)
  return at + content.length
}

/** Gives an encoded batch its place, as a log does at the moment it takes it. Changes `bytes`. */
export function placeBatch(bytes: Buffer, place: BatchPlace): void {
  writeInt64(bytes, field.baseOffset, place.baseOffset)
  if (readInt64(bytes, field.maxTimestamp) === place.appendedAtMs) return
  writeInt64(bytes, field.maxTimestamp, place.appendedAtMs)
  seal(bytes)
}

/**
 * The batch without the records that `keep` refuses, as compaction leaves it: first and last offset and the time stay,
 * compression does not.
 *
 * @returns `undefined` when every record stays
 * @throws OBS_LOG_CORRUPT
 */
export function retainRecords(
  source: Buffer,
  place: string,
  keep: (record: BatchRecord) => boolean,
): Buffer | undefined {
  const batch = checkedBatch(source, place)
  const payload = batch.payload()
  const kept: Buffer[] = [source.subarray(0, field.records)]
  let removed = 0
  const reader = new RecordReader(batch)
  for (let start = 0, next = reader.next(); !next.done; start = reader.at, next = reader.next()) {
    if (keep(next.value)) kept.push(payload.subarray(start, reader.at))
    else removed++
  }
  if (removed === 0) return undefined
  const bytes = Buffer.concat(kept)
  writeLength(bytes)
  bytes.writeInt16BE(bytes.readInt16BE(field.attributes) & ~attribute.compression, field.attributes)
  bytes.writeInt32BE(batch.recordCount - removed, field.recordCount)
  seal(bytes)
  return bytes
}

/**
 * Checks length, format version, counts and CRC32C. Bytes are shared with the result; records are read as they are asked
 * for.
 *
 * @param bytes exactly one batch
 * @param place where it was read, for the message of an error, e.g. `obs.sample.v1/0`
 * @throws OBS_LOG_CORRUPT
 */
export function decodeBatch(bytes: Uint8Array, place = 'record batch'): RecordBatch {
  return checkedBatch(
    Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    place,
  )
}

function checkedBatch(bytes: Buffer, place: string): EncodedBatch {
  const fault = headerFault(bytes)
  if (fault !== undefined)
    throw corruptBatch(place, bytes.length < field.records ? '?' : readInt64(bytes, field.baseOffset), fault)
  return new EncodedBatch(bytes, place)
}

const NO_RECORDS = Buffer.alloc(0)

class EncodedBatch implements ReadableBatch {
  readonly bytes: Buffer
  readonly baseOffset: Offset
  readonly lastOffset: Offset
  readonly recordCount: number
  readonly #place: string
  #payload: Buffer | undefined

  constructor(bytes: Buffer, place: string) {
    this.bytes = bytes
    this.#place = place
    this.baseOffset = readInt64(bytes, field.baseOffset)
    this.lastOffset = this.baseOffset + bytes.readInt32BE(field.lastOffsetDelta)
    const isControl = (bytes.readInt16BE(field.attributes) & attribute.control) !== 0
    this.recordCount = isControl ? 0 : bytes.readInt32BE(field.recordCount)
  }

  get appendedAtMs(): Instant {
    return readInt64(this.bytes, field.maxTimestamp)
  }

  payload(): Buffer {
    this.#payload ??= this.recordCount === 0 ? NO_RECORDS : this.#unpack()
    return this.#payload
  }

  #unpack(): Buffer {
    try {
      const payload = decompress(
        this.bytes.subarray(field.records),
        this.bytes.readInt16BE(field.attributes) & attribute.compression,
      )
      if (this.recordCount * SMALLEST_RECORD_BYTES > payload.length)
        throw new RangeError(`${payload.length} bytes cannot hold ${this.recordCount} records`)
      return payload
    } catch (error) {
      throw this.corrupt(error)
    }
  }

  records(): Iterable<BatchRecord> {
    return { [Symbol.iterator]: () => new RecordReader(this) }
  }

  corrupt(fault: unknown): unknown {
    return fault instanceof RangeError ? corruptBatch(this.#place, this.baseOffset, fault.message, fault) : fault
  }
}
