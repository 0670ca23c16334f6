import type { LedgerMessage } from '#lib/delivery/ledger.ts'
import { formatDuration } from '#lib/time.ts'
import type { Claims } from './claims.ts'
import { decide, decideUnacknowledged } from './decide.ts'
import type { Episode, Transition } from './episode-book.ts'
import { isCritical } from './episode-book.ts'
import { labelsIn, questionAbout } from './question.ts'
import { unacknowledgedSubject } from './subjects.ts'

/** @returns the messages about a transition, now that they are decided */
export async function decideTransition(claims: Claims, transition: Transition): Promise<readonly LedgerMessage[]> {
  if (claims.isDecided(transition)) return claims.ledger.about(transition.key)
  const standing = await claims.deps.commands.standing()
  const verdicts = decide(await questionAbout(transition, claims, standing))
  return claims.claim(transition.key, transition, { verdicts, standing })
}

/** The ends of alerts that somebody was told of after the end was decided, by a courier that died then. @returns the messages */
export async function* decideEnds(claims: Claims): AsyncGenerator<readonly LedgerMessage[]> {
  for (const [alertId, { isOpen }] of claims.book.episodes) if (!isOpen) yield await claims.tellEnd(alertId)
}

/**
 * Which critical alerts nobody has acknowledged in time; each is told once. One that is silenced is asked about again: when the
 * silence ends and nobody looks after it still, it is told.
 *
 * @returns the messages, alert by alert
 */
export async function* decideUnacknowledgedAlerts(claims: Claims): AsyncGenerator<readonly LedgerMessage[]> {
  const overdue = [...claims.book.episodes.values()].flatMap((episode) => overdueIn(claims, episode))
  if (overdue.length === 0) return
  const { config, clock, commands } = claims.deps
  const { routes, delivery } = config()
  const standing = await commands.standing()
  for (const transition of overdue) {
    const { alert } = transition
    if (standing.acknowledgementOf(alert.alertId)) continue
    if (standing.silencesFor(labelsIn(await claims.planOf(transition), alert), clock.now()).length > 0) continue
    const verdicts = decideUnacknowledged(routes.unacknowledged, formatDuration(delivery.ackWithinMs))
    yield await claims.claim(unacknowledgedSubject(alert.alertId), transition, { verdicts, standing })
  }
}

/** The newest critical transition of an open alert that was told as critical so long ago that somebody should look after it. */
function overdueIn({ ledger, deps }: Claims, { isOpen, transitions }: Episode): readonly Transition[] {
  const { routes, delivery } = deps.config()
  const critical = isOpen && routes.unacknowledged.length > 0 ? transitions.filter(isCritical) : []
  const newest = critical.at(-1)
  if (!newest || ledger.about(unacknowledgedSubject(newest.alert.alertId)).length > 0) return []
  const told = critical.flatMap(({ key }) => ledger.about(key)).filter(({ decision }) => decision.send)
  const toldAt = Math.min(...told.map(({ decision }) => decision.decidedAt))
  return deps.clock.now() >= toldAt + delivery.ackWithinMs ? [newest] : []
}
