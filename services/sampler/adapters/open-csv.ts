import type { FileHandle } from 'node:fs/promises'
import { open } from 'node:fs/promises'
import type { Instant } from '#lib/time.ts'
import type { PendingRow } from '../csv-backlog.ts'
import { CsvBacklog } from '../csv-backlog.ts'
import type { CsvCursor } from '../csv-cursor.ts'
import { CsvOrdinals } from '../csv-ordinals.ts'
import type { CsvFault, CsvHeader, CsvRow } from '../csv-rows.ts'
import { MAX_LINE_BYTES, readHeader, readRow } from '../csv-rows.ts'
import { sampleOfRow } from '../sample.ts'
import { fingerprint } from './csv-file.ts'
import type { FileLine } from './csv-lines.ts'
import { FILE_START, LineReader } from './csv-lines.ts'

/**
 * So many rows are held and sorted by time. A row that stands behind more than half as many later ones is published,
 * too, but may come after a tick that it is older than.
 */
export const LOOKAHEAD_ROWS = 20_000

/** Where in a file something cannot be used. Lines and columns count from 1; `null`: the whole file, or line. */
export interface PlacedFault {
  readonly line: number | null
  readonly column: number | null
  /** Of the line's first byte, from 0. */
  readonly offset: number
  readonly message: string
}

export interface OpenCsvOptions {
  readonly path: string
  /** The only source whose rows are wanted. */
  readonly source: string
  readonly report: (fault: PlacedFault) => void
}

/** One opened csv file, as long as nothing but appending happens to it. Its rows have the same ids each time it is read. */
export class OpenCsv {
  readonly #options: OpenCsvOptions
  readonly #file: FileHandle
  readonly #backlog = new CsvBacklog()
  #lines: LineReader
  /** `null`: not read yet, or unusable. */
  #header: CsvHeader | null = null
  #ordinals = new CsvOrdinals(null)
  #isAtEnd = false
  #isResumed = false
  #print: string | null = null

  private constructor(file: FileHandle, options: OpenCsvOptions) {
    this.#file = file
    this.#options = options
    this.#lines = new LineReader(file, FILE_START)
  }

  /**
   * Opens a file where `cursor` says, or at its beginning when it is not the content that the cursor was taken of.
   *
   * @throws the system's error
   */
  static async open(options: OpenCsvOptions, cursor: CsvCursor | null): Promise<OpenCsv> {
    const file = await open(options.path, 'r')
    try {
      const opened = new OpenCsv(file, options)
      if (cursor && (await fingerprint(file, cursor.offset)) === cursor.print) await opened.#resume(cursor)
      return opened
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** Whether it holds what its cursor was taken of. */
  get isResumed(): boolean {
    return this.#isResumed
  }

  /** Whether there may be rows that should be known before the next one is taken. */
  get needsMore(): boolean {
    return !this.#isAtEnd && this.#backlog.size < LOOKAHEAD_ROWS / 2
  }

  /** Whether everything that the file held has been taken. */
  get isDone(): boolean {
    return this.#isAtEnd && this.#backlog.size === 0
  }

  /** Whether what has been read still stands in the file. */
  async isIntact(): Promise<boolean> {
    return this.#print === null || (await fingerprint(this.#file, this.#lines.place.offset)) === this.#print
  }

  /** There may be more in the file. */
  mayHaveGrown(): void {
    this.#isAtEnd = false
  }

  /** The writer has left this file; a line it has not completed will never be. */
  reportUnfinishedLine(): void {
    if (this.#lines.isWithinLine)
      this.#report(
        this.#lines.place.line + 1,
        this.#lines.place.offset,
        fault('the file was replaced before this line had its end; it is left out'),
      )
  }

  /** Reads a block. */
  async readMore(): Promise<void> {
    const lines = await this.#lines.next()
    this.#isAtEnd = lines === null
    this.#print = lines === null ? await fingerprint(this.#file, this.#lines.place.offset) : null
    if (lines !== null) await this.#add(lines)
  }

  /** Takes the earliest row that is earlier than `before`. */
  take(before: Instant): PendingRow | undefined {
    return this.#backlog.take(before)
  }

  /** Where a restart goes on when all rows taken so far are in the log; `null` when the file has lost its content. */
  async cursor(): Promise<CsvCursor | null> {
    const place = this.#backlog.firstInFile?.place ?? { ...this.#lines.place, newest: this.#ordinals.newest }
    const print = await fingerprint(this.#file, place.offset)
    return print === null ? null : { ...place, print }
  }

  async close(): Promise<void> {
    await this.#file.close()
  }

  async #resume(cursor: CsvCursor): Promise<void> {
    this.#isResumed = true
    let lines = await this.#lines.next()
    while (lines?.length === 0) lines = await this.#lines.next()
    if (lines) this.#readHeader(lines[0]!)
    this.#lines = new LineReader(this.#file, this.#header ? cursor : FILE_START)
    if (this.#header) this.#ordinals = new CsvOrdinals(cursor.newest)
  }

  async #add(lines: readonly FileLine[]): Promise<void> {
    const rows = [...this.#read(lines)]
    const pending: PendingRow[] = []
    for (const [i, { row, offset, line }] of rows.entries()) {
      const { newest } = this.#ordinals
      let ordinal = this.#ordinals.next(row.scheduledAt)
      if (ordinal === undefined) {
        this.#ordinals = await this.#countBefore(offset, new Set(rows.slice(i).map((later) => later.row.scheduledAt)))
        ordinal = this.#ordinals.next(row.scheduledAt)!
      }
      pending.push({ sample: sampleOfRow({ ...row, ordinal }), place: { offset, line: line - 1, newest } })
    }
    this.#backlog.add(pending)
  }

  *#read(
    lines: readonly FileLine[],
    report = this.#report,
  ): Generator<{ readonly row: CsvRow; readonly offset: number; readonly line: number }> {
    for (const line of lines) {
      if (line.line === 1) this.#readHeader(line)
      if (line.line === 1 || !this.#header) continue
      const row = line.isTooLong
        ? fault(`the line is longer than ${MAX_LINE_BYTES} bytes`)
        : readRow(this.#header, line.bytes, this.#options.source)
      if (row.type === 'row') yield { row, offset: line.offset, line: line.line }
      if (row.type === 'fault') report(line.line, line.offset, row)
    }
  }

  #readHeader(line: FileLine): void {
    const header = line.isTooLong ? fault(`the header is longer than ${MAX_LINE_BYTES} bytes`) : readHeader(line.bytes)
    if ('type' in header) this.#report(line.line, line.offset, header)
    else this.#header = header
  }

  /** Rare: a row is older than the latest hundred thousand instants, or the file was resumed just before it. */
  async #countBefore(offset: number, watched: ReadonlySet<Instant>): Promise<CsvOrdinals> {
    const ordinals = new CsvOrdinals(null, watched)
    const reader = new LineReader(this.#file, FILE_START, offset)
    for (let lines = await reader.next(); lines !== null; lines = await reader.next())
      for (const { row } of this.#read(lines, () => {})) ordinals.next(row.scheduledAt)
    return ordinals
  }

  readonly #report = (line: number, offset: number, { column, message }: CsvFault): void => {
    this.#options.report({ line, column, offset, message })
  }
}

function fault(message: string): CsvFault {
  return { type: 'fault', column: null, message }
}
