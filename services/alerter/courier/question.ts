import { alertLabels, type Labels } from '#lib/commands/matching.ts'
import type { Standing } from '#lib/commands/standing.ts'
import type { Alert } from '#lib/facts.ts'
import { findSource, type Plan } from '#lib/plan.ts'
import { formatDuration } from '#lib/time.ts'
import type { Claims } from './claims.ts'
import type { FlappingView, Question } from './decide.ts'
import { changesWithin, flappingSince, hasNewer, NEWS_MS, type Transition } from './episode-book.ts'

/** All that is known when a transition is decided about. */
export async function questionAbout(transition: Transition, claims: Claims, standing: Standing): Promise<Question> {
  const { book, deps } = claims
  const { alert } = transition
  const plan = await claims.planOf(transition)
  const now = deps.clock.now()
  return {
    alert,
    routed: deps.config().routes[alert.severity],
    told: claims.toldOf(alert.alertId),
    silences: standing.silencesFor(labelsIn(plan, alert), now),
    acknowledgement: standing.acknowledgementOf(alert.alertId),
    isSuperseded: now - alert.decidedAt > NEWS_MS && hasNewer(book, transition),
    flapping: flappingOf(claims, alert),
  }
}

function flappingOf({ book, ledger, deps }: Claims, alert: Alert): FlappingView {
  const { changes: limit, withinMs } = deps.config().delivery.flapping
  const noticed = flappingSince(book, alert, { changes: limit, withinMs })
    .flatMap(({ key }) => ledger.about(key))
    .flatMap(({ decision }) => (decision.send && decision.code === 'flapping_notice' ? decision.channel : []))
  const changes = changesWithin(book, alert, withinMs).length
  return { changes, limit, withinWords: formatDuration(withinMs), noticed }
}

/** What the matchers of a silence see of an alert. */
export function labelsIn(plan: Plan, alert: Alert): Labels {
  return alertLabels(alert, findSource(plan, alert.source)?.labels ?? {})
}
