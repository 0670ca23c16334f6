import type { Instant, Milliseconds } from '#lib/time.ts'
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
 * Decided by the ledger alone, so that every courier decides the same.
 *
 * @param isSuperseded something newer waits to be told in this one's place: it is given its fast schedule and no more
 */
export function nextStep(
  message: LedgerMessage,
  policy: StepPolicy,
  { now, isSuperseded }: { readonly now: Instant; readonly isSuperseded: boolean },
): NextStep {
  if (!message.decision.send) return { kind: 'over' }
  const last = message.attempts.at(-1)
  if (!last) return { kind: 'attempt', attempt: 1 }
  const { intent, outcome } = last
  if (!outcome) {
    const untilAt = intent.at + policy.attemptTakesMs
    return now < untilAt ? { kind: 'watch', untilAt } : { kind: 'conclude', attempt: intent.attempt }
  }
  if (outcome.nextAttemptAt === null) return { kind: 'over' }
  if (isSuperseded && intent.attempt >= policy.fastAttempts) return { kind: 'over' }
  if (now < outcome.nextAttemptAt) return { kind: 'wait', untilAt: outcome.nextAttemptAt }
  return { kind: 'attempt', attempt: intent.attempt + 1 }
}

/** Whether a receiver said that it has it. */
export function isAccepted({ attempts }: LedgerMessage): boolean {
  return attempts.some(({ outcome }) => outcome?.result === 'accepted')
}
