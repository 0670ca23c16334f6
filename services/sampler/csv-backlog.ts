import type { Probe } from '#lib/facts.ts'
import type { Instant } from '#lib/time.ts'
import type { CsvCursor } from './csv-cursor.ts'

/** A row that has been read and not yet published. */
export interface PendingRow {
  readonly sample: Probe
  /** Before this row. */
  readonly place: Omit<CsvCursor, 'print'>
}

/**
 * Rows between the file, which may have any order, and the log, where they stand in order of time; rows of one instant
 * keep the file's order.
 */
export class CsvBacklog<Row extends PendingRow = PendingRow> {
  #rows: readonly Row[] = []
  /** For each row, the one that stands first in the file among it and those after it. */
  #firstInFile: readonly Row[] = []
  #taken = 0

  get size(): number {
    return this.#rows.length - this.#taken
  }

  /** Adds rows that stand in the file behind all that were added before. */
  add(rows: readonly Row[]): void {
    if (rows.length === 0) return
    // Two sorted stretches mostly: the sort finds them and merges.
    this.#rows = [...this.#rows.slice(this.#taken), ...rows].sort(byTime)
    this.#taken = 0
    const firstInFile = [...this.#rows]
    for (let i = firstInFile.length - 2; i >= 0; i--)
      if (firstInFile[i + 1]!.place.offset < firstInFile[i]!.place.offset) firstInFile[i] = firstInFile[i + 1]!
    this.#firstInFile = firstInFile
  }

  /** Takes out the earliest row, if it is earlier than `before`. */
  take(before: Instant): Row | undefined {
    const row = this.#rows[this.#taken]
    if (!row || row.sample.scheduledAt >= before) return undefined
    this.#taken++
    return row
  }

  /** Of the rows that are still here, the one that stands first in the file. */
  get firstInFile(): Row | undefined {
    return this.#firstInFile[this.#taken]
  }
}

function byTime(a: PendingRow, b: PendingRow): number {
  return a.sample.scheduledAt - b.sample.scheduledAt || a.place.offset - b.place.offset
}
