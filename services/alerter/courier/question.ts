import { alertLabels, type Labels } from '#lib/commands/matching.ts'
import type { Standing } from '#lib/commands/standing.ts'
import type { Config } from '#lib/config.ts'
import type { Alert } from '#lib/facts.ts'
import { findSource, type Plan } from '#lib/plan.ts'
import { formatDuration, HOUR_MS, type Instant } from '#lib/time.ts'
import type { Question } from './decide.ts'
import { countChanges, type EpisodeBook, hasNewer, type Transition } from './episode-book.ts'

/** A transition found later than this is no news when a newer one of its alert is known. */
const NEWS_MS = HOUR_MS

/** What is known when a transition is decided about. */
export interface Known {
  readonly book: EpisodeBook
  readonly plan: Plan
  readonly standing: Standing
  readonly config: Config
  /** Channels that were told something of the alert. */
  readonly told: readonly string[]
  readonly now: Instant
}

export function questionAbout(transition: Transition, known: Known): Question {
  const { book, plan, standing, config, told, now } = known
  const { alert } = transition
  const { changes, withinMs } = config.delivery.flapping
  return {
    alert,
    routed: config.routes[alert.severity],
    told,
    silences: standing.silencesFor(labelsIn(plan, alert), now),
    acknowledgement: standing.acknowledgementOf(alert.alertId),
    isSuperseded: now - alert.decidedAt > NEWS_MS && hasNewer(book, transition),
    flapping: { changes: countChanges(book, alert, withinMs), limit: changes, withinWords: formatDuration(withinMs) },
  }
}

/** What the matchers of a silence see of an alert. */
export function labelsIn(plan: Plan, alert: Alert): Labels {
  return alertLabels(alert, findSource(plan, alert.source)?.labels ?? {})
}
