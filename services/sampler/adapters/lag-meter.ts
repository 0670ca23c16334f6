import { performance } from 'node:perf_hooks'
import type { Milliseconds } from '#lib/time.ts'

/** One measurement under way. */
export interface LagReading {
  /** The longest delay of the event loop since the reading began. Call it once. */
  end(): Milliseconds
}

const PERIOD_MS = 5

/** A timer is late by up to a millisecond, and the scheduler of the machine adds some: below this nothing was delayed. */
const NOISE_MS = 2

/**
 * Measures how long the event loop of this thread stands still. While it does, an answer that has arrived is not seen, and
 * a latency measured then is too large by as much.
 *
 * A timer runs while somebody reads; each time it is late by more than 2 ms, that is the delay of every reading under
 * way. The end of a reading counts too, since it may come before the late timer does.
 */
export class LagMeter {
  readonly #worst = new Map<LagReading, Milliseconds>()
  #timer: NodeJS.Timeout | undefined
  #expectedMs = 0

  begin(): LagReading {
    const reading: LagReading = { end: () => this.#end(reading) }
    if (this.#worst.size === 0) this.#arm()
    this.#worst.set(reading, 0)
    return reading
  }

  #arm(): void {
    this.#expectedMs = performance.now() + PERIOD_MS
    this.#timer = setTimeout(() => {
      this.#look()
      this.#arm()
    }, PERIOD_MS)
    this.#timer.unref()
  }

  #look(): void {
    const lateMs = performance.now() - this.#expectedMs
    if (lateMs < NOISE_MS) return
    for (const [reading, worstMs] of this.#worst) if (lateMs > worstMs) this.#worst.set(reading, lateMs)
  }

  #end(reading: LagReading): Milliseconds {
    this.#look()
    const worstMs = this.#worst.get(reading) ?? 0
    this.#worst.delete(reading)
    if (this.#worst.size === 0) clearTimeout(this.#timer)
    return worstMs
  }
}
