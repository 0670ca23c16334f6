import type { Evidence, Window } from '#lib/facts.ts'
import type { Rule } from '#lib/plan.ts'
import { newestEvidence } from './evidence.ts'

/**
 * The rule for breaches, whole: what a closed window says (`signalOf`), what windows add up to while an alert is open
 * (`Tally`), and what follows in each phase (`decide`).
 */
export type Phase = 'quiet' | 'warning' | 'critical'

/** `recovered` is an ok window far enough below the threshold, `ok` one that is not. */
export type Signal = 'breach' | 'ok' | 'recovered' | 'insufficient' | 'closed'

/** How many windows in a row lead to the window at hand, itself included. */
export interface Standing {
  readonly breaches: number
  readonly recovered: number
}

/** What follows, and why in words, also when nothing does. */
export type Decided = Transition | { readonly transition: null; readonly reason: string }

export interface Transition {
  readonly transition: 'opened' | 'escalated' | 'resolved'
  readonly reason: string
}

export type Decision = (standing: Standing, rule: Rule) => Decided

/** Every pair is decided here. A forgotten one is a compile error, not a surprise at night. */
export const decide: Record<Phase, Record<Signal, Decision>> = {
  quiet: { breach: openAtStreak, ok: endStreak, recovered: endStreak, insufficient: wait, closed: startAnew },
  warning: {
    breach: escalateAtStreak,
    ok: restartRecovery,
    recovered: countRecovery,
    insufficient: wait,
    closed: pause,
  },
  critical: { breach: stayCritical, ok: restartRecovery, recovered: countRecovery, insufficient: wait, closed: pause },
}

function openAtStreak({ breaches }: Standing, rule: Rule): Decided {
  if (breaches < rule.warningAfter) return nothing(`breach ${breaches} of ${rule.warningAfter} before a warning`)
  return { transition: 'opened', reason: `${inARow(breaches)} in breach` }
}

function escalateAtStreak({ breaches }: Standing, rule: Rule): Decided {
  if (breaches < rule.criticalAfter) return nothing(`breach ${breaches} of ${rule.criticalAfter} before critical`)
  return { transition: 'escalated', reason: `${inARow(breaches)} in breach` }
}

function stayCritical({ breaches }: Standing): Decided {
  return nothing(`${inARow(breaches)} in breach, critical already`)
}

function endStreak(): Decided {
  return nothing('an ok window ends the streak')
}

function restartRecovery(_: Standing, rule: Rule): Decided {
  return nothing(`an ok window that is not below ${recoveryWords(rule)}: recovery starts again`)
}

function countRecovery({ recovered }: Standing, rule: Rule): Decided {
  if (recovered < rule.resolveAfter) return nothing(`recovery ${recovered} of ${rule.resolveAfter}`)
  return { transition: 'resolved', reason: `${inARow(recovered)} ok with p95 below ${recoveryWords(rule)}` }
}

function wait(): Decided {
  return nothing('too few samples to tell: neither a breach nor a recovery')
}

function startAnew(): Decided {
  return nothing('out of session: the streak starts anew at the next one')
}

function pause(): Decided {
  return nothing('out of session: the alert stays as it is')
}

const nothing = (reason: string): Decided => ({ transition: null, reason })

const inARow = (count: number): string => (count === 1 ? '1 window' : `${count} windows in a row`)

const recoveryWords = (rule: Rule): string => `${rule.resolveBelow} × ${rule.thresholdMs} ms`

/** What a window says under its rule. @throws RangeError for a retired window, which says nothing about latency */
export function signalOf(window: Pick<Window, 'verdict' | 'p95Ms'>, rule: Rule): Signal {
  if (window.verdict === 'retired') throw new RangeError('a retired window has no signal')
  if (window.verdict !== 'ok') return window.verdict
  return window.p95Ms !== null && isRecovered(window.p95Ms, rule) ? 'recovered' : 'ok'
}

const PARTS = 1_000_000

/** In whole numbers, since 0.07 × 100 is not 7 in floating point. `resolveBelow` counts to six decimals. */
function isRecovered(p95Ms: number, rule: Rule): boolean {
  return p95Ms * PARTS < Math.round(rule.resolveBelow * PARTS) * rule.thresholdMs
}

/** What the windows of an open alert add up to, in order of their start. */
export interface Tally extends Standing {
  /** The longest streak of breaches so far: whether the evidence that opened the alert still stands. */
  readonly longest: number
  /** Of the newest breaches and recoveries in a row, oldest first; bounded, so there may be fewer than are counted. */
  readonly breachEvidence: readonly Evidence[]
  readonly recoveryEvidence: readonly Evidence[]
}

export const emptyTally: Tally = { breaches: 0, recovered: 0, longest: 0, breachEvidence: [], recoveryEvidence: [] }

/** A window more. `insufficient` and `closed` are neutral to both counts. */
export function addToTally(
  tally: Tally,
  window: { readonly signal: Signal; readonly evidence: Evidence | null },
): Tally {
  const own = window.evidence === null ? [] : [window.evidence]
  switch (window.signal) {
    case 'breach': {
      const breaches = tally.breaches + 1
      const breachEvidence = newestEvidence([...tally.breachEvidence, ...own])
      return {
        breaches,
        recovered: 0,
        longest: Math.max(tally.longest, breaches),
        breachEvidence,
        recoveryEvidence: [],
      }
    }
    case 'ok':
      return { ...emptyTally, longest: tally.longest }
    case 'recovered': {
      const recoveryEvidence = newestEvidence([...tally.recoveryEvidence, ...own])
      return { ...emptyTally, recovered: tally.recovered + 1, longest: tally.longest, recoveryEvidence }
    }
    case 'insufficient':
    case 'closed':
      return tally
  }
}
