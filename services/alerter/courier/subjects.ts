import { joinKey } from '#lib/keys.ts'

/** What a message is about, as the ledger names it. A transition is named by its key, `alert id/sequence`. */

/** A critical alert that nobody acknowledged in time. */
export function unacknowledgedSubject(alertId: string): string {
  return joinKey(alertId, 'unacknowledged')
}

/** The alert, or what else it is, that a subject belongs to: all but its last part. */
export function alertIdOf(subject: string): string {
  return subject.slice(0, subject.lastIndexOf('/'))
}
