import type { Config } from '#lib/config.ts'
import type { RetrySchedule } from '#lib/delivery/retry-schedule.ts'
import { DAY_MS } from '#lib/time.ts'

/** What is not told within this time is never told. */
export const LONGEST_DELIVERY_MS = 3 * DAY_MS

/** How every message of a courier is tried again. */
export function retrySchedule({ delivery: { maxRetries, retryWaitMs } }: Config): RetrySchedule {
  return { maxRetries, waitMs: retryWaitMs, slowForMs: LONGEST_DELIVERY_MS }
}
