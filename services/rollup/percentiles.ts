import type { LatencyCount } from '#lib/facts.ts'
import type { Milliseconds } from '#lib/time.ts'

/**
 * Nearest-rank percentile: the smallest value with at least `percent` of the samples at or below it.
 *
 * Integer arithmetic throughout, so the result is the same on every machine. Equals PostgreSQL's `percentile_disc` and
 * numpy's `inverted_cdf`: p95 of 1..10 is 10.
 *
 * @param latencies ascending by `ms`, as a window record holds them; those of a longer period are their sum
 * @param percent 1…100, a whole number
 * @returns milliseconds, or `undefined` without a sample: no samples is not a fast window
 */
export function nearestRank(latencies: readonly LatencyCount[], percent: number): Milliseconds | undefined {
  const total = latencies.reduce((sum, { count }) => sum + count, 0)
  const rank = divideUp(percent * total, 100)
  let seen = 0
  for (const { ms, count } of latencies) {
    seen += count
    if (seen >= rank) return ms
  }
  return undefined
}

/** `ceil(a / b)` for whole numbers, without ever holding a fraction. */
function divideUp(a: number, b: number): number {
  const rest = a % b
  return (a - rest) / b + (rest > 0 ? 1 : 0)
}

/** So many different latencies fit into a window record, whatever they are: ten bytes each at most, and 1 MiB a batch. */
export const MOST_LATENCIES = 100_000

/** Latencies at or above this are rare enough for a map; an array up to here takes 256 KiB. */
const DENSE_LIMIT_MS = 65_536

/** Below this a latency is never rare. */
const FEW_PLACES_MS = 1_024

/** Latencies are rare as long as fewer than one in so many lies beyond the array. */
const RARE_SHARE = 8

/**
 * How often each latency occurred. Adding is one array access for the latencies that a source usually has; rare ones, such
 * as time-outs far beyond them, are in a map. So the arrays of a thousand sources are short, and stay in the processor's
 * cache; long ones, all of one size, would even push each other out of it.
 */
export class LatencyCounts {
  #dense = new Uint32Array(0)
  readonly #sparse = new Map<Milliseconds, number>()
  #rareTotal = 0
  #total = 0
  #different = 0

  /**
   * Counts `ms` (whole, not negative) `times` times.
   *
   * @returns `false`, and nothing is counted, when it would be one different latency more than `MOST_LATENCIES`
   */
  add(ms: Milliseconds, times = 1): boolean {
    const isDense = ms < this.#dense.length || this.#reach(ms)
    const before = isDense ? this.#dense[ms]! : (this.#sparse.get(ms) ?? 0)
    if (before === 0) {
      if (this.#different === MOST_LATENCIES) return false
      this.#different++
    }
    if (isDense) this.#dense[ms] = before + times
    else {
      this.#sparse.set(ms, before + times)
      this.#rareTotal += times
    }
    this.#total += times
    return true
  }

  /** How many were counted. */
  get total(): number {
    return this.#total
  }

  /** Each value once, ascending: the same whatever the order of adding was. */
  ascending(): LatencyCount[] {
    const latencies: LatencyCount[] = []
    for (let ms = 0; ms < this.#dense.length; ms++) {
      const count = this.#dense[ms]!
      if (count > 0) latencies.push({ ms, count })
    }
    const rare = [...this.#sparse].sort(([a], [b]) => a - b)
    for (const [ms, count] of rare) latencies.push({ ms, count })
    return latencies
  }

  /**
   * Makes the array long enough for `ms` when the samples so far justify its size, sixteen places a sample, and enough of
   * them lie beyond it.
   *
   * @returns whether `ms` has a place in it now
   */
  #reach(ms: Milliseconds): boolean {
    if (ms >= DENSE_LIMIT_MS || ms >= 16 * (this.#total + 64)) return false
    if (ms >= FEW_PLACES_MS && this.#rareTotal * RARE_SHARE < this.#total) return false
    const longer = new Uint32Array(2 ** Math.ceil(Math.log2(ms + 1)))
    longer.set(this.#dense)
    for (const [rareMs, count] of this.#sparse)
      if (rareMs < longer.length) {
        longer[rareMs] = count
        this.#rareTotal -= count
        this.#sparse.delete(rareMs)
      }
    this.#dense = longer
    return true
  }
}
