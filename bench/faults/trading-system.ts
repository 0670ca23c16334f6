import { appendFileSync } from 'node:fs'
import { type Instant, type Milliseconds, SECOND_MS } from '#lib/time.ts'
import type { Random } from '../random.ts'
import { CSV_SOURCE, THRESHOLD_MS } from './desk.ts'

/** A row that stands in the file to its last byte: from now on it must come to the log, exactly once. */
export interface Row {
  readonly at: Instant
  readonly latencyMs: Milliseconds
}

const WRITE_EVERY_MS = 150
const TORN_SHARE = 0.2
/** Slow for every second stretch of this length, so that alerts open and resolve. */
const PHASE_MS = 40 * SECOND_MS

/** Appends rows to a csv file for as long as it runs, whoever reads them; now and then a row comes in two pieces. */
export class TradingSystem {
  readonly rows: Row[] = []
  readonly #path: string
  readonly #random: Random
  readonly #timer: NodeJS.Timeout
  readonly #startedAt = Date.now()
  #torn: { readonly row: Row; readonly rest: string } | null = null

  /** Starts at once. */
  constructor(path: string, random: Random) {
    this.#path = path
    this.#random = random
    this.#timer = setInterval(() => this.#write(), WRITE_EVERY_MS)
  }

  /** Every row that was begun is whole then. */
  stop(): void {
    clearInterval(this.#timer)
    if (this.#torn) this.#write()
  }

  #write(): void {
    if (this.#torn) {
      appendFileSync(this.#path, this.#torn.rest)
      this.rows.push(this.#torn.row)
      this.#torn = null
      return
    }
    const row = this.#nextRow()
    const line = `${new Date(row.at).toISOString()},${CSV_SOURCE},${row.latencyMs}\n`
    const cut = this.#random.chance(TORN_SHARE) ? this.#random.between(1, line.length - 1) : line.length
    appendFileSync(this.#path, line.slice(0, cut))
    if (cut < line.length) this.#torn = { row, rest: line.slice(cut) }
    else this.rows.push(row)
  }

  #nextRow(): Row {
    const at = Math.max(Date.now(), (this.rows.at(-1)?.at ?? 0) + 1)
    const isSlow = Math.floor((at - this.#startedAt) / PHASE_MS) % 2 === 1
    return { at, latencyMs: this.#random.between(20, THRESHOLD_MS - 20) + (isSlow ? THRESHOLD_MS : 0) }
  }
}
