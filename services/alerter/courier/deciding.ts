import { formatDuration } from '#lib/time.ts'
import type { Claims } from './claims.ts'
import { decide, decideUnacknowledged } from './decide.ts'
import { type Episode, isCritical, type Transition } from './episode-book.ts'
import { labelsIn, questionAbout } from './question.ts'
import { unacknowledgedSubject } from './subjects.ts'

/** Decides about a transition, unless somebody has. */
export function decideTransition(claims: Claims, transition: Transition): Promise<void> {
  const { alertId } = transition.alert
  return claims.inTurn(alertId, async () => {
    if (claims.isDecided(transition)) return claims.tellEnd(alertId)
    const standing = await claims.deps.commands.standing()
    const question = await questionAbout(transition, claims, standing)
    await claims.claim(transition.key, transition, { verdicts: decide(question), standing, question })
  })
}

/** Decides to tell the end of an alert to those who were told of it after its end was decided, by a courier that died then. */
export function decideEnd(claims: Claims, alertId: string): Promise<void> {
  return claims.inTurn(alertId, () => claims.tellEnd(alertId))
}

/** Alerts that somebody should have acknowledged by now, whom nobody has told that. */
export function overdueAlerts(claims: Claims): readonly string[] {
  return [...claims.book.episodes].flatMap(([alertId, episode]) => (overdueIn(claims, episode) ? [alertId] : []))
}

/**
 * Tells that nobody has acknowledged a critical alert in time, once. One that is silenced is asked about again: when the
 * silence ends and nobody looks after it still, it is told.
 */
export function decideOverdue(claims: Claims, alertId: string): Promise<void> {
  return claims.inTurn(alertId, async () => {
    const transition = overdueIn(claims, claims.book.episodes.get(alertId))
    if (!transition) return
    const { config, clock, commands } = claims.deps
    const { routes, delivery } = config()
    const standing = await commands.standing()
    const labels = labelsIn(await claims.planOf(transition), transition.alert)
    if (standing.acknowledgementOf(alertId) || standing.silencesFor(labels, clock.now()).length > 0) return
    const verdicts = decideUnacknowledged(routes.unacknowledged, formatDuration(delivery.ackWithinMs))
    await claims.claim(unacknowledgedSubject(alertId), transition, { verdicts, standing })
  })
}

/** The newest critical transition of an open alert that was told as critical so long ago that somebody should look after it. */
function overdueIn({ ledger, deps }: Claims, episode: Episode | undefined): Transition | undefined {
  const { routes, delivery } = deps.config()
  const isAsked = episode?.isOpen === true && routes.unacknowledged.length > 0
  const critical = isAsked ? episode.transitions.filter(isCritical) : []
  const newest = critical.at(-1)
  if (!newest || ledger.about(unacknowledgedSubject(newest.alert.alertId)).length > 0) return undefined
  const told = critical.flatMap(({ key }) => ledger.about(key)).filter(({ decision }) => decision.send)
  const toldAt = Math.min(...told.map(({ decision }) => decision.decidedAt))
  return deps.clock.now() >= toldAt + delivery.ackWithinMs ? newest : undefined
}
