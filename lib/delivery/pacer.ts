import type { Clock } from '#lib/runtime/clock.ts'
import type { Milliseconds } from '#lib/time.ts'

/** Gives turns by name, in the order they were asked for, with at least some time between two of one name. */
export class Pacers {
  readonly #clock: Clock
  readonly #queues = new Map<string, { last: Promise<void>; freeAtMs: Milliseconds }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Resolves when it is one's turn, or at once when `signal` aborts. @param intervalMs until the next one's */
  turn(name: string, intervalMs: Milliseconds, signal: AbortSignal): Promise<void> {
    const queue = this.#queues.get(name) ?? { last: Promise.resolve(), freeAtMs: Number.NEGATIVE_INFINITY }
    this.#queues.set(name, queue)
    queue.last = queue.last.then(async () => {
      const waitMs = queue.freeAtMs - this.#clock.monotonicMs()
      if (waitMs > 0) await this.#clock.sleep(waitMs, signal)
      queue.freeAtMs = this.#clock.monotonicMs() + intervalMs
    })
    return queue.last
  }
}
