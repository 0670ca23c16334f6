import type { Alert, JobFinished } from '#lib/facts.ts'
import type { Instant } from '#lib/time.ts'
import { compareText } from './csv.ts'

/**
 * Alerts that are open at a cut, by id: with the severity after their newest transition, and as `state` the kind of that
 * transition (`opened`, `escalated`, `reminded`). An annotation changes neither.
 *
 * @param transitions each once, in any order
 */
export function openAlerts(transitions: Iterable<Alert>, cutTickAt: Instant): JobFinished['alerts'] {
  const newest = new Map<string, Alert>()
  for (const transition of transitions) {
    if (transition.decidedAt > cutTickAt || transition.kind === 'annotated') continue
    const known = newest.get(transition.alertId)
    if (!known || known.sequence < transition.sequence) newest.set(transition.alertId, transition)
  }
  return [...newest.values()]
    .filter((alert) => alert.kind !== 'resolved')
    .sort((a, b) => compareText(a.alertId, b.alertId))
    .map((alert) => ({ id: alert.alertId, severity: alert.severity, state: alert.kind }))
}
