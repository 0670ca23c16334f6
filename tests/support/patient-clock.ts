import type { Milliseconds } from '#lib/time.ts'
import { ManualClock } from './manual-clock.ts'

/** A manual clock for services on a log that lives in real time: what it shows is the test's, its sleepers really wait. */
export class PatientClock extends ManualClock {
  override async sleep(ms: Milliseconds, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms)
      signal?.addEventListener(
        'abort',
        () => {
          clearTimeout(timer)
          resolve()
        },
        { once: true },
      )
    })
  }
}
