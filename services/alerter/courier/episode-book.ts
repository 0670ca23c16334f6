import { type Cause, compareCauses } from '#lib/cause.ts'
import type { Alert } from '#lib/facts.ts'
import type { FoldInput } from '#lib/runtime/define-service.ts'
import { DAY_MS, HOUR_MS, type Instant, type Milliseconds } from '#lib/time.ts'
import { isChange } from './decide.ts'

/** What a courier knows of the transitions of one partition: all that a decision may ask for, and what is undecided. */
export interface EpisodeBook {
  /** Time: the newest deciding tick. */
  nowAt: Instant | null
  /** By alert id. */
  readonly episodes: Map<string, Episode>
  /** Openings and ends of each source by a rule, oldest first; by what alerts of it have in common. */
  readonly changes: Map<string, Change[]>
  /** In the order of the log. */
  readonly undecided: Map<string, Transition>
  prunedAt: Instant
}

/** One alert from its opening on. */
export interface Episode {
  readonly firstCause: Cause
  isOpen: boolean
  /** By sequence, so far as they are not before the mark. */
  readonly transitions: Transition[]
}

export interface Transition {
  readonly key: string
  readonly cause: Cause
  readonly alert: Alert
}

/** An opening or an end. */
interface Change {
  readonly key: string
  readonly at: Instant
}

/** A transition found later than this is no news when a newer one of its alert is known. */
export const NEWS_MS = HOUR_MS

/** The longest time that something may be tried again after an alert has ended, and that flapping may look back. */
const KEEP_MS = 14 * DAY_MS
const PRUNE_EVERY_MS = HOUR_MS

export const emptyBook = (): EpisodeBook => ({
  nowAt: null,
  episodes: new Map(),
  changes: new Map(),
  undecided: new Map(),
  prunedAt: Number.NEGATIVE_INFINITY,
})

/** Takes the next transition; a copy of one that is known changes nothing. */
export function take(book: EpisodeBook, { key, cause, value }: FoldInput<Alert>): void {
  book.nowAt = Math.max(book.nowAt ?? value.decidedAt, value.decidedAt)
  const episode = book.episodes.get(value.alertId) ?? { firstCause: cause, isOpen: false, transitions: [] }
  if ((episode.transitions.at(-1)?.alert.sequence ?? -1) >= value.sequence) return
  book.episodes.set(value.alertId, episode)
  const transition = { key, cause, alert: value }
  episode.transitions.push(transition)
  if (value.kind !== 'annotated') episode.isOpen = value.kind !== 'resolved'
  if (isChange(value.kind)) changesOf(book, value).push({ key, at: value.decidedAt })
  book.undecided.set(key, transition)
  if (book.nowAt - book.prunedAt > PRUNE_EVERY_MS) prune(book, book.nowAt)
}

/** Whether the log holds a newer transition of this alert that is told in the place of this one: a correction is not. */
export function hasNewer(book: EpisodeBook, { alert }: Transition): boolean {
  const newest = book.episodes.get(alert.alertId)?.transitions.findLast((each) => each.alert.kind !== 'annotated')
  return (newest?.alert.sequence ?? 0) > alert.sequence
}

/** Openings and ends of the alert's source by its rule in the time up to this transition, itself included, oldest first. */
export function changesWithin(book: EpisodeBook, alert: Alert, withinMs: Milliseconds): readonly Change[] {
  const { decidedAt } = alert
  return changesOf(book, alert).filter(({ at }) => at > decidedAt - withinMs && at <= decidedAt)
}

/**
 * The openings and ends up to this transition since which its source flaps by this rule: each has as many, or more, in the time
 * before it, without a calm in between. Empty: it does not flap.
 */
export function flappingSince(
  book: EpisodeBook,
  alert: Alert,
  { changes: limit, withinMs }: { readonly changes: number; readonly withinMs: Milliseconds },
): readonly Change[] {
  const known = changesOf(book, alert).filter(({ at }) => at <= alert.decidedAt)
  let [calm, oldest] = [-1, 0]
  for (const [i, { at }] of known.entries()) {
    while (known[oldest]!.at <= at - withinMs) oldest++
    if (i - oldest + 1 < limit) calm = i
  }
  return known.slice(calm + 1)
}

/** Whether a transition says that an alert is critical, and open. */
export function isCritical({ alert: { kind, severity } }: Transition): boolean {
  return severity === 'critical' && kind !== 'annotated' && kind !== 'resolved'
}

/** The oldest record that a restart needs: of what is undecided, open, or ended not long ago. */
export function oldestNeeded(book: EpisodeBook): Cause | null {
  let oldest: Cause | null = null
  const consider = (cause: Cause): void => {
    if (oldest === null || compareCauses(cause, oldest) < 0) oldest = cause
  }
  for (const { firstCause } of book.episodes.values()) consider(firstCause)
  return oldest
}

/** When the oldest transition in the book was decided; what anybody has said about any of them is younger. */
export function oldestAt(book: EpisodeBook): Instant | null {
  let oldest: Instant | null = null
  for (const { transitions } of book.episodes.values())
    oldest = Math.min(oldest ?? Number.POSITIVE_INFINITY, transitions[0]!.alert.decidedAt)
  return oldest
}

/** What all alerts of a source by a rule have in common. */
export function changesName({ about, ruleId, source }: Alert): string {
  return `${about}/${ruleId}/${source}`
}

function changesOf(book: EpisodeBook, alert: Alert): Change[] {
  const name = changesName(alert)
  const changes = book.changes.get(name) ?? []
  book.changes.set(name, changes)
  return changes
}

function prune(book: EpisodeBook, nowAt: Instant): void {
  book.prunedAt = nowAt
  for (const [alertId, { isOpen, transitions }] of book.episodes) {
    const isOld = transitions.at(-1)!.alert.decidedAt < nowAt - KEEP_MS
    if (isOld && !isOpen && !transitions.some(({ key }) => book.undecided.has(key))) book.episodes.delete(alertId)
  }
  for (const [name, changes] of book.changes) {
    const kept = changes.filter(({ at }) => at > nowAt - KEEP_MS)
    if (kept.length === 0) book.changes.delete(name)
    else book.changes.set(name, kept)
  }
}
