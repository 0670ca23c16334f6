import type { Instant } from '#lib/time.ts'

/** Which jobs a replay is about, by the instants of their cuts: `from <= cut < until`. Folding always begins with the log. */
export interface ReplayRange {
  readonly from: Instant
  readonly until: Instant
}

export const EVERYTHING: ReplayRange = { from: Number.NEGATIVE_INFINITY, until: Number.POSITIVE_INFINITY }

export function isInRange({ from, until }: ReplayRange, at: Instant): boolean {
  return at >= from && at < until
}
