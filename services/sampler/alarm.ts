import type { Clock } from '#lib/runtime/clock.ts'
import type { Milliseconds } from '#lib/time.ts'

/** A sleep that somebody else may end. A call of `wake` while nobody sleeps ends the next sleep at once. */
export class Alarm {
  readonly #clock: Clock
  #ring = new AbortController()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Resolves after `ms`, or when woken, or when `signal` aborts. */
  async sleep(ms: Milliseconds, signal: AbortSignal): Promise<void> {
    await this.#clock.sleep(ms, AbortSignal.any([signal, this.#ring.signal]))
    this.#ring = new AbortController()
  }

  wake(): void {
    this.#ring.abort()
  }
}
