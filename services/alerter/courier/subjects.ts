import { joinKey, keyPart } from '#lib/keys.ts'
import { formatInstantMs, type Instant, parseInstant, utcDay } from '#lib/time.ts'

/** What a message is about, as the ledger names it. A transition is named by its key, `alert id/sequence`. */

/** A critical alert that nobody acknowledged in time. */
export function unacknowledgedSubject(alertId: string): string {
  return joinKey(alertId, 'unacknowledged')
}

/** A channel that takes nothing any more: `channel/ops/gone/2026-06-27`, once a day. */
export function channelSubject(channel: string, reason: 'gone' | 'unauthorized', at: Instant): string {
  return joinKey('channel', keyPart(channel), reason, utcDay(at))
}

/** A silence of the sampler, and its end: `sampler/2026-06-27T20:00:00.000Z/silent`, the instant of the last tick before it. */
export function samplerSubject(sinceAt: Instant, what: 'silent' | 'back'): string {
  return joinKey('sampler', formatInstantMs(sinceAt), what)
}

const SAMPLER = /^sampler\/([^/]+)\/(silent|back)$/

/** What `samplerSubject` was made from; `undefined` for another subject. */
export function parseSamplerSubject(subject: string): { readonly sinceAt: Instant; readonly what: string } | undefined {
  const [, time, what] = SAMPLER.exec(subject) ?? []
  return time === undefined ? undefined : { sinceAt: parseInstant(time)!, what: what! }
}

/** Whether a subject concerns no single alert. */
export function isOfHouse(subject: string): boolean {
  return /^(channel|sampler)\//.test(subject)
}

/** The alert, or what else it is, that a subject belongs to: all but its last part. */
export function alertIdOf(subject: string): string {
  return subject.slice(0, subject.lastIndexOf('/'))
}

/** Messages about one alert go through a channel one after the other. */
export function laneOf({ subject, channel }: { readonly subject: string; readonly channel: string }): string {
  return joinKey(alertIdOf(subject), channel)
}
