import { ObstreamError } from '#lib/errors.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import type { Instant } from '#lib/time.ts'
import type { ClockReading, ObservedAppend } from './clock-guard.ts'
import { judgeClock } from './clock-guard.ts'

/** The clock that ticks are written by; it collects what speaks for and against it. */
export class GuardedClock {
  readonly #clock: Clock
  #before: ClockReading | null = null
  #append: ObservedAppend | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Wall clock, believed or not. */
  now(): Instant {
    return this.#clock.now()
  }

  /** Runs an append and remembers which time the log gave it. */
  async observe<Answer extends { readonly appendedAtMs: Instant }>(append: () => Promise<Answer>): Promise<Answer> {
    const sentAt = this.#clock.now()
    const answer = await append()
    this.#append = { sentAt, answeredAt: this.#clock.now(), appendedAt: answer.appendedAtMs }
    return answer
  }

  /**
   * The wall clock, if a tick may be written by it.
   *
   * @throws OBS_SAMPLER_CLOCK
   */
  believed(lastTickAt: Instant | null): Instant {
    const now: ClockReading = { wallAt: this.#clock.now(), monotonicMs: this.#clock.monotonicMs() }
    const verdict = judgeClock({ now, before: this.#before, lastTickAt, append: this.#append })
    if (!verdict.go) throw new ObstreamError('OBS_SAMPLER_CLOCK', verdict.reason)
    this.#before = now
    return now.wallAt
  }
}
