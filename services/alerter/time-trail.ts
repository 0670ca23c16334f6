import type { Cause } from '#lib/cause.ts'
import type { Instant, Milliseconds } from '#lib/time.ts'

/**
 * Where a restart must begin to see everything decided within a time before now: the cause of one fact in each
 * sixty-fourth of that time, so that it stays small however many facts there are.
 */
export interface TimeTrail {
  /** In order of time. The first fact decided at `at` or later, and before the next step, has `cause`. */
  readonly steps: { readonly at: Instant; readonly cause: Cause }[]
}

const STEPS = 64

export const newTimeTrail = (): TimeTrail => ({ steps: [] })

/**
 * Takes note of a fact; they come in order of `at`.
 *
 * @param reachMs the time before now to be seen
 * @returns whether a step began
 */
export function extendTrail(trail: TimeTrail, at: Instant, cause: Cause, reachMs: Milliseconds): boolean {
  const { steps } = trail
  const newest = steps.at(-1)
  if (newest && at < newest.at + reachMs / STEPS) return false
  steps.push({ at, cause: [...cause] })
  const firstNeeded = steps.findLastIndex((step) => step.at <= at - reachMs)
  if (firstNeeded > 0) steps.splice(0, firstNeeded)
  return true
}

/** @returns `null` before the first fact */
export function startOfTrail(trail: TimeTrail): Cause | null {
  return trail.steps[0]?.cause ?? null
}
