import pLimit, { type LimitFunction } from 'p-limit'
import type { Clock } from '#lib/runtime/clock.ts'
import type { Milliseconds } from '#lib/time.ts'

/** Requests that one receiver is met with at the same time: after an outage of hours it must not be the next thing to fall. */
const AT_ONCE = 32

interface Queue {
  readonly limit: LimitFunction
  last: Promise<void>
  freeAtMs: Milliseconds
}

/** Who sends when, by receiver: in the order they asked, only so many at once, and only so often. */
export class Pacers {
  readonly #clock: Clock
  readonly #queues = new Map<string, Queue>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Does some work when it is its turn. When `signal` aborts, who still waits does nothing, and the
   * result is `undefined`.
   *
   * @param paceKey names the receiver whose limit it is; several channels may have one
   * @param intervalMs from its beginning until the next work with this key may begin
   */
  async inTurn<Result>(
    paceKey: string,
    { intervalMs, signal }: { readonly intervalMs: Milliseconds; readonly signal: AbortSignal },
    work: () => Promise<Result>,
  ): Promise<Result | undefined> {
    const queue = this.#queue(paceKey)
    return await queue.limit(async () => {
      await this.#wait(queue, intervalMs, signal)
      return signal.aborted ? undefined : await work()
    })
  }

  #queue(paceKey: string): Queue {
    const known = this.#queues.get(paceKey)
    if (known) return known
    const queue = { limit: pLimit(AT_ONCE), last: Promise.resolve(), freeAtMs: Number.NEGATIVE_INFINITY }
    this.#queues.set(paceKey, queue)
    return queue
  }

  #wait(queue: Queue, intervalMs: Milliseconds, signal: AbortSignal): Promise<void> {
    queue.last = queue.last.then(async () => {
      const waitMs = queue.freeAtMs - this.#clock.monotonicMs()
      if (waitMs > 0) await this.#clock.sleep(waitMs, signal)
      queue.freeAtMs = this.#clock.monotonicMs() + intervalMs
    })
    return queue.last
  }
}
