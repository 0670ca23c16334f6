import { isUtf8 } from 'node:buffer'
import { parse } from 'csv-parse/sync'
import type { Instant, Milliseconds } from '#lib/time.ts'
import { parseInstant } from '#lib/time.ts'

/**
 * Rows of latencies that another program has measured. A line is a row: quoted fields may hold commas and quotes, but no
 * line break, so one stray quote never swallows the rest of a file.
 *
 * Two formats, told apart by the header; columns in any order, others ignored:
 *
 * - `timestamp_utc, source, latency_ms`, optionally `status`
 * - `ts_emit, ts_ack, status`, optionally `source`: the latency is ack − emit
 */
export interface CsvHeader {
  readonly format: 'latency' | 'emit_ack'
  /** Place of each known column, from 0. */
  readonly columns: ReadonlyMap<Column, number>
  readonly columnCount: number
}

type Column = (typeof COLUMNS)[number]

const COLUMNS = ['timestamp_utc', 'source', 'latency_ms', 'status', 'ts_emit', 'ts_ack'] as const
const LATENCY_COLUMNS: readonly Column[] = ['timestamp_utc', 'source', 'latency_ms']
const EMIT_ACK_COLUMNS: readonly Column[] = ['ts_emit', 'ts_ack', 'status']

/** A row that can be used. */
export interface CsvRow {
  readonly type: 'row'
  /** `null`: the file has no such column; all its rows are of one source. */
  readonly source: string | null
  readonly scheduledAt: Instant
  /** `null` for an error. */
  readonly latencyMs: Milliseconds | null
  /** Why there is no latency: `status_` and the status as written, with `_` for unusual characters. */
  readonly errorCode: string | null
}

/** Why a line cannot be used. `column` counts from 1; `null`: the whole line. */
export interface CsvFault {
  readonly type: 'fault'
  readonly column: number | null
  readonly message: string
}

/** A line that says nothing: empty, or of another source than the wanted one. */
export interface CsvNothing {
  readonly type: 'nothing'
}

/** Longest line that is read, in bytes; a longer one is a fault and left out. */
export const MAX_LINE_BYTES = 65_536

const NOTHING: CsvNothing = { type: 'nothing' }
const MAX_LATENCY_MS = 2 ** 31 - 1
const MAX_SHOWN_CHARACTERS = 60
const MAX_STATUS_CHARACTERS = 48

/** Reads the first line; a byte order mark is left out. */
export function readHeader(bytes: Uint8Array): CsvHeader | CsvFault {
  const cells = readCells(bytes)
  if (!Array.isArray(cells)) return cells
  cells[0] = cells[0]!.replace(/^\ufeff/, '').trim()
  const columns = new Map<Column, number>()
  for (const [place, name] of cells.entries()) {
    const known = COLUMNS.find((column) => column === name)
    if (known && columns.has(known)) return fault(place + 1, `the column ${known} stands twice in the header`)
    if (known) columns.set(known, place)
  }
  const has = (wanted: readonly Column[]): boolean => wanted.every((column) => columns.has(column))
  if (has(LATENCY_COLUMNS)) return { format: 'latency', columns, columnCount: cells.length }
  if (has(EMIT_ACK_COLUMNS)) return { format: 'emit_ack', columns, columnCount: cells.length }
  const formats = `${LATENCY_COLUMNS.join(', ')} (and status), or ${EMIT_ACK_COLUMNS.join(', ')}`
  return fault(null, `the header ${shown(cells.join(','))} has not the needed columns: ${formats}`)
}

/**
 * Reads one line after the header.
 *
 * @param source the only source wanted; `undefined`: all
 */
export function readRow(header: CsvHeader, bytes: Uint8Array, source?: string): CsvRow | CsvFault | CsvNothing {
  if (bytes.length === 0) return NOTHING
  const cells = readCells(bytes)
  if (!Array.isArray(cells)) return cells
  if (cells.every((cell) => cell === '')) return NOTHING
  while (cells.length > header.columnCount && cells.at(-1) === '') cells.pop()
  if (cells.length !== header.columnCount)
    return fault(null, `the row has ${cells.length} columns, the header ${header.columnCount}`)
  const row: CellsOfRow = { cells, columns: header.columns }
  const named = cellOf(row, 'source')
  if (source !== undefined && named !== null && named !== source) return NOTHING
  if (named === '') return faultAt(row, 'source', 'is empty; write the id of the source')
  const measured = header.format === 'latency' ? readLatencyRow(row) : readEmitAckRow(row)
  return measured.type === 'fault' ? measured : { ...measured, source: named }
}

type Measured = Omit<CsvRow, 'source'> | CsvFault

function readLatencyRow(row: CellsOfRow): Measured {
  const at = parseTime(cellOf(row, 'timestamp_utc')!)
  if (!at) return notTime(row, 'timestamp_utc')
  const status = cellOf(row, 'status')
  if (status !== null && status !== '' && !isGood(status)) return failed(at.ms, status)
  const latencyMs = parseLatency(cellOf(row, 'latency_ms')!)
  if (latencyMs === undefined)
    return faultAt(
      row,
      'latency_ms',
      `is not a latency; write milliseconds from 0 to ${MAX_LATENCY_MS}, e.g. 12 or 12.5`,
    )
  return measured(at.ms, latencyMs)
}

function readEmitAckRow(row: CellsOfRow): Measured {
  const emit = parseTime(cellOf(row, 'ts_emit')!)
  if (!emit) return notTime(row, 'ts_emit')
  const status = cellOf(row, 'status')!
  if (status === '') return faultAt(row, 'status', 'is empty; write success, ok or what went wrong')
  if (!isGood(status)) return failed(emit.ms, status)
  const ack = parseTime(cellOf(row, 'ts_ack')!)
  if (!ack) return notTime(row, 'ts_ack')
  const latencyNs = (ack.ms - emit.ms) * NS_PER_MS + ack.restNs - emit.restNs
  const latencyMs = Math.floor((latencyNs + NS_PER_MS / 2) / NS_PER_MS)
  if (latencyNs < 0 || latencyMs > MAX_LATENCY_MS)
    return faultAt(row, 'ts_ack', `lies ${latencyNs < 0 ? 'before ts_emit' : 'more than 24 days after ts_emit'}`)
  return measured(emit.ms, latencyMs)
}

function measured(scheduledAt: Instant, latencyMs: Milliseconds): Measured {
  return { type: 'row', scheduledAt, latencyMs, errorCode: null }
}

function failed(scheduledAt: Instant, status: string): Measured {
  const plain = status.slice(0, MAX_STATUS_CHARACTERS).replaceAll(/[^\p{L}\p{N}_.-]/gu, '_')
  return { type: 'row', scheduledAt, latencyMs: null, errorCode: `status_${plain}` }
}

function isGood(status: string): boolean {
  return ['success', 'ok'].includes(status.toLowerCase())
}

const NS_PER_MS = 1_000_000
const FRACTION = /\.(\d{1,9})/

/** Whole milliseconds, and the nanoseconds beyond them. */
function parseTime(text: string): { readonly ms: Instant; readonly restNs: number } | undefined {
  const ms = parseInstant(text)
  if (ms === undefined) return undefined
  const digits = FRACTION.exec(text)?.[1] ?? ''
  return { ms, restNs: Number(digits.padEnd(9, '0').slice(3)) }
}

const LATENCY = /^(\d{1,10})(?:\.(\d+))?$/

/** By the digits as they stand there, so that 12.5 is 13 and 12.4999999999999999 is 12 on every machine. */
function parseLatency(text: string): Milliseconds | undefined {
  const match = LATENCY.exec(text)
  if (!match) return undefined
  const latencyMs = Number(match[1]) + ((match[2] ?? '0') >= '5' ? 1 : 0)
  return latencyMs <= MAX_LATENCY_MS ? latencyMs : undefined
}

interface CellsOfRow {
  readonly cells: readonly string[]
  readonly columns: ReadonlyMap<Column, number>
}

function cellOf({ cells, columns }: CellsOfRow, column: Column): string | null {
  const place = columns.get(column)
  return place === undefined ? null : cells[place]!
}

/** The trimmed cells of a line; at least one. */
function readCells(bytes: Uint8Array): string[] | CsvFault {
  if (!isUtf8(bytes)) {
    const at = firstInvalidByte(bytes)
    return fault(null, `byte ${at + 1} of the line (0x${bytes[at]!.toString(16)}) is no UTF-8; write the file as UTF-8`)
  }
  const line = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
  const nul = line.indexOf('\0')
  if (nul >= 0)
    return fault(null, `character ${nul + 1} of the line is NUL: the file is no text, or a writer left a hole in it`)
  if (!line.includes('"')) return line.split(',').map((cell) => cell.trim())
  try {
    const [cells] = parse(line, { relaxColumnCount: true, trim: true }) as string[][]
    return cells ?? ['']
  } catch {
    return fault(
      null,
      `the quotes of ${shown(line)} do not match; a quoted field ends on its line, a quote in it is doubled`,
    )
  }
}

/** Index of the first byte that belongs to no character. */
function firstInvalidByte(bytes: Uint8Array): number {
  let good = 0
  for (let bad = bytes.length; good < bad; ) {
    const middle = Math.ceil((good + bad) / 2)
    if (isPrefixOfUtf8(bytes.subarray(0, middle))) good = middle
    else bad = middle - 1
  }
  while (!isUtf8(bytes.subarray(0, good))) good--
  return good
}

/** Whether text could go on behind `bytes`: at most the last character is not complete. */
function isPrefixOfUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true })
    return true
  } catch {
    return false
  }
}

function notTime(row: CellsOfRow, column: Column): CsvFault {
  return faultAt(row, column, 'is no instant; write RFC 3339 with a zone, e.g. 2026-06-27T23:00:00.125Z')
}

function faultAt(row: CellsOfRow, column: Column, message: string): CsvFault {
  return fault(row.columns.get(column)! + 1, `${column} ${shown(cellOf(row, column)!)} ${message}`)
}

function fault(column: number | null, message: string): CsvFault {
  return { type: 'fault', column, message }
}

/** A value from data as messages show it: quoted, short, control characters escaped. */
function shown(text: string): string {
  return JSON.stringify(text.length > MAX_SHOWN_CHARACTERS ? `${text.slice(0, MAX_SHOWN_CHARACTERS)}…` : text)
}
