import type { FileHandle } from 'node:fs/promises'
import { open } from 'node:fs/promises'
import { ObstreamError } from '#lib/errors.ts'
import { isId } from '#lib/keys.ts'
import type { Instant } from '#lib/time.ts'
import { formatInstantMs } from '#lib/time.ts'
import type { PendingRow } from '../csv-backlog.ts'
import { CsvBacklog } from '../csv-backlog.ts'
import type { CsvFault, CsvHeader } from '../csv-rows.ts'
import { MAX_LINE_BYTES, readHeader, readRow } from '../csv-rows.ts'
import { sampleOfRow } from '../sample.ts'
import type { FileLine } from './csv-lines.ts'
import { FILE_START, LineReader } from './csv-lines.ts'
import { LOOKAHEAD_ROWS } from './open-csv.ts'

/** A row of a file that holds several sources. Its ordinal is not known yet. */
export interface ScannedRow extends PendingRow {
  readonly source: string
}

export interface ScanOptions {
  readonly path: string
  /** Whose rows they are when the file has no column `source`; `null`: then the file is refused. */
  readonly source: string | null
  /** A later row cannot have happened. */
  readonly latestAt: Instant
  readonly onBytes?: (done: number, total: number) => void
}

/** So many faults are told at once. */
const FAULTS_TOLD = 20

/**
 * All rows of a csv file in order of time, rows of one instant in order of the file; twenty thousand are held and sorted.
 * The last line counts also without a line end, since nobody appends.
 *
 * @throws OBS_INPUT_MISSING · OBS_INPUT_INVALID with the first twenty faults, each with line and column, when the file has
 *   been read; for a row that stands too far behind later ones at once
 */
export async function* scanCsv(options: ScanOptions): AsyncGenerator<ScannedRow> {
  const file = await openToRead(options.path)
  try {
    yield* new CsvScan(file, options).rows()
  } finally {
    await file.close()
  }
}

async function openToRead(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r')
  } catch (error) {
    throw new ObstreamError('OBS_INPUT_MISSING', `${path} cannot be read: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

class CsvScan {
  readonly #file: FileHandle
  readonly #options: ScanOptions
  readonly #backlog = new CsvBacklog<ScannedRow>()
  readonly #faults: string[] = []
  #faultCount = 0
  #header: CsvHeader | null = null
  #yieldedAt: Instant = Number.NEGATIVE_INFINITY

  constructor(file: FileHandle, options: ScanOptions) {
    this.#file = file
    this.#options = options
  }

  async *rows(): AsyncGenerator<ScannedRow> {
    const { size } = await this.#file.stat()
    const reader = new LineReader(this.#file, FILE_START)
    for (let lines = await reader.next(); lines !== null; lines = await reader.next()) {
      this.#backlog.add([...this.#read(lines)])
      this.#options.onBytes?.(reader.place.offset, size)
      while (this.#backlog.size > LOOKAHEAD_ROWS) yield this.#next()!
    }
    const rest = reader.rest()
    if (rest) this.#backlog.add([...this.#read([rest])])
    this.#options.onBytes?.(size, size)
    if (!this.#header && this.#faultCount === 0)
      this.#add(1, { type: 'fault', column: null, message: 'the file is empty' })
    this.#throwFaults()
    for (let row = this.#next(); row; row = this.#next()) yield row
  }

  #next(): ScannedRow | undefined {
    const row = this.#backlog.take(Number.POSITIVE_INFINITY)
    if (row && row.sample.scheduledAt < this.#yieldedAt)
      throw new ObstreamError(
        'OBS_INPUT_INVALID',
        `${this.#options.path}:${row.place.line + 1}: ${formatInstantMs(row.sample.scheduledAt)} stands more than ${LOOKAHEAD_ROWS} rows behind later ones; sort the file by time and import it then`,
      )
    if (row) this.#yieldedAt = row.sample.scheduledAt
    return row
  }

  *#read(lines: readonly FileLine[]): Generator<ScannedRow> {
    for (const line of lines) {
      const row = line.line === 1 ? this.#readHeader(line) : this.#readRow(line)
      if (row && 'message' in row) this.#add(line.line, row)
      else if (row) yield row
    }
  }

  #readHeader(line: FileLine): CsvFault | undefined {
    const header = readHeader(line.bytes)
    if ('type' in header) return header
    this.#header = header
    if (header.columns.has('source') || this.#options.source !== null) return undefined
    return {
      type: 'fault',
      column: null,
      message: 'the file has no column source; say whose rows these are with --source',
    }
  }

  #readRow(line: FileLine): ScannedRow | CsvFault | undefined {
    if (!this.#header) return undefined
    if (line.isTooLong)
      return { type: 'fault', column: null, message: `the line is longer than ${MAX_LINE_BYTES} bytes` }
    const row = readRow(this.#header, line.bytes)
    if (row.type === 'nothing') return undefined
    if (row.type === 'fault') return row
    const source = row.source ?? this.#options.source
    if (source === null) return undefined
    if (!isId(source))
      return {
        type: 'fault',
        column: null,
        message: `${JSON.stringify(source)} is no id of a source: 1–64 letters, digits, _, . and -`,
      }
    if (row.scheduledAt > this.#options.latestAt)
      return { type: 'fault', column: null, message: `${formatInstantMs(row.scheduledAt)} lies in the future` }
    const place = { offset: line.offset, line: line.line - 1, newest: null }
    return { source, sample: sampleOfRow({ ...row, ordinal: 0 }), place }
  }

  #add(line: number, { column, message }: CsvFault): void {
    this.#faultCount++
    const place = column === null ? `${line}` : `${line}:${column}`
    if (this.#faultCount <= FAULTS_TOLD) this.#faults.push(`${this.#options.path}:${place}: ${message}`)
  }

  #throwFaults(): void {
    if (this.#faultCount === 0) return
    const more = this.#faultCount - this.#faults.length
    if (more > 0) this.#faults.push(`and ${more} more`)
    throw new ObstreamError('OBS_INPUT_INVALID', this.#faults.join('\n'))
  }
}
