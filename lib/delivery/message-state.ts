import type { Instant } from '#lib/time.ts'
import { ATTEMPT_TAKES_MS } from './attempt.ts'
import type { Ledger, LedgerMessage } from './ledger.ts'
import { isAccepted, isGivenUp, isUnderWay, nextStep, obsoleteBy, replacementOf } from './next-step.ts'

/** How it stands with a message, for people who ask for it. */
export type MessageState =
  | { readonly kind: 'held_back' }
  /** Nothing was tried yet. */
  | { readonly kind: 'waiting' }
  /** Its last attempt has not been told. */
  | { readonly kind: 'under_way' }
  | { readonly kind: 'delivered' }
  /** It is tried again, no sooner than then; in the past when no courier has come to it. */
  | { readonly kind: 'not_delivered'; readonly nextAttemptAt: Instant }
  /** Its last attempt was its last. `behind`: what is told in its place, when only for that nothing is tried any more. */
  | { readonly kind: 'given_up'; readonly behind: string | null }
  /** The channel has accepted something newer of the same lane, or is told its end, so it is not sent any more. */
  | { readonly kind: 'overtaken'; readonly by: string }

/** What decides about a message beside itself. */
export interface MessageCircumstances {
  readonly ledger: Ledger
  /** Attempts of the fast schedule. */
  readonly fastAttempts: number
  readonly now: Instant
}

/** What a courier would make of a message, in the words of the ledger: subjects name what stands in its way. */
export function stateOf(message: LedgerMessage, { ledger, fastAttempts, now }: MessageCircumstances): MessageState {
  if (!message.decision.send) return { kind: 'held_back' }
  if (isAccepted(message)) return { kind: 'delivered' }
  const lane = ledger.laneWith(message)
  const newer = obsoleteBy(message, lane)
  if (newer) return { kind: 'overtaken', by: newer.decision.subject }
  const last = message.attempts.at(-1)
  if (!last) return { kind: 'waiting' }
  if (isGivenUp(message) && !isUnderWay(message, ATTEMPT_TAKES_MS, now)) return { kind: 'given_up', behind: null }
  if (!last.outcome) return { kind: 'under_way' }
  const nextAttemptAt = last.outcome.nextAttemptAt!
  const step = nextStep(message, { attemptTakesMs: ATTEMPT_TAKES_MS, fastAttempts }, { now, lane })
  if (step.kind !== 'over') return { kind: 'not_delivered', nextAttemptAt }
  return { kind: 'given_up', behind: replacementOf(message, lane)?.decision.subject ?? null }
}
