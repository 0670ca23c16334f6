import type { TopicCodec } from '#lib/codec/avro.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import type { Alert } from '#lib/facts.ts'
import { readFactSet } from '#lib/jobs/read-facts.ts'

/**
 * The alerts that are open after some transitions, each as its newest one; an annotation changes nothing. In the order in
 * which they were opened, those of one instant by id.
 *
 * @param transitions each once, in any order
 */
export function openAlerts(transitions: Iterable<Alert>): readonly Alert[] {
  const newest = new Map<string, Alert>()
  for (const transition of transitions) {
    if (transition.kind === 'annotated') continue
    const known = newest.get(transition.alertId)
    if (!known || known.sequence < transition.sequence) newest.set(transition.alertId, transition)
  }
  return [...newest.values()]
    .filter((alert) => alert.kind !== 'resolved')
    .sort((a, b) => a.openedAt - b.openedAt || (a.alertId < b.alertId ? -1 : 1))
}

/** The alerts that are open now, as far as the log holds it. @throws what `readFactSet` throws */
export async function readOpenAlerts(log: EventLog, codec: TopicCodec<Alert>): Promise<readonly Alert[]> {
  return openAlerts((await readFactSet(log, codec)).map(({ value }) => value))
}
