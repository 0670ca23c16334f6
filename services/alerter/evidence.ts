import { factSha256 } from '#lib/codec/fact-json.ts'
import type { Evidence, Gap, Window } from '#lib/facts.ts'
import type { Rule } from '#lib/plan.ts'
import { formatInstant } from '#lib/time.ts'

/** A transition names at most so many facts, the newest; how many there were stands in its reason. */
export const MAX_EVIDENCE = 24

/** A fact of the window topic by key and sha256, with the values a decision rests on. */
export function evidenceOf(key: string, fact: Window | Gap): Evidence {
  const sha256 = factSha256(fact)
  if (fact.type === 'gap') return { key, sha256, verdict: 'gap', count: 0, errorCount: 0, p95Ms: null }
  const { verdict, count, errorCount, p95Ms } = fact
  return { key, sha256, verdict, count, errorCount, p95Ms }
}

/** The last of a list that is in order of time. */
export function newestEvidence(evidence: readonly Evidence[]): readonly Evidence[] {
  return evidence.length > MAX_EVIDENCE ? evidence.slice(-MAX_EVIDENCE) : evidence
}

/** Appended to a reason when `named` facts stand for `counted`; empty when all are named. */
export function evidenceNote(named: number, counted: number): string {
  return named < counted ? `; evidence is the newest ${named} of ${counted}` : ''
}

/** Samples that were judged: ok + timeout + error. */
export function judgedSamples(window: Pick<Window, 'count' | 'errorCount' | 'timeoutCount'>): number {
  return window.count + window.errorCount - window.timeoutCount
}

/** Why a window is in breach, in numbers: `p95 812 ms > 500 ms`, `3 errors in 4 samples`. */
export function breachWords(window: Window, rule: Rule): string {
  if (window.reason === 'errors' || window.p95Ms === null)
    return `${window.errorCount} errors in ${judgedSamples(window)} samples`
  return `p95 ${window.p95Ms} ms > ${rule.thresholdMs} ms`
}

/** A window's values, whatever its verdict: `p95 430 ms, 4 samples`. */
export function windowWords(window: Window): string {
  const samples = judgedSamples(window)
  const p95 = window.p95Ms === null ? '' : `p95 ${window.p95Ms} ms, `
  const errors = window.errorCount === 0 ? '' : `, ${window.errorCount} errors`
  return `${p95}${samples} ${samples === 1 ? 'sample' : 'samples'}${errors}`
}

/** `1 expected slot without a sample since 2026-06-27T12:15:00Z`. */
export function gapWords(gap: Gap): string {
  const slots = gap.missingCount === 1 ? '1 expected slot' : `${gap.missingCount} expected slots`
  return `${slots} without a sample since ${formatInstant(gap.firstSlotAt)}`
}
