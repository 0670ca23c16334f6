import type { Said, Silence } from '#lib/commands/standing.ts'
import type { Alert, AlertKind } from '#lib/facts.ts'
import { formatInstant, type Instant } from '#lib/time.ts'
import { changesWords, type Note, noteWords } from './note.ts'

/** Whether a transition is told on a channel, and why. */
export interface Verdict {
  readonly channel: string
  readonly send: boolean
  readonly code: VerdictCode
  readonly reason: string
  /** Ids of the commands that were considered. */
  readonly commands: readonly string[]
  /** What the message says beside the transition. */
  readonly note: Note | null
}

/**
 * - `routed`, `told_before`: sent; the route of its severity names the channel, or the channel was told of this alert.
 * - `flapping_notice`: the same, and the last opening or end that is told before it calms down.
 * - `silenced`, `acknowledged`, `flapping`, `superseded`: held back.
 * - `nothing_told`: the end or correction of an alert of which this channel knows nothing.
 * - `no_route`: the configuration names no channel for it.
 * - `unacknowledged`: sent, since nobody acknowledged a critical alert in time.
 * - `fallback`: sent, since another channel failed.
 * - `channel_gone`: held back; the channel has said that it is no more.
 * - `house`: sent; it concerns no single alert.
 */
export type VerdictCode =
  | 'routed'
  | 'told_before'
  | 'flapping_notice'
  | 'silenced'
  | 'acknowledged'
  | 'flapping'
  | 'superseded'
  | 'nothing_told'
  | 'no_route'
  | 'unacknowledged'
  | 'fallback'
  | 'channel_gone'
  | 'house'

/** All that a decision may rest on. */
export interface Question {
  readonly alert: Alert
  /** Channels that the route of its severity names. */
  readonly routed: readonly string[]
  /** Channels that were told something of this alert. */
  readonly told: readonly string[]
  /** Those in force that fit the alert. */
  readonly silences: readonly Silence[]
  readonly acknowledgement: Said | null
  /** Whether the log holds a newer transition of this alert, and this one is too old to be news. */
  readonly isSuperseded: boolean
  readonly flapping: FlappingView
}

/** Openings and resolves of this source by this rule within the configured time, the transition at hand among them. */
export interface FlappingView {
  readonly changes: number
  readonly limit: number
  readonly withinWords: string
  /** Channels that were told that it flaps, since it began to. */
  readonly noticed: readonly string[]
}

/** One verdict for each channel that has to do with the transition; at least one, so that every transition is accounted for. */
export function decide(question: Question): readonly Verdict[] {
  const channels = channelsFor(question)
  if (channels.length > 0) return channels.map((channel) => judge(question, channel))
  const { kind, severity } = question.alert
  return followsWhatWasTold(kind)
    ? [held(NO_CHANNEL, 'nothing_told', 'no channel was told of this alert')]
    : [held(NO_CHANNEL, 'no_route', `the route ${severity} names no channel`)]
}

/** Stands for "no channel" in the ledger; no channel can be called so. */
export const NO_CHANNEL = '*'

/** An end or a correction goes to whoever knows of the alert, and to nobody else. */
function followsWhatWasTold(kind: AlertKind): boolean {
  return kind === 'resolved' || kind === 'annotated'
}

function channelsFor({ alert, routed, told }: Question): readonly string[] {
  return followsWhatWasTold(alert.kind) ? told : [...new Set([...routed, ...(alert.kind === 'reminded' ? told : [])])]
}

function judge(question: Question, channel: string): Verdict {
  const { alert, told } = question
  if (alert.kind === 'resolved') return sent(question, endOfWhatWasTold(channel))
  if (question.isSuperseded)
    return held(channel, 'superseded', 'found late, when the log held a newer transition of this alert already')
  if (alert.kind === 'annotated') return tell(channel, 'told_before', 'a correction of what this channel was told')
  return heldOrSent(question, tell(channel, 'routed', routeWords(question, told.includes(channel))))
}

/** The end of an alert, for a channel that was told of it. */
export function endOfWhatWasTold(channel: string): Verdict {
  return tell(channel, 'told_before', 'the end of what this channel was told')
}

/** What operators hold back. */
function suppressed({ alert, silences, acknowledgement }: Question, channel: string): Verdict | undefined {
  const silenced = silencedBy(silences, channel)
  if (silenced) return silenced
  if (alert.kind === 'reminded' && acknowledgement) {
    const reason = `acknowledged by ${acknowledgement.by}: ${acknowledgement.reason}`
    return { ...held(channel, 'acknowledged', reason), commands: [acknowledgement.commandId] }
  }
  return undefined
}

function heldFlapping({ alert, flapping }: Question, channel: string): Verdict | undefined {
  const isKnown = flapping.noticed.includes(channel)
  if (alert.kind !== 'opened' || flapping.changes < flapping.limit || !isKnown) return undefined
  return held(channel, 'flapping', `${changesWords(flapping)}, which was told`)
}

function silencedBy(silences: Question['silences'], channel: string): Verdict | undefined {
  const [silence] = silences
  if (!silence) return undefined
  const reason = `silenced by ${silence.said.by} until ${formatInstant(silence.endsAt)}: ${silence.said.reason}`
  return { ...held(channel, 'silenced', reason), commands: silences.map(({ id }) => id) }
}

/** A critical alert that was told and that nobody acknowledged in time, once. */
export function decideUnacknowledged(channels: readonly string[], withinWords: string): readonly Verdict[] {
  const note = { kind: 'unacknowledged', withinWords } as const
  const reason = noteWords(note, 'en')
  return channels.map((channel) => ({ channel, send: true, code: 'unacknowledged', reason, commands: [], note }))
}

/**
 * Verdicts as they become when some channels are gone: nothing is sent there, and the fallback is told in their place.
 *
 * @param question what was asked; without it nothing is held back from the fallback
 * @param goneSince when a channel said that it is gone; `null`: it is there
 */
export function avoidingGone(
  { verdicts, question }: { readonly verdicts: readonly Verdict[]; readonly question?: Question },
  goneSince: (channel: string) => Instant | null,
  fallback: string | null,
): readonly Verdict[] {
  const judged = verdicts.map((verdict) => {
    const at = verdict.send ? goneSince(verdict.channel) : null
    return at === null ? verdict : held(verdict.channel, 'channel_gone', `${goneWords(at)}; ${verdict.reason}`)
  })
  const gone = judged.find(({ code }) => code === 'channel_gone')
  const isTold = judged.some(({ channel }) => channel === fallback)
  if (!gone || fallback === null || isTold || goneSince(fallback) !== null) return judged
  const verdict = fallbackVerdict(fallback, { kind: 'gone', channel: gone.channel })
  return [...judged, question ? heldOrSent(question, verdict) : verdict]
}

function goneWords(at: Instant): string {
  return `it is gone since ${formatInstant(at)}, until its configuration changes or a test of it succeeds`
}

/** A channel that has failed. */
export interface Failure {
  readonly channel: string
  /** So many requests were made. */
  readonly attempts: number
  readonly fallback: string
}

/** What the fallback is told in the place of a channel that failed; operators hold back from it what they hold back from others. */
export function decideFallback(question: Question, { channel, attempts, fallback }: Failure): Verdict {
  return heldOrSent(question, fallbackVerdict(fallback, { kind: 'failed', channel, attempts }))
}

/** What is to be sent, unless operators hold it back, or it flaps and that was told. */
function heldOrSent(question: Question, verdict: Verdict): Verdict {
  if (question.alert.kind === 'resolved') return sent(question, verdict)
  const { channel } = verdict
  return suppressed(question, channel) ?? heldFlapping(question, channel) ?? sent(question, verdict)
}

/** The fallback knows nothing of an alert that has ended. */
export function noLongerNews({ channel, fallback }: Failure): Verdict {
  return held(
    fallback,
    'nothing_told',
    `${channel} failed, but the alert has ended, and this channel was told nothing of it`,
  )
}

/** Told in the place of another channel. */
export function fallbackVerdict(channel: string, note: Note): Verdict {
  return { channel, send: true, code: 'fallback', reason: noteWords(note, 'en'), commands: [], note }
}

function routeWords({ alert }: Question, wasTold: boolean): string {
  if (alert.kind === 'reminded')
    return wasTold ? 'it is still open' : 'it is still open, and this channel was not told yet'
  return `the route ${alert.severity} names this channel`
}

/** With the notice of flapping, if it is due. */
function sent({ alert, flapping }: Question, verdict: Verdict): Verdict {
  const { changes, limit, withinWords, noticed } = flapping
  if (!isChange(alert.kind) || changes < limit || noticed.includes(verdict.channel)) return verdict
  const note: Note = { kind: 'flapping', changes, withinWords }
  return { ...verdict, code: 'flapping_notice', reason: `${verdict.reason}; ${noteWords(note, 'en')}`, note }
}

function tell(channel: string, code: VerdictCode, reason: string): Verdict {
  return { channel, send: true, code, reason, commands: [], note: null }
}

function held(channel: string, code: VerdictCode, reason: string): Verdict {
  return { channel, send: false, code, reason, commands: [], note: null }
}

/** What counts as flapping when there is too much of it. */
export function isChange(kind: AlertKind): boolean {
  return kind === 'opened' || kind === 'resolved'
}
