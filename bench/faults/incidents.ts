/**
 * What PagerDuty makes of events, by the documentation of its Events API v2: a trigger opens an incident, or joins the one
 * that is open under its key; a resolve ends it, and does nothing when there is none; a trigger after that opens a new one.
 *
 * @param events bodies, in the order in which they were taken
 * @returns keys of the incidents that are open
 */
export function incidentsAfter(events: Iterable<string>): ReadonlySet<string> {
  const open = new Set<string>()
  for (const event of events) {
    const { dedupKey, isTrigger } = triggers(event)
    if (isTrigger) open.add(dedupKey)
    else open.delete(dedupKey)
  }
  return open
}

/** Whether an event triggers or resolves, and what. */
export function triggers(body: string): { readonly dedupKey: string; readonly isTrigger: boolean } {
  const { dedup_key, event_action } = JSON.parse(body) as { dedup_key: string; event_action: string }
  return { dedupKey: dedup_key, isTrigger: event_action !== 'resolve' }
}
