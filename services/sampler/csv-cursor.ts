import type { RecordHeader } from '#lib/eventlog/port.ts'
import type { Instant } from '#lib/time.ts'

/**
 * How far a csv file has been published: every row of the source before `offset` is in the log. Rows behind it may be
 * there too; publishing one again is harmless.
 *
 * A cursor is a position, so it stands in record headers only.
 */
export interface CsvCursor {
  /** In bytes; the start of a line. */
  readonly offset: number
  /** Lines before `offset`. */
  readonly line: number
  /** Tells the file's content before `offset` from any other (see `fingerprint`). */
  readonly print: string
  /** `null`: no row of the source lies before `offset`. */
  readonly newest: NewestRows | null
}

/** The latest instant among rows of one source, and how many have it. */
export interface NewestRows {
  readonly at: Instant
  readonly count: number
}

const HEADER = 'obs-csv-cursor'

/** The header of a record after which the rows before the cursor are in the log. */
export function cursorHeader(source: string, cursor: CsvCursor): RecordHeader {
  const { offset, line, print, newest } = cursor
  return { name: HEADER, value: Buffer.from(JSON.stringify({ source, offset, line, print, newest })) }
}

/** The cursors that a record carries, by source. A header that cannot be read is left out: that file is read again. */
export function* cursorsIn(headers: readonly RecordHeader[]): Generator<readonly [source: string, cursor: CsvCursor]> {
  for (const { name, value } of headers) {
    if (name !== HEADER) continue
    const parsed = parseCursor(Buffer.from(value).toString('utf8'))
    if (parsed) yield parsed
  }
}

function parseCursor(text: string): readonly [string, CsvCursor] | undefined {
  try {
    const { source, offset, line, print, newest } = JSON.parse(text) as Record<string, unknown>
    if (typeof source !== 'string' || typeof print !== 'string' || !isCount(offset) || !isCount(line)) return undefined
    if (newest !== null && !isNewest(newest)) return undefined
    return [source, { offset, line, print, newest: newest && { at: newest.at, count: newest.count } }]
  } catch {
    return undefined
  }
}

function isNewest(value: unknown): value is NewestRows {
  const { at, count } = Object(value) as Partial<NewestRows>
  return Number.isSafeInteger(at) && isCount(count)
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
