import type { Instant } from '#lib/time.ts'
import type { PendingRow } from '../csv-backlog.ts'
import type { CsvCursor } from '../csv-cursor.ts'
import type { FileState } from './csv-file.ts'
import { fileState, isSameFile, isUnchanged } from './csv-file.ts'
import type { OpenCsvOptions, PlacedFault } from './open-csv.ts'
import { OpenCsv } from './open-csv.ts'
import { rotatedAway } from './rotated-csv.ts'

export interface CsvTailOptions extends OpenCsvOptions {
  /** How far the file has been published; `null`: not at all. */
  readonly cursor: CsvCursor | null
  /** Whether this file must not be read, because it is made from the log. Asked whenever one is opened. */
  readonly isRefused: (path: string) => Promise<boolean>
}

/**
 * Follows a csv file that another program appends to, and gives the rows of one source in order of time.
 *
 * First `refresh`; then `readMore` while `needsMore`, before each `take`. A file that is truncated, rewritten or replaced
 * is read from its beginning; one that is renamed away is read to its end first. It stays open, and is found by its content
 * when that happened while nobody read it.
 */
export class CsvTail {
  readonly source: string
  readonly path: string
  readonly #options: CsvTailOptions
  #current: OpenCsv | null = null
  #state: FileState | null = null
  /** Another file stands at the path; it is opened when the rows of this one have been taken. */
  #isReplaced = false
  /** Where to go on when the file has to be opened again. */
  #resumeAt: CsvCursor | null
  #trouble: string | null = null

  constructor(options: CsvTailOptions) {
    this.#options = options
    this.source = options.source
    this.path = options.path
    this.#resumeAt = options.cursor
  }

  get needsMore(): boolean {
    return this.#current !== null && (this.#current.needsMore || (this.#isReplaced && this.#current.isDone))
  }

  /** Looks what has happened to the file. Trouble is reported once and is no error: the file may come, or come back. */
  async refresh(): Promise<void> {
    await this.#attempt(async () => {
      const state = await fileState(this.#options.path)
      if (state === null && this.#current === null && !(await this.#openRotated()))
        throw new Error('there is no such file yet')
      if (this.#current && state && this.#state && isUnchanged(state, this.#state)) return
      if (this.#current === null) await this.#openFirst()
      else if (state && this.#state && isSameFile(state, this.#state)) await this.#lookInside(this.#current)
      else this.#isReplaced = state !== null
      this.#current?.mayHaveGrown()
      if (!this.#isReplaced && state) this.#state = state
    })
  }

  async readMore(): Promise<void> {
    const current = this.#current!
    await this.#attempt(
      () => (current.needsMore ? current.readMore() : this.#openNext()),
      () => this.close(),
    )
  }

  /** Takes the earliest row that is earlier than `before`. */
  take(before: Instant): PendingRow | undefined {
    return this.#current?.take(before)
  }

  /** Where a restart goes on when all rows taken so far are in the log; `null`: at the beginning. */
  async cursor(): Promise<CsvCursor | null> {
    await this.#attempt(async () => {
      if (this.#current) this.#resumeAt = await this.#current.cursor()
    })
    return this.#resumeAt
  }

  async close(): Promise<void> {
    const current = this.#current
    this.#current = null
    await current?.close()
  }

  async #lookInside(current: OpenCsv): Promise<void> {
    if (await current.isIntact()) return
    await this.close()
    this.#resumeAt = null
    await this.#open()
  }

  async #openNext(): Promise<void> {
    this.#isReplaced = false
    this.#current!.reportUnfinishedLine()
    this.#resumeAt = await this.#current!.cursor()
    await this.close()
    this.#state = await fileState(this.#options.path)
    await this.#open()
  }

  async #open(): Promise<void> {
    const { path, isRefused } = this.#options
    if (await isRefused(path))
      throw new Error('obstream itself writes this file from the log; name the file of the program that measures')
    this.#current = await OpenCsv.open(this.#options, this.#resumeAt)
  }

  /** After a restart the file that was read may have been rotated away. */
  async #openFirst(): Promise<void> {
    if (await this.#openRotated()) {
      this.#isReplaced = true
      return
    }
    await this.#open()
    if (this.#resumeAt && !this.#current!.isResumed) this.#reportLost(this.#resumeAt)
  }

  /** Opens the file with the rows that are left from before the one at the path. @returns whether there is one */
  async #openRotated(): Promise<boolean> {
    const { path, isRefused, report } = this.#options
    const rotated = this.#resumeAt && (await rotatedAway(path, this.#resumeAt))
    if (!rotated || (await isRefused(rotated))) return false
    const reportIn = (fault: PlacedFault): void => report({ ...fault, message: `as ${rotated}: ${fault.message}` })
    this.#current = await OpenCsv.open({ ...this.#options, path: rotated, report: reportIn }, this.#resumeAt)
    return true
  }

  #reportLost({ line, offset }: CsvCursor): void {
    const message = `this is not the file that was read up to line ${line}, and no file beside it is; if rows were appended to that one since, they are not in the log`
    this.#options.report({ line: null, column: null, offset, message })
  }

  /** A file that cannot be read must not keep the ticks from being written: it shows as missing samples, and here. */
  async #attempt(action: () => Promise<void>, afterFailure?: () => Promise<void>): Promise<void> {
    try {
      await action()
      this.#trouble = null
    } catch (error) {
      const { message } = error as Error
      if (message !== this.#trouble) this.#options.report({ line: null, column: null, offset: 0, message })
      this.#trouble = message
      await afterFailure?.()
    }
  }
}
