import type { LedgerMessage } from '#lib/delivery/ledger.ts'
import { hasFailed, isGivenUp } from '#lib/delivery/next-step.ts'
import type { Claims } from './claims.ts'
import { decideFallback, type Failure, noLongerNews } from './decide.ts'
import { isCritical, NEWS_MS, type Transition } from './episode-book.ts'
import { questionAbout } from './question.ts'
import { alertIdOf, unacknowledgedSubject } from './subjects.ts'

/**
 * Whether the fallback is told in the place of a channel that has failed, and what: how the alert is now, not how it was when
 * the channel began to fail. An alert that has ended meanwhile is not told to who knew nothing of it.
 *
 * @returns the messages that were decided
 */
export async function decideInstead(claims: Claims, message: LedgerMessage): Promise<readonly LedgerMessage[]> {
  const { deps, ledger } = claims
  const { fallback, fallbackAfter } = deps.config().delivery
  const { subject, channel, code } = message.decision
  if (fallback === null || fallback === channel || code === 'fallback' || !hasFailed(message, fallbackAfter)) return []
  const place = placeOf(claims, subject)
  if (!place || hasHeardEnough(claims, message, place)) return []
  const { failed, newest } = place
  const isNews = newest.alert.kind !== 'resolved' || isNewsOfAnEnd(claims, place)
  const about = isNews && subject !== unacknowledgedSubject(newest.alert.alertId) ? newest.key : subject
  if (ledger.message({ subject: about, channel: fallback })) return []
  const failure: Failure = { channel, attempts: message.attempts.length, fallback }
  const standing = await deps.commands.standing()
  if (!isNews) return claims.claim(subject, failed, { verdicts: [noLongerNews(failure)], standing })
  const verdict = decideFallback(await questionAbout(newest, claims, standing), failure)
  return claims.claim(about, newest, { verdicts: [verdict], standing })
}

interface Place {
  /** The transition that a message tells of. */
  readonly failed: Transition
  /** How the alert is now: the newest transition that was decided about. A correction changes nothing of that. */
  readonly newest: Transition
}

/** `undefined`: the alert is long over, or the message tells of a correction, which concerns nobody else. */
function placeOf(claims: Claims, subject: string): Place | undefined {
  const alertId = alertIdOf(subject)
  const transitions = claims.book.episodes.get(alertId)?.transitions ?? []
  const failed =
    subject === unacknowledgedSubject(alertId)
      ? transitions.findLast(isCritical)
      : transitions.find(({ key }) => key === subject)
  const newest = transitions.findLast((each) => each.alert.kind !== 'annotated' && claims.isDecided(each))
  return failed && newest && failed.alert.kind !== 'annotated' ? { failed, newest } : undefined
}

/** Of a message that was given up, and of an alert that has gone on since, the fallback hears by what it was told already. */
function hasHeardEnough(claims: Claims, message: LedgerMessage, { failed, newest }: Place): boolean {
  const told = claims.toldOf(alertIdOf(message.decision.subject))
  return isGivenUp(message) && failed !== newest && told.includes(claims.deps.config().delivery.fallback!)
}

/** An end is told in the place of a channel that could not be told just that, and not when it is long past. */
function isNewsOfAnEnd({ deps }: Claims, { failed, newest }: Place): boolean {
  return failed === newest && deps.clock.now() - newest.alert.decidedAt <= NEWS_MS
}
