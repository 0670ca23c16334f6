import { openAlerts } from '#lib/alerts/open-alerts.ts'
import type { Alert, JobFinished } from '#lib/facts.ts'
import type { Instant } from '#lib/time.ts'
import { compareText } from './csv.ts'

/**
 * Alerts that are open at a cut, by id: with the severity after their newest transition, and as `state` the kind of that
 * transition (`opened`, `escalated`, `reminded`). An annotation changes neither.
 *
 * @param transitions each once, in any order
 */
export function openAlertsAt(transitions: readonly Alert[], cutTickAt: Instant): JobFinished['alerts'] {
  return openAlerts(transitions.filter(({ decidedAt }) => decidedAt <= cutTickAt))
    .toSorted((a, b) => compareText(a.alertId, b.alertId))
    .map((alert) => ({ id: alert.alertId, severity: alert.severity, state: alert.kind }))
}
