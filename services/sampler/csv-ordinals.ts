import type { Instant } from '#lib/time.ts'
import type { NewestRows } from './csv-cursor.ts'

/** Most instants that are remembered at a time. */
const MAX_INSTANTS = 100_000

/**
 * Ordinals of a file's rows of one source: 0 for the first row of an instant, then 1, 2, … in order of the file. So the
 * ids of the samples follow from the file alone, and reading it again gives the same ones.
 *
 * Memory is bounded: of a long file only the latest instants are known, and those asked for beforehand. For an older one
 * `next` has no answer; counting the file anew with that instant in `watched` gives it.
 */
export class CsvOrdinals {
  readonly #counts = new Map<Instant, number>()
  readonly #watched: ReadonlySet<Instant>
  readonly #maxInstants: number
  /** Every row so far at this instant or later is counted. */
  #floorAt: Instant
  #newest: NewestRows | null

  /**
   * @param newest the latest instant before the first row that will come; `null` at the start of a file
   * @param watched instants that are counted however old they are; only from the start of a file
   */
  constructor(newest: NewestRows | null, watched: ReadonlySet<Instant> = new Set(), maxInstants = MAX_INSTANTS) {
    this.#newest = newest
    this.#floorAt = newest?.at ?? Number.NEGATIVE_INFINITY
    if (newest) this.#counts.set(newest.at, newest.count)
    this.#watched = watched
    this.#maxInstants = maxInstants
  }

  /** The latest instant of the rows so far. */
  get newest(): NewestRows | null {
    return this.#newest
  }

  /** Counts the next row of the file. `undefined`: its instant is too old to be known, and nothing is counted. */
  next(at: Instant): number | undefined {
    if (at < this.#floorAt && !this.#watched.has(at)) return undefined
    const ordinal = this.#counts.get(at) ?? 0
    this.#counts.set(at, ordinal + 1)
    if (this.#newest === null || at >= this.#newest.at) this.#newest = { at, count: ordinal + 1 }
    if (this.#counts.size > this.#maxInstants + this.#watched.size) this.#forgetOlderHalf()
    return ordinal
  }

  #forgetOlderHalf(): void {
    const instants = Float64Array.from(this.#counts.keys()).sort()
    this.#floorAt = instants[Math.ceil(instants.length / 2)]!
    for (const at of instants) if (at < this.#floorAt && !this.#watched.has(at)) this.#counts.delete(at)
  }
}
