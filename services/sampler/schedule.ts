import type { PlannedSource } from '#lib/plan.ts'
import { slotOf } from '#lib/plan.ts'
import type { Instant, Milliseconds } from '#lib/time.ts'
import { MINUTE_MS } from '#lib/time.ts'

/** What of a source decides its slots. */
export type Slots = Pick<PlannedSource, 'intervalMs' | 'phaseMs'>

/** min(shortest interval, half the grace, one minute), whole milliseconds, at least 1. Without a source: the last two. */
export function tickInterval(sources: readonly Pick<Slots, 'intervalMs'>[], graceMs: Milliseconds): Milliseconds {
  const shortestMs = Math.min(...sources.map(({ intervalMs }) => intervalMs), Math.floor(graceMs / 2), MINUTE_MS)
  return Math.max(1, shortestMs)
}

/** The newest regular tick at or before `at`; ticks are aligned to 1970-01-01T00:00:00Z. */
export function tickAtOrBefore(at: Instant, intervalMs: Milliseconds): Instant {
  return Math.floor(at / intervalMs) * intervalMs
}

/** The first regular tick after `at`. */
export function tickAfter(at: Instant, intervalMs: Milliseconds): Instant {
  return tickAtOrBefore(at, intervalMs) + intervalMs
}

/**
 * The regular ticks that are owed: after `lastAt`, up to `until` (included), in order. Made one by one: a year without a
 * sampler is half a million.
 *
 * @param lastAt the newest tick written; `null`: there is none, so the past is not told again and only the newest is owed
 */
export function* ticksMissed(lastAt: Instant | null, until: Instant, intervalMs: Milliseconds): Generator<Instant> {
  const newestAt = tickAtOrBefore(until, intervalMs)
  for (let at = lastAt === null ? newestAt : tickAfter(lastAt, intervalMs); at <= newestAt; at += intervalMs) yield at
}

/** The slots of a source after `after`, up to `until` (included), in order. */
export function* slotsDue(source: Slots, after: Instant, until: Instant): Generator<Instant> {
  const newestAt = slotOf(source, until)
  for (let at = slotAfter(source, after); at <= newestAt; at += source.intervalMs) yield at
}

/** The first slot after `at`. */
export function slotAfter(source: Slots, at: Instant): Instant {
  return slotOf(source, at) + source.intervalMs
}
