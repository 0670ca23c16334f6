import { type Instant, MINUTE_MS, type Milliseconds } from '#lib/time.ts'
import type { DeliveryOutcome } from './facts.ts'
import type { LedgerMessage } from './ledger.ts'

/** What is to be done with a message now. */
export type NextStep =
  | { readonly kind: 'attempt'; readonly attempt: number }
  /** Its next attempt is not due. */
  | { readonly kind: 'wait'; readonly untilAt: Instant }
  /** An attempt is under way. */
  | { readonly kind: 'watch'; readonly untilAt: Instant }
  /** Who made this attempt has said nothing for longer than one takes: it may have arrived. */
  | { readonly kind: 'conclude'; readonly attempt: number }
  | { readonly kind: 'over' }

export interface StepPolicy {
  /** From an intent to the outcome that its courier would have told by then, if it were alive. */
  readonly attemptTakesMs: Milliseconds
  /** Attempts of the fast schedule. */
  readonly fastAttempts: number
}

/**
 * Decided by the ledger alone, so that every courier decides the same, and one that starts goes on as one that ran.
 *
 * @param later what was decided after it in its lane: when something newer waits, it is given its fast schedule and no more,
 *   and when something newer was accepted, nothing
 */
export function nextStep(
  message: LedgerMessage,
  policy: StepPolicy,
  { now, later }: { readonly now: Instant; readonly later: readonly LedgerMessage[] },
): NextStep {
  if (!message.decision.send || isAccepted(message) || overtakenBy(later)) return { kind: 'over' }
  const last = message.attempts.at(-1)
  if (!last) return { kind: 'attempt', attempt: 1 }
  const { intent, outcome } = last
  if (!outcome) {
    const untilAt = intent.at + policy.attemptTakesMs
    return now < untilAt ? { kind: 'watch', untilAt } : { kind: 'conclude', attempt: intent.attempt }
  }
  if (outcome.nextAttemptAt === null) return { kind: 'over' }
  if (intent.attempt >= policy.fastAttempts && later.some(replacesOlder)) return { kind: 'over' }
  if (now < outcome.nextAttemptAt) return { kind: 'wait', untilAt: outcome.nextAttemptAt }
  return { kind: 'attempt', attempt: intent.attempt + 1 }
}

/** The newest message of those that a channel has taken, after which an older one is no longer sent; `undefined`: none. */
export function overtakenBy(later: readonly LedgerMessage[]): LedgerMessage | undefined {
  return later.findLast((message) => replacesOlder(message) && isAccepted(message))
}

/** A correction of the past replaces nothing: the end of an alert must arrive, though it was corrected since. */
export function replacesOlder({ decision }: LedgerMessage): boolean {
  return decision.send && decision.messageType !== 'obs.alert.annotated'
}

/** Who is asked to wait longer than this is as good as away. */
const LONGEST_WISH_MS = 5 * MINUTE_MS

/**
 * Whether another channel should be told in its place: it was given up, has failed so often, or the receiver wants to be left
 * alone for longer than five minutes.
 */
export function hasFailed({ decision, attempts }: LedgerMessage, afterAttempts: number): boolean {
  const outcome = attempts.findLast((attempt) => attempt.outcome)?.outcome
  if (!decision.send || !outcome || outcome.result === 'accepted') return false
  return outcome.nextAttemptAt === null || outcome.attempt >= afterAttempts || isLeftAlone(outcome)
}

/** Whether a message that waits does so by the slow schedule, or since the receiver wants it: then nobody stays for it. */
export function isLongWait({ attempts }: LedgerMessage, { fastAttempts }: StepPolicy): boolean {
  const outcome = attempts.at(-1)?.outcome
  return attempts.length >= fastAttempts || (outcome !== undefined && outcome !== null && isLeftAlone(outcome))
}

function isLeftAlone({ at, nextAttemptAt }: DeliveryOutcome): boolean {
  return nextAttemptAt !== null && nextAttemptAt - at > LONGEST_WISH_MS
}

/** Whether nothing will be tried any more. */
export function isGivenUp({ attempts }: LedgerMessage): boolean {
  return attempts.at(-1)?.outcome?.nextAttemptAt === null
}

/** Whether a receiver said that it has it. */
export function isAccepted({ attempts }: LedgerMessage): boolean {
  return attempts.some(({ outcome }) => outcome?.result === 'accepted')
}
