import { performance } from 'node:perf_hooks'
import { setTimeout as wait } from 'node:timers/promises'
import type { Instant, Milliseconds } from '#lib/time.ts'

/** The only way to the time of this machine. Folds never see one. */
export interface Clock {
  /** Wall clock. */
  now(): Instant
  /** Never goes back; its zero is arbitrary; fractions of a millisecond are kept. */
  monotonicMs(): Milliseconds
  /** Resolves after `ms`, or at once when `signal` aborts. Never rejects. */
  sleep(ms: Milliseconds, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  async sleep(ms, signal) {
    try {
      await wait(ms, undefined, signal ? { signal } : {})
    } catch (error) {
      if (!signal?.aborted) throw error
    }
  },
}
