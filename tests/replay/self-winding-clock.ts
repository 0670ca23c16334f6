import type { Milliseconds } from '#lib/time.ts'
import { ManualClock } from '#tests/support/manual-clock.ts'

/** A manual clock that goes on by itself when somebody sleeps, so that patience ends without waiting. */
export class SelfWindingClock extends ManualClock {
  override async sleep(ms: Milliseconds): Promise<void> {
    this.advance(ms)
    await new Promise((resolve) => setImmediate(resolve))
  }
}
