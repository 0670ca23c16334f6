import { type Instant, MINUTE_MS, type Milliseconds } from '#lib/time.ts'
import type { DeliveryDecision, DeliveryOutcome } from './facts.ts'
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

/** What decides about a message beside itself. */
export interface Surroundings {
  readonly now: Instant
  /** The messages of its lane, itself among them, in the order of their decisions. */
  readonly lane: readonly LedgerMessage[]
}

/**
 * Decided by the ledger alone, so that every courier decides the same, and one that starts goes on as one that ran. When
 * something newer waits in its lane, a message is given its fast schedule and no more; when it is obsolete, nothing.
 */
export function nextStep(message: LedgerMessage, policy: StepPolicy, { now, lane }: Surroundings): NextStep {
  if (!message.decision.send || isAccepted(message)) return { kind: 'over' }
  const last = message.attempts.at(-1)
  const untilAt = last ? last.intent.at + policy.attemptTakesMs : now
  // Also of what nobody wants any more: it may still arrive, and what comes behind it must come later.
  if (last && !last.outcome && now < untilAt) return { kind: 'watch', untilAt }
  if (isGivenUp(message) || obsoleteBy(message, lane)) return { kind: 'over' }
  if (!last) return { kind: 'attempt', attempt: 1 }
  const { intent, outcome } = last
  if (!outcome) return { kind: 'conclude', attempt: intent.attempt }
  if (intent.attempt >= policy.fastAttempts && replacementOf(message, lane)) return { kind: 'over' }
  const dueAt = outcome.nextAttemptAt!
  return now < dueAt ? { kind: 'wait', untilAt: dueAt } : { kind: 'attempt', attempt: intent.attempt + 1 }
}

/**
 * What makes that a message is not sent any more: a newer one that the channel has taken, or the end of what it tells of, when
 * that was decided before it. Sent after either, it would open anew what has ended. `undefined`: nothing does.
 */
export function obsoleteBy(
  { order, decision }: LedgerMessage,
  lane: readonly LedgerMessage[],
): LedgerMessage | undefined {
  if (isEnd(decision)) return undefined
  const isToldEnd = (other: LedgerMessage): boolean => other.decision.send && isEnd(other.decision)
  const end = isCorrection(decision) ? undefined : lane.find((other) => other.order < order && isToldEnd(other))
  return end ?? lane.findLast((other) => other.order > order && replacesOlder(other) && isAccepted(other))
}

/** The newest message that is told in the place of this one; `undefined`: it is the newest itself, or an end, which must arrive. */
export function replacementOf(
  { order, decision }: LedgerMessage,
  lane: readonly LedgerMessage[],
): LedgerMessage | undefined {
  return isEnd(decision) ? undefined : lane.findLast((other) => other.order > order && replacesOlder(other))
}

function isEnd({ messageType }: Pick<DeliveryDecision, 'messageType'>): boolean {
  return messageType === 'obs.alert.resolved' || messageType === 'obs.sampler.back'
}

/** A correction of the past replaces nothing: the end of an alert must arrive, though it was corrected since. */
function replacesOlder({ decision }: LedgerMessage): boolean {
  return decision.send && !isCorrection(decision)
}

function isCorrection({ messageType }: Pick<DeliveryDecision, 'messageType'>): boolean {
  return messageType === 'obs.alert.annotated'
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
  return attempts.length >= fastAttempts || (outcome ? isLeftAlone(outcome) : false)
}

function isLeftAlone({ at, nextAttemptAt }: DeliveryOutcome): boolean {
  return nextAttemptAt !== null && nextAttemptAt - at > LONGEST_WISH_MS
}

/** Whether a courier tries nothing any more. For good: what is tried by hand afterwards changes nothing of it. */
export function isGivenUp({ attempts }: LedgerMessage): boolean {
  return attempts.some(({ outcome }) => outcome?.nextAttemptAt === null)
}

/** Whether somebody makes an attempt, or may be alive to make it. */
export function isUnderWay(message: LedgerMessage, attemptTakesMs: Milliseconds, now: Instant): boolean {
  const last = message.attempts.at(-1)
  return last !== undefined && !last.outcome && now < last.intent.at + attemptTakesMs
}

/** Whether a receiver said that it has it. */
export function isAccepted({ attempts }: LedgerMessage): boolean {
  return attempts.some(({ outcome }) => outcome?.result === 'accepted')
}

/** Whether a receiver has it, or may have. */
export function mayBeKnown({ attempts }: LedgerMessage): boolean {
  return attempts.some(({ outcome }) => !outcome || outcome.result === 'accepted' || outcome.result === 'unknown')
}
