import { crc32c } from '@node-rs/crc32'
import type { Cause } from '#lib/cause.ts'
import { formatCause, parseCause } from '#lib/cause.ts'
import type { LogRecord, Offset, RecordHeader } from '#lib/eventlog/port.ts'

/**
 * Headers hold places in the log, and nothing else does: what a key, a value or an artefact says never depends on them.
 *
 * - `obs-cause`: why the record exists, as `81.2` (see `lib/cause.ts`). On every record of a derived topic.
 * - `obs-input`: the record it was directly made from, as `offset:crc32c`, the checksum of its key and value in hex. A
 *   restart looks there whether its input is still the one its output was made from.
 */
const CAUSE = 'obs-cause'
const INPUT = 'obs-input'

export interface DirectInput {
  readonly offset: Offset
  /** Eight lower-case hex digits. */
  readonly crc: string
}

export function derivedHeaders(cause: Cause, input: DirectInput): readonly RecordHeader[] {
  return [
    { name: CAUSE, value: Buffer.from(formatCause(cause)) },
    { name: INPUT, value: Buffer.from(`${input.offset}:${input.crc}`) },
  ]
}

/** @returns `undefined` when there is no such header or it is no cause */
export function causeOf(record: Pick<LogRecord, 'headers'>): Cause | undefined {
  const text = headerText(record, CAUSE)
  return text === undefined ? undefined : parseCause(text)
}

const DIRECT_INPUT = /^(\d{1,15}):([0-9a-f]{8})$/

/** @returns `undefined` when there is no such header or it cannot be read */
export function directInputOf(record: Pick<LogRecord, 'headers'>): DirectInput | undefined {
  const match = DIRECT_INPUT.exec(headerText(record, INPUT) ?? '')
  return match ? { offset: Number(match[1]), crc: match[2]! } : undefined
}

/** CRC32C of key and value, eight lower-case hex digits. */
export function contentCrc(record: Pick<LogRecord, 'key' | 'value'>): string {
  return crc32c(Buffer.from(record.value), crc32c(Buffer.from(record.key)))
    .toString(16)
    .padStart(8, '0')
}

function headerText(record: Pick<LogRecord, 'headers'>, name: string): string | undefined {
  const header = record.headers?.find((candidate) => candidate.name === name)
  return header && Buffer.from(header.value).toString('latin1')
}
