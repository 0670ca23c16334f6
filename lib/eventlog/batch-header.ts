import { crc32c } from '@node-rs/crc32'
import { ObstreamError } from '#lib/errors.ts'
import type { Offset } from './port.ts'

/** Positions of the fields of Kafka's record batch header, format version 2. The CRC32C covers `attributes` and all behind. */
export const field = {
  baseOffset: 0,
  batchLength: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  recordCount: 57,
  records: 61,
} as const

export const MAGIC = 2

/** Bits of `attributes`. */
export const attribute = { compression: 0x07, logAppendTime: 0x08, control: 0x20 } as const

/** The header fields of a batch that a client without producer id sets; base offset and time come with its place. */
export interface HeaderCounts {
  readonly attributes: number
  readonly lastOffsetDelta: number
  readonly recordCount: number
}

/** Writes everything but base offset, times and CRC32C. `bytes` has its final length. */
export function writeHeader(bytes: Buffer, counts: HeaderCounts): void {
  writeLength(bytes)
  bytes.writeInt32BE(-1, field.leaderEpoch)
  bytes.writeInt8(MAGIC, field.magic)
  bytes.writeInt16BE(counts.attributes, field.attributes)
  bytes.writeInt32BE(counts.lastOffsetDelta, field.lastOffsetDelta)
  writeInt64(bytes, field.producerId, -1)
  bytes.writeInt16BE(-1, field.producerEpoch)
  bytes.writeInt32BE(-1, field.baseSequence)
  bytes.writeInt32BE(counts.recordCount, field.recordCount)
}

/** Writes the length of the batch from that of `bytes`. */
export function writeLength(bytes: Buffer): void {
  bytes.writeInt32BE(bytes.length - field.leaderEpoch, field.batchLength)
}

/** Writes the CRC32C. */
export function seal(bytes: Buffer): void {
  bytes.writeUInt32BE(crc32c(bytes.subarray(field.attributes)), field.crc)
}

/** What is wrong with a header, length and CRC32C among it; `undefined`: nothing. */
export function headerFault(bytes: Buffer): string | undefined {
  if (bytes.length < field.records) return `${bytes.length} bytes are too few for a batch`
  const length = bytes.readInt32BE(field.batchLength) + field.leaderEpoch
  if (length !== bytes.length) return `it says that it has ${length} bytes, but there are ${bytes.length}`
  const magic = bytes.readInt8(field.magic)
  if (magic !== MAGIC) return `its format is version ${magic}, not ${MAGIC}`
  const written = bytes.readUInt32BE(field.crc)
  const actual = crc32c(bytes.subarray(field.attributes))
  if (written !== actual) return `its CRC32C is ${hex(actual)}, but ${hex(written)} is written in it`
  return countsFault(bytes)
}

function countsFault(bytes: Buffer): string | undefined {
  const baseOffset = readInt64(bytes, field.baseOffset)
  const lastOffsetDelta = bytes.readInt32BE(field.lastOffsetDelta)
  const recordCount = bytes.readInt32BE(field.recordCount)
  if (lastOffsetDelta < 0 || recordCount < 0 || recordCount > lastOffsetDelta + 1)
    return `it says that it has ${recordCount} records in ${lastOffsetDelta + 1} offsets`
  if (baseOffset < 0 || !Number.isSafeInteger(baseOffset + lastOffsetDelta))
    return `offset ${baseOffset} is beyond 2^53`
  if (!Number.isSafeInteger(readInt64(bytes, field.maxTimestamp))) return 'its time is beyond 2^53'
  return undefined
}

/** Not exact beyond 2^53, where `Number.isSafeInteger` says no. */
export function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4)
}

export function writeInt64(bytes: Buffer, at: number, value: number): void {
  bytes.writeInt32BE(Math.floor(value / 2 ** 32), at)
  bytes.writeUInt32BE(value >>> 0, at + 4)
}

function hex(crc: number): string {
  return `0x${crc.toString(16).padStart(8, '0')}`
}

/** @param place where the batch was read, e.g. `obs.sample.v1/0` */
export function corruptBatch(
  place: string,
  baseOffset: Offset | string,
  fault: string,
  cause?: unknown,
): ObstreamError {
  return new ObstreamError(
    'OBS_LOG_CORRUPT',
    `${place}: the batch at offset ${baseOffset} is damaged: ${fault}. Restore the log from a backup.`,
    { cause },
  )
}
