import type { DeliveryConfig } from '#lib/config.ts'
import type { LedgerMessage } from '#lib/delivery/ledger.ts'
import { hasFailed, isAccepted, isGivenUp, mayBeKnown, obsoleteBy } from '#lib/delivery/next-step.ts'
import type { Claims } from './claims.ts'
import { decideFallback, type Failure, noLongerNews } from './decide.ts'
import { isCritical, NEWS_MS, type Transition } from './episode-book.ts'
import { questionAbout } from './question.ts'
import { alertIdOf, unacknowledgedSubject } from './subjects.ts'

/**
 * Decides whether the fallback is told in the place of a channel that has failed, and what: how the alert is now, not how it
 * was when the channel began to fail. An alert that has ended meanwhile is not told to who knew nothing of it.
 */
export async function decideInstead(claims: Claims, message: LedgerMessage): Promise<void> {
  const failure = failureOf(message, claims.deps.config().delivery)
  if (failure) await claims.inTurn(alertIdOf(message.decision.subject), () => takeOver(claims, message, failure))
}

/** The failure of a channel in whose place the fallback is to be told; `undefined`: it has not failed, or nobody stands in for it. */
export function failureOf(
  message: LedgerMessage,
  { fallback, fallbackAfter }: Pick<DeliveryConfig, 'fallback' | 'fallbackAfter'>,
): Failure | undefined {
  const { channel, code } = message.decision
  if (fallback === null || fallback === channel || code === 'fallback') return undefined
  return hasFailed(message, fallbackAfter) ? { channel, attempts: message.attempts.length, fallback } : undefined
}

async function takeOver(claims: Claims, message: LedgerMessage, failure: Failure): Promise<void> {
  const { subject } = message.decision
  const place = placeOf(claims, subject)
  if (!place || isWellAgain(claims, message) || hasHeardEnough(claims, message, place)) return
  const { failed, newest } = place
  const isNews = newest.alert.kind !== 'resolved' || isNewsOfAnEnd(claims, message, place)
  const about = isNews && subject !== unacknowledgedSubject(newest.alert.alertId) ? newest.key : subject
  if (claims.ledger.message({ subject: about, channel: failure.fallback })) return
  // Its own end is nothing that the fallback is spared: another channel, which had heard of the alert, may fail to take it.
  if (!isNews && failed === newest) return
  const standing = await claims.deps.commands.standing()
  if (!isNews) return claims.claim(subject, failed, { verdicts: [noLongerNews(failure)], standing })
  const question = await questionAbout(newest, claims, standing)
  if (isWellAgain(claims, message)) return
  await claims.claim(about, newest, { verdicts: [decideFallback(question, failure)], standing, question })
}

interface Place {
  /** The transition that a message tells of. */
  readonly failed: Transition
  /** How the alert is now. A correction changes nothing of that. */
  readonly newest: Transition
}

/**
 * `undefined`: the alert is long over, the message tells of a correction, which concerns nobody else, or something newer is about
 * to be decided, after which this is asked again.
 */
function placeOf(claims: Claims, subject: string): Place | undefined {
  const alertId = alertIdOf(subject)
  const transitions = claims.book.episodes.get(alertId)?.transitions ?? []
  const failed =
    subject === unacknowledgedSubject(alertId)
      ? transitions.findLast(isCritical)
      : transitions.find(({ key }) => key === subject)
  const newest = transitions.findLast(({ alert }) => alert.kind !== 'annotated')
  if (!failed || !newest || failed.alert.kind === 'annotated' || !claims.isDecided(newest)) return undefined
  return { failed, newest }
}

/** Whether the channel has taken it meanwhile, or something newer. */
function isWellAgain({ ledger }: Claims, { decision }: LedgerMessage): boolean {
  const message = ledger.message(decision)!
  return isAccepted(message) || obsoleteBy(message, ledger.laneWith(message)) !== undefined
}

/** Of a message that was given up, and of an alert that has gone on since, the fallback hears by what it was told already. */
function hasHeardEnough(claims: Claims, message: LedgerMessage, { failed, newest }: Place): boolean {
  const told = claims.toldOf(alertIdOf(message.decision.subject))
  return isGivenUp(message) && failed !== newest && told.includes(claims.deps.config().delivery.fallback!)
}

/** An end is told in the place of a channel that knows of the alert and could not be told just that, when it is not long past. */
function isNewsOfAnEnd(claims: Claims, message: LedgerMessage, { failed, newest }: Place): boolean {
  const isRecent = claims.deps.clock.now() - newest.alert.decidedAt <= NEWS_MS
  const lane = claims.ledger.laneWith(message)
  return failed === newest && isRecent && lane.some((other) => other.order < message.order && mayBeKnown(other))
}
