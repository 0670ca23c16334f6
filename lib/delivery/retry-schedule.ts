import { sha256Hex } from '#lib/codec/sha256.ts'
import type { Instant, Milliseconds } from '#lib/time.ts'
import { HOUR_MS } from '#lib/time.ts'
import { parseRetryAfter } from './retry-after.ts'

/** How a message is tried again. */
export interface RetrySchedule {
  /** Attempts after the first one, each waiting up to twice as long as the one before it. */
  readonly maxRetries: number
  /** The first of these waits. */
  readonly waitMs: Milliseconds
  /** After them the waits go on doubling, up to an hour, until so long after the first attempt; 0: not at all. */
  readonly slowForMs: Milliseconds
}

/** An attempt that failed, and what came before it. */
export interface FailedAttempt {
  readonly messageId: string
  /** From 1. */
  readonly attempt: number
  readonly firstAttemptAt: Instant
  readonly failedAt: Instant
  /** The header of the answer as it came; `null` without one. */
  readonly retryAfter: string | null
  /** No wait is shorter; default 0. PagerDuty asks for 60,000. */
  readonly leastMs?: Milliseconds
}

export interface NextAttempt {
  readonly at: Instant
  readonly phase: 'fast' | 'slow'
  /**
   * What became of the receiver's wish. `kept`: `at` is not before it. `shortened`: it wanted more than two hours on top of our
   * own wait and gets that. `bad` (no seconds and no date) and `past` (a date before the failure) are ignored; log them.
   */
  readonly retryAfter: 'none' | 'kept' | 'shortened' | 'bad' | 'past'
}

const LONGEST_WAIT_MS = HOUR_MS
const MOST_ON_TOP_MS = 2 * HOUR_MS

/**
 * When a message is due again after a failed attempt. Pure: the same record gives the same instant, on every machine.
 *
 * - `fast`, for attempts 2 to 1 + `maxRetries`: a wait between 0 and `waitMs` × 2^(attempt − 1), at most one hour ("full
 *   jitter": receivers that come back are not met by everybody at once), then not less than `leastMs`. The jitter is taken from
 *   sha256 of message id and attempt.
 * - `slow`: the whole of that wait, at most one hour, up to and with `slowForMs` after the first attempt. So who is back after
 *   ten minutes hears within ten more.
 * - `Retry-After` makes a wait longer, never shorter, by at most two hours.
 *
 * @returns `null` when that was the last attempt
 */
export function nextAttemptAt(schedule: RetrySchedule, past: FailedAttempt): NextAttempt | null {
  const phase = past.attempt <= schedule.maxRetries ? 'fast' : 'slow'
  const backoffMs = phase === 'fast' ? jitteredWaitMs(schedule.waitMs, past) : longestWaitMs(schedule.waitMs, past)
  const ownAt = past.failedAt + Math.max(backoffMs, past.leastMs ?? 0)
  const next: NextAttempt = { phase, ...obey(past, ownAt) }
  return phase === 'fast' || isInSlowPhase(schedule, past, next.at) ? next : null
}

/** `slowForMs` is asked first: a wall clock that was set back must not begin a phase that nobody wants. */
function isInSlowPhase({ slowForMs }: RetrySchedule, { firstAttemptAt }: FailedAttempt, at: Instant): boolean {
  return slowForMs > 0 && at <= firstAttemptAt + slowForMs
}

function longestWaitMs(waitMs: Milliseconds, { attempt }: FailedAttempt): Milliseconds {
  // Doubled 30 times, one millisecond is more than an hour.
  return Math.min(waitMs * 2 ** Math.min(attempt - 1, 30), LONGEST_WAIT_MS)
}

function jitteredWaitMs(waitMs: Milliseconds, past: FailedAttempt): Milliseconds {
  const { messageId, attempt } = past
  const longestMs = longestWaitMs(waitMs, past)
  const share = Number.parseInt(sha256Hex(`${messageId}/${attempt}`).slice(0, 12), 16) / 2 ** 48
  return Math.floor(share * (longestMs + 1))
}

function obey({ retryAfter, failedAt }: FailedAttempt, ownAt: Instant): Omit<NextAttempt, 'phase'> {
  if (retryAfter === null) return { at: ownAt, retryAfter: 'none' }
  const wishedAt = parseRetryAfter(retryAfter, failedAt)
  if (wishedAt === null) return { at: ownAt, retryAfter: 'bad' }
  if (wishedAt < failedAt) return { at: ownAt, retryAfter: 'past' }
  const latestAt = ownAt + MOST_ON_TOP_MS
  if (wishedAt > latestAt) return { at: latestAt, retryAfter: 'shortened' }
  return { at: Math.max(ownAt, wishedAt), retryAfter: 'kept' }
}
