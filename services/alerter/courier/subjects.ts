import { joinKey } from '#lib/keys.ts'

/** What a message is about, as the ledger names it. A transition is named by its key, `alert id/sequence`. */

/** A critical alert that nobody acknowledged in time. */
export function unacknowledgedSubject(alertId: string): string {
  return joinKey(alertId, 'unacknowledged')
}

/** The alert that a subject belongs to: all but its last part. */
export function alertIdOf(subject: string): string {
  return subject.slice(0, subject.lastIndexOf('/'))
}

/** Messages about one alert go through a channel one after the other. */
export function laneOf({ subject, channel }: { readonly subject: string; readonly channel: string }): string {
  return joinKey(alertIdOf(subject), channel)
}
