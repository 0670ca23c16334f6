import type { Cause } from '#lib/cause.ts'
import { compareCauses } from '#lib/cause.ts'
import type { Alert, AlertKind, Evidence, Gap, Window } from '#lib/facts.ts'
import { alertId, alertKey, gapKey, windowName } from '#lib/keys.ts'
import type { Rule } from '#lib/plan.ts'
import type { FoldOutput } from '#lib/runtime/define-service.ts'
import { formatInstant, HOUR_MS, type Instant, MINUTE_MS, type Milliseconds } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { evidenceOf, MAX_EVIDENCE, windowWords } from './evidence.ts'
import type { JudgedWindow, WindowNews } from './judged-window.ts'
import { insertByStart } from './judged-window.ts'

/** One alert from its opening on. All its transitions share an id, and their sequence has no hole. */
export interface Episode {
  readonly about: 'breach' | 'no_data'
  readonly id: string
  readonly source: string
  readonly ruleId: string
  /** The instant in its id: start of the window, or the slot, that it is named after. */
  readonly at: Instant
  readonly openedAt: Instant
  /** The oldest fact it rests on: a restart folds from there. */
  readonly since: Cause
  thresholdMs: number | null
  severity: 'warning' | 'critical'
  nextSequence: number
  /** When it last spoke of itself; annotations do not count. */
  spokeAt: Instant
  /** Its windows that a late revision may still change, in order of start. */
  readonly windows: JudgedWindow[]
  /** After this no correction of any of its windows is taken. */
  correctableUntilAt: Instant
}

/** An alert that has ended: of its windows only what a note on a late revision says. There may be a hundred thousand. */
export interface EndedEpisode extends Omit<Episode, 'windows'> {
  readonly windows: Pick<JudgedWindow, 'startAt' | 'verdict'>[]
}

/** The first of some causes, at least one. */
export function oldestCause(causes: readonly Cause[]): Cause {
  return causes.reduce(olderCause)
}

/** The first of two causes. */
export function olderCause(a: Cause, b: Cause): Cause {
  return compareCauses(b, a) < 0 ? b : a
}

/** The fact that a transition follows from. */
export interface Occasion {
  readonly fact: Window | Gap
  readonly key: string
}

export interface Saying {
  readonly kind: AlertKind
  readonly reason: string
  readonly streak: number
  readonly evidence: readonly Evidence[]
}

/** @param parts `at`: the slot or the start of the window that it began with; `windows`: in order of start, kept and changed */
export function newEpisode(
  about: 'breach' | 'no_data',
  occasion: Occasion & { readonly rule: Rule },
  parts: { readonly at: Instant; readonly since: Cause; readonly windows: JudgedWindow[] },
): Episode {
  const { rule } = occasion
  const { type, source, decidedAt } = occasion.fact
  const begin = type === 'gap' ? gapKey(source, parts.at) : windowName(source, parts.at)
  return {
    about,
    id: alertId(about, rule.id, begin),
    source,
    ruleId: rule.id,
    at: parts.at,
    openedAt: decidedAt,
    since: parts.since,
    thresholdMs: about === 'breach' ? rule.thresholdMs : null,
    severity: 'warning',
    nextSequence: 0,
    spokeAt: decidedAt,
    windows: parts.windows,
    correctableUntilAt: parts.windows.reduce(
      (latest, window) => Math.max(latest, window.correctableUntilAt),
      decidedAt,
    ),
  }
}

/** Says a transition, and moves severity, sequence and the base of reminders. */
export function speak(episode: EndedEpisode, occasion: Occasion, saying: Saying): FoldOutput {
  const { fact } = occasion
  if (saying.kind === 'escalated') episode.severity = 'critical'
  if (saying.kind !== 'annotated') episode.spokeAt = fact.decidedAt
  const sequence = episode.nextSequence++
  const alert: Alert = {
    alertId: episode.id,
    sequence,
    kind: saying.kind,
    about: episode.about,
    severity: episode.severity,
    ruleId: episode.ruleId,
    source: episode.source,
    decidedAt: fact.decidedAt,
    eventAt: fact.type === 'gap' ? fact.slotAt : fact.endAt,
    openedAt: episode.openedAt,
    reason: saying.reason,
    streak: saying.streak,
    thresholdMs: episode.thresholdMs,
    plan: fact.plan,
    evidence: saying.evidence,
  }
  return { topic: topics.alert, key: alertKey(episode.id, sequence), value: alert }
}

/** A reminder when one is due, saying why nothing else has happened. Decided at the source's next fact, never between. */
export function remindIfDue(
  episode: Episode,
  occasion: Occasion & { readonly rule: Rule },
  standing: { readonly reason: string; readonly streak: number },
): readonly FoldOutput[] {
  const { decidedAt } = occasion.fact
  if (decidedAt < episode.spokeAt + occasion.rule.reminderMs) return []
  const reason = `open for ${lengthWords(decidedAt - episode.openedAt)}; ${standing.reason}`
  const evidence = [evidenceOf(occasion.key, occasion.fact)]
  return [speak(episode, occasion, { kind: 'reminded', reason, streak: standing.streak, evidence })]
}

/** `4 h 10 min`; seconds are cut off. */
export function lengthWords(ms: Milliseconds): string {
  const hours = Math.floor(ms / HOUR_MS)
  const minutes = Math.floor((ms % HOUR_MS) / MINUTE_MS)
  if (hours === 0) return `${minutes} min`
  return minutes === 0 ? `${hours} h` : `${hours} h ${minutes} min`
}

/** Ends an alert for a reason that the deciding fact alone is the evidence of. */
export function endFor(episode: Episode, occasion: Occasion, reason: string): FoldOutput {
  const evidence = [evidenceOf(occasion.key, occasion.fact)]
  return speak(episode, occasion, { kind: 'resolved', reason, streak: 0, evidence })
}

/** Notes a late revision of one of the alert's windows. */
export function annotate(episode: EndedEpisode, news: WindowNews, reason: string): FoldOutput {
  const evidence = [evidenceOf(news.key, news.fact)]
  return speak(episode, news, { kind: 'annotated', reason, streak: 0, evidence })
}

/** `window 2026-06-27T12:00:00Z was breach, is ok since late samples (r1): p95 430 ms, 4 samples`. */
export function correctionWords(old: Pick<JudgedWindow, 'verdict'>, fact: Window): string {
  const window = `window ${formatInstant(fact.startAt)} was ${old.verdict}`
  return `${window}, is ${fact.verdict} since late samples (r${fact.revision}): ${windowWords(fact)}`
}

/** Remembers one more window of an alert. Only so many are ever named as evidence; of older ones it is forgotten. */
export function addWindow(episode: Episode, window: JudgedWindow): void {
  const { windows } = episode
  insertByStart(windows, window)
  const unnamed = windows.length - 1 - MAX_EVIDENCE
  const old = windows[unnamed]
  if (old?.evidence) windows[unnamed] = { ...old, evidence: null }
  episode.correctableUntilAt = Math.max(episode.correctableUntilAt, window.correctableUntilAt)
}

/** Removes and returns the windows that no correction can reach at `at`. */
export function forgetUncorrectable(episode: Episode, at: Instant): readonly JudgedWindow[] {
  const first = episode.windows.findIndex((window) => window.correctableUntilAt >= at)
  return episode.windows.splice(0, first < 0 ? episode.windows.length : first)
}

/** Keeps an ended alert for as long as one of its windows may be annotated. */
export function keepClosed(closed: EndedEpisode[], episode: Episode): void {
  closed.push({ ...episode, windows: episode.windows.map(({ startAt, verdict }) => ({ startAt, verdict })) })
}

/** Annotates the ended alerts that a corrected window belongs to. */
export function annotateClosed(closed: readonly EndedEpisode[], news: WindowNews): readonly FoldOutput[] {
  return closed.flatMap((episode) => {
    const index = indexOfWindow(episode, news.judged.startAt)
    const old = episode.windows[index]
    if (!old) return []
    episode.windows[index] = { startAt: old.startAt, verdict: news.fact.verdict }
    return [annotate(episode, news, correctionWords(old, news.fact))]
  })
}

/** @returns -1 when the window is none of the alert's */
export function indexOfWindow(episode: EndedEpisode, startAt: Instant): number {
  return episode.windows.findIndex((window) => window.startAt === startAt)
}
