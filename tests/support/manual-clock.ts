import type { Clock } from '#lib/runtime/clock.ts'
import type { Instant, Milliseconds } from '#lib/time.ts'

/** A clock that stands still until the test moves it; sleepers wake when their time has come. */
export class ManualClock implements Clock {
  #now: Instant
  #monotonicMs: Milliseconds = 0
  #sleepers: { readonly wakeAtMs: Milliseconds; readonly wake: () => void }[] = []

  constructor(now: Instant) {
    this.#now = now
  }

  now(): Instant {
    return this.#now
  }

  monotonicMs(): Milliseconds {
    return this.#monotonicMs
  }

  /** Both clocks go on. */
  advance(ms: Milliseconds): void {
    this.#now += ms
    this.#monotonicMs += ms
    const due = this.#sleepers.filter((sleeper) => sleeper.wakeAtMs <= this.#monotonicMs)
    this.#sleepers = this.#sleepers.filter((sleeper) => !due.includes(sleeper))
    for (const sleeper of due.toSorted((a, b) => a.wakeAtMs - b.wakeAtMs)) sleeper.wake()
  }

  /** The wall clock is set, as an operator or NTP does it; the monotonic one does not notice. */
  jumpTo(now: Instant): void {
    this.#now = now
  }

  sleep(ms: Milliseconds, signal?: AbortSignal): Promise<void> {
    if (ms <= 0 || signal?.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      this.#sleepers.push({ wakeAtMs: this.#monotonicMs + ms, wake: resolve })
      signal?.addEventListener('abort', () => resolve(), { once: true })
    })
  }
}
