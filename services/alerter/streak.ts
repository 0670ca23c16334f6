import { DAY_MS, type Instant } from '#lib/time.ts'
import { isYoung, type JudgedWindow } from './judged-window.ts'

/**
 * Counting in a row while no alert is open. A row ends by itself at the opening of a session, and when the source has
 * been undecided for so long that "in a row" has no meaning any more; otherwise one breach of a source that then falls
 * silent would be remembered for ever.
 */
export const STREAK_MEMORY_MS = 14 * DAY_MS

/** Whether `next` cannot stand in one row with `newest`, the last that counted. */
export function startsAnew(newest: JudgedWindow, next: JudgedWindow): boolean {
  return next.sessionStartAt >= newest.endAt || isForgotten(newest, next.decidedAt)
}

/** Whether a row whose last window is `newest` no longer counts at `at`. */
export function isForgotten(newest: JudgedWindow, at: Instant): boolean {
  return at - newest.endAt > STREAK_MEMORY_MS
}

/** The breaches in a row that the newest of `windows` (in order of start) stand in; empty when the last word was ok. */
export function runningStreak(windows: readonly JudgedWindow[]): readonly JudgedWindow[] {
  let streak: JudgedWindow[] = []
  for (const window of windows) {
    const newest = streak.at(-1)
    if (newest && startsAnew(newest, window)) streak = []
    if (window.signal === 'breach') streak.push(window)
    else if (window.signal !== 'insufficient') streak = []
  }
  return streak
}

/**
 * Drops from the front what no later decision can need: windows too old for a correction to bring a page, up to the
 * first of the streak that is running at their end.
 */
export function trimQuiet(windows: JudgedWindow[], at: Instant): void {
  const young = windows.findIndex((window) => isYoung(window, at))
  const oldCount = young < 0 ? windows.length : young
  const streak = runningStreak(windows.slice(0, oldCount))
  const needed = streak.length > 0 && !isForgotten(streak.at(-1)!, at)
  windows.splice(0, needed ? windows.indexOf(streak[0]!) : oldCount)
}
