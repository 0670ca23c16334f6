import type { Instant } from './time.ts'
import { formatInstant } from './time.ts'

/**
 * The key grammar. `/` separates parts and nothing else; letters and digits of any script, `_`, `.` and `-` stand for
 * themselves; every other character of a part is percent-encoded as UTF-8.
 */
const PLAIN = /^[\p{L}\p{M}\p{N}_.-]*$/u
const FOREIGN = /[^\p{L}\p{M}\p{N}_.-]/gu

/** One part of a key. @throws RangeError when the part is empty */
export function keyPart(text: string): string {
  if (text === '') throw new RangeError('a key part is empty')
  return PLAIN.test(text) ? text : text.replaceAll(FOREIGN, percentEncode)
}

function percentEncode(character: string): string {
  return Array.from(
    Buffer.from(character, 'utf8'),
    (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
  ).join('')
}

/** Joins parts to a key, e.g. `router_demo/2026-06-27T23:00:00Z/r0`. Instants are written by `instantPart`. */
export function joinKey(...parts: readonly string[]): string {
  return parts.join('/')
}

/** An instant as a key part: RFC 3339 UTC seconds, whose colons stay as they are. */
export function instantPart(at: Instant): string {
  return formatInstant(at)
}

const MAX_ID_CHARACTERS = 64
const MAX_ID_BYTES = 96
const ID = /^[\p{L}\p{M}\p{N}_.-]+$/u

/** Whether `text` may be the id of a source or a rule: 1–64 letters, digits, `_`, `.`, `-`, at most 96 bytes of UTF-8. */
export function isId(text: string): boolean {
  return ID.test(text) && [...text].length <= MAX_ID_CHARACTERS && Buffer.byteLength(text) <= MAX_ID_BYTES
}

/** `source/start/r<revision>`: a window and its breach. */
export function windowKey(source: string, startAt: Instant, revision: number): string {
  return `${windowName(source, startAt)}/r${revision}`
}

/** What all revisions of one window share. */
export function windowName(source: string, startAt: Instant): string {
  return joinKey(keyPart(source), instantPart(startAt))
}

/** `source/gap/slot`: a gap, which is said once. */
export function gapKey(source: string, slotAt: Instant): string {
  return joinKey(keyPart(source), 'gap', instantPart(slotAt))
}

/**
 * `source/rejected/<sample id>`; the id is the scheduled time with milliseconds, since samples of one second differ,
 * and the ordinal.
 */
export function rejectedKey(source: string, scheduledAt: Instant, ordinal: number): string {
  return joinKey(keyPart(source), 'rejected', `${new Date(scheduledAt).toISOString()}.${ordinal}`)
}

/** `alert id/sequence`, the sequence with four digits so that keys sort. */
export function alertKey(alertId: string, sequence: number): string {
  return `${alertId}/${String(sequence).padStart(4, '0')}`
}

/**
 * `breach/rule/source/start`, `no_data/rule/source/start` or `no_data/rule/source/gap/slot`: one id per episode.
 *
 * @param begin the name of what the episode began with, a window or a gap: a slot and a window that start at one instant
 *   may each begin one, when rules changed and changed back between them
 */
export function alertId(about: 'breach' | 'no_data', ruleId: string, begin: string): string {
  return joinKey(about, keyPart(ruleId), begin)
}

/**
 * What a key is about, without what tells one saying from the next: `source/start/r2` → `source/start`,
 * `source/gap/slot` → `source/gap`. Other keys are their own name.
 */
export function factName(key: string): string {
  const last = key.lastIndexOf('/')
  if (last < 0) return key
  if (REVISION.test(key.slice(last + 1))) return key.slice(0, last)
  return key.slice(0, last).endsWith('/gap') ? key.slice(0, last) : key
}

const REVISION = /^r\d+$/
