import type { Cause } from '#lib/cause.ts'
import type { Instant } from '#lib/time.ts'

interface TickMet {
  readonly at: Instant
  readonly cause: Cause
}

/** The ticks that moved time, from the newest one at or before a settled instant on. A queue: no tick is copied twice. */
export class RecentTicks {
  #ticks: TickMet[] = []
  #first = 0

  /**
   * Takes the next tick and forgets those that a restart can do without.
   *
   * @param settledThroughAt never goes back
   * @returns the oldest tick that is left
   */
  meet(at: Instant, cause: Cause, settledThroughAt: Instant): Cause {
    this.#ticks.push({ at, cause })
    while (this.#first + 1 < this.#ticks.length && this.#ticks[this.#first + 1]!.at <= settledThroughAt) this.#first++
    if (this.#first > 1_000 && this.#first * 2 > this.#ticks.length) {
      this.#ticks = this.#ticks.slice(this.#first)
      this.#first = 0
    }
    return this.#ticks[this.#first]!.cause
  }
}
