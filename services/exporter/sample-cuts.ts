import type { Probe, SampleFact } from '#lib/facts.ts'
import type { Instant } from '#lib/time.ts'
import { type LatencyRow, rowOf } from './latency-csv.ts'

/**
 * Deals the samples of one partition out to the jobs that see them first.
 *
 * A sample is below a cut when it stands before the first tick at or after the cut: whatever the tick of the cut could
 * decide about, and nothing that is still being written when the job runs. So its job is the first whose cut is later than
 * every tick before it; a late sample belongs to the job it came before, whatever time it was scheduled for. The first
 * record of a sample id counts, also when it is an error: copies change nothing.
 */
export class SampleCuts {
  readonly #cutsAt: readonly Instant[]
  readonly #newRows: readonly LatencyRow[][]
  readonly #seen = new Set<string>()
  #tickAt = Number.NEGATIVE_INFINITY
  #newestAt = Number.NEGATIVE_INFINITY
  #job = 0

  /**
   * @param cutsAt cut ticks of the jobs in order; none is before its predecessor
   * @param newRows takes the rows, one list a job
   */
  constructor(cutsAt: readonly Instant[], newRows: readonly LatencyRow[][]) {
    this.#cutsAt = cutsAt
    this.#newRows = newRows
  }

  /** Latest scheduled time of the samples below the last cut, copies and errors too; `-Infinity`: none so far. */
  get newestAt(): Instant {
    return this.#newestAt
  }

  /** Takes the next record of the partition. @returns whether later ones can still be below the last cut */
  take(source: string, fact: SampleFact): boolean {
    if (fact.type === 'tick') this.#passTime(fact.at)
    else if (this.#job < this.#cutsAt.length) this.#count(source, fact)
    return this.#job < this.#cutsAt.length
  }

  #count(source: string, probe: Probe): void {
    this.#newestAt = Math.max(this.#newestAt, probe.scheduledAt)
    const row = this.#isFirst(`${source}/${probe.scheduledAt}/${probe.ordinal}`) ? rowOf(source, probe) : undefined
    if (row) this.#newRows[this.#job]!.push(row)
  }

  #passTime(at: Instant): void {
    this.#tickAt = Math.max(this.#tickAt, at)
    while (this.#job < this.#cutsAt.length && this.#cutsAt[this.#job]! <= this.#tickAt) this.#job += 1
  }

  #isFirst(sampleId: string): boolean {
    if (this.#seen.has(sampleId)) return false
    this.#seen.add(sampleId)
    return true
  }
}
