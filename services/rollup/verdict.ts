import type { BreachReason, Verdict } from '#lib/facts.ts'
import type { Rule } from '#lib/plan.ts'
import type { Milliseconds } from '#lib/time.ts'

/** What a verdict rests on, and nothing else. */
export interface Grounds {
  /** The source left the plan while the window was open. */
  readonly retired: boolean
  /** Whether any instant of the window is in session. */
  readonly inSession: boolean
  /** ok + timeout. */
  readonly count: number
  readonly errorCount: number
  readonly timeoutCount: number
  readonly expectedCount: number
  readonly p95Ms: Milliseconds | null
  readonly rule: Rule | undefined
}

export interface Judgement {
  readonly verdict: Verdict
  /** Of a breach. */
  readonly reason: BreachReason | null
}

/**
 * Judges a window; the first that applies, in the order written here.
 *
 * Without a rule nobody has said what is slow. Such a window is `insufficient`, not `ok`: `ok` would count as a promise
 * kept in the weekly report and on the page.
 */
export function judge(grounds: Grounds): Judgement {
  const { rule, count, errorCount, timeoutCount, p95Ms } = grounds
  if (grounds.retired) return { verdict: 'retired', reason: null }
  if (!grounds.inSession) return { verdict: 'closed', reason: null }
  const answers = count + errorCount - timeoutCount
  if (!rule || answers < samplesNeeded(rule, grounds.expectedCount)) return { verdict: 'insufficient', reason: null }
  if (errorCount / answers >= rule.errorRatio) return { verdict: 'breach', reason: 'errors' }
  if (p95Ms !== null && p95Ms > rule.thresholdMs) return { verdict: 'breach', reason: 'p95' }
  return { verdict: 'ok', reason: null }
}

/** `min_samples`, but no more than the window could have, and one at least. */
function samplesNeeded(rule: Rule, expectedCount: number): number {
  return Math.max(1, Math.min(rule.minSamples, expectedCount))
}
