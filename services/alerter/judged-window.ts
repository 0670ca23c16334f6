import { sessionStartBefore } from '#lib/calendar.ts'
import type { Cause } from '#lib/cause.ts'
import type { Evidence, Verdict, Window } from '#lib/facts.ts'
import type { Plan, Rule } from '#lib/plan.ts'
import { HOUR_MS, type Instant, type Milliseconds } from '#lib/time.ts'
import { type Signal, signalOf } from './escalation.ts'
import { evidenceOf } from './evidence.ts'

/** A window as it comes in, with the rule it was judged by and what is to be remembered of it. */
export interface WindowNews {
  readonly fact: Window
  readonly key: string
  readonly rule: Rule
  readonly judged: JudgedWindow
}

/** What is remembered of a closed window for as long as a late revision may change it. */
export interface JudgedWindow {
  readonly startAt: Instant
  readonly endAt: Instant
  /** Of the revision that was seen first. */
  readonly decidedAt: Instant
  readonly cause: Cause
  readonly revision: number
  readonly verdict: Verdict
  readonly signal: Signal
  /** When the session began that the window lies in. */
  readonly sessionStartAt: Instant
  /** Corrections decided later than this are ignored. */
  readonly correctableUntilAt: Instant
  /** `null` where no transition can name it any more. */
  readonly evidence: Evidence | null
}

/** @param mayBeNamed whether a transition may name the window even if it is ok, so that its hash is needed */
export function judge(
  input: { readonly fact: Window; readonly key: string; readonly cause: Cause },
  plan: Plan,
  rule: Rule,
  mayBeNamed: boolean,
): JudgedWindow {
  const { fact } = input
  const signal = signalOf(fact, rule)
  return {
    startAt: fact.startAt,
    endAt: fact.endAt,
    decidedAt: fact.decidedAt,
    cause: [...input.cause],
    revision: fact.revision,
    verdict: fact.verdict,
    signal,
    sessionStartAt: sessionStartBefore(plan.calendar, fact.endAt),
    correctableUntilAt: fact.endAt + Math.max(plan.latenessMs, youthMs(fact)),
    evidence: mayBeNamed || signal === 'breach' || signal === 'insufficient' ? evidenceOf(input.key, fact) : null,
  }
}

/** How long after its end a correction of the window may bring a page: an hour, or one window if that is longer. */
function youthMs(window: Pick<Window, 'startAt' | 'endAt'>): Milliseconds {
  return Math.max(HOUR_MS, window.endAt - window.startAt)
}

/** Whether a correction of the window, decided at `at`, may bring a page. */
export function isYoung(window: Pick<Window, 'startAt' | 'endAt'>, at: Instant): boolean {
  return window.endAt + youthMs(window) >= at
}

/**
 * The window after a correction: its new values, its old place in the order of facts.
 *
 * A correction of a window that is no longer young never adds a breach to a streak: its verdict is taken for the record,
 * what it counts as stays. One that takes a breach away always counts.
 */
export function corrected(old: JudgedWindow, revised: JudgedWindow): JudgedWindow {
  const counts = revised.signal !== 'breach' || old.signal === 'breach' || isYoung(revised, revised.decidedAt)
  if (counts) return { ...revised, cause: old.cause, decidedAt: old.decidedAt }
  return { ...old, verdict: revised.verdict, revision: revised.revision }
}

/** Puts a window in its place by start. */
export function insertByStart(windows: JudgedWindow[], window: JudgedWindow): void {
  windows.splice(windows.findLastIndex((other) => other.startAt < window.startAt) + 1, 0, window)
}
