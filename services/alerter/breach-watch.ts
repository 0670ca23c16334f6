import type { Cause } from '#lib/cause.ts'
import type { Rule } from '#lib/plan.ts'
import type { FoldOutput } from '#lib/runtime/define-service.ts'
import type { Instant } from '#lib/time.ts'
import type { EndedEpisode, Episode, Occasion } from './episode.ts'
import {
  addWindow,
  annotate,
  correctionWords,
  endFor,
  forgetUncorrectable,
  indexOfWindow,
  keepClosed,
  newEpisode,
  oldestCause,
  remindIfDue,
  speak,
} from './episode.ts'
import type { Decided, Tally, Transition } from './escalation.ts'
import { addToTally, decide, emptyTally } from './escalation.ts'
import { breachWords, evidenceNote } from './evidence.ts'
import type { JudgedWindow, WindowNews } from './judged-window.ts'
import { corrected, insertByStart, isYoung } from './judged-window.ts'
import { runningStreak, trimQuiet } from './streak.ts'

/** What is known of one source's breaches. */
export interface BreachWatch {
  /** While no alert is open: the windows that a streak may still be made of, in order of start. */
  readonly quiet: JudgedWindow[]
  open: OpenBreach | null
  /** Ended alerts of which a window may still be corrected. */
  readonly closed: EndedEpisode[]
}

export interface OpenBreach {
  readonly episode: Episode
  /** Breaches in a row that it takes to open: the fewest that the rule has asked for since. */
  openedAfter: number
  /** Of its windows that are too old to be corrected, and are forgotten one by one. */
  base: Tally
  /** Of all its windows. */
  tally: Tally
}

export const newBreachWatch = (): BreachWatch => ({ quiet: [], open: null, closed: [] })

/** A window decided in its turn. */
export function countWindow(watch: BreachWatch, news: WindowNews): readonly FoldOutput[] {
  if (watch.open) return followOpen(watch, watch.open, news)
  trimQuiet(watch.quiet, news.fact.decidedAt)
  insertByStart(watch.quiet, news.judged)
  return openIfDue(watch, news, '')
}

function openIfDue(watch: BreachWatch, news: WindowNews, words: string): readonly FoldOutput[] {
  const { judged, rule } = news
  const streak = runningStreak(watch.quiet)
  const decided = decide.quiet[judged.signal]({ breaches: streak.length, recovered: 0 }, rule)
  const named = identify(watch.closed, streak)
  if (decided.transition === null || !named) return []
  const windows = watch.quiet.splice(0).filter(({ startAt }) => startAt >= streak[0]!.startAt)
  const episode = newEpisode('breach', news, { ...named, windows })
  const tally = windows.reduce(addToTally, emptyTally)
  const open = { episode, openedAfter: rule.warningAfter, base: emptyTally, tally }
  watch.open = open
  const said = [say(watch, open, news, prefixed(words, decided))]
  const further = decide.warning[judged.signal](tally, rule)
  if (further.transition !== null) said.push(say(watch, open, news, prefixed(words, further)))
  return said
}

/**
 * The window that gives an alert its id: the first of the streak, and the oldest fact the alert then rests on. Late
 * samples may revive a streak whose alert has ended. A window names one alert only, so the next one names the new alert,
 * which rests on the old one, too.
 *
 * @returns `undefined` when every window of the streak has named an alert: it waits for another breach
 */
function identify(
  closed: readonly EndedEpisode[],
  streak: readonly JudgedWindow[],
): { at: Instant; since: Cause } | undefined {
  const taken = closed.filter((episode) => streak.some(({ startAt }) => startAt === episode.at))
  const first = streak.find(({ startAt }) => !taken.some((episode) => episode.at === startAt))
  const causes = [...streak.map(({ cause }) => cause), ...taken.map(({ since }) => since)]
  return first && { at: first.startAt, since: oldestCause(causes) }
}

/** Whether an ended alert still matters at `now`: a window of it may be corrected, or a streak holds the one it is named after. */
export function isRemembered(episode: EndedEpisode, quiet: readonly JudgedWindow[], now: Instant): boolean {
  return episode.correctableUntilAt >= now || quiet.some(({ startAt }) => startAt === episode.at)
}

function followOpen(watch: BreachWatch, open: OpenBreach, news: WindowNews): readonly FoldOutput[] {
  const { fact, judged, rule } = news
  const { episode } = open
  const tally = addToTally(open.tally, judged)
  const decided = decide[episode.severity][judged.signal](tally, rule)
  if (judged.signal === 'closed') return []
  open.tally = tally
  open.openedAfter = Math.min(open.openedAfter, rule.warningAfter)
  episode.thresholdMs = rule.thresholdMs
  addWindow(episode, judged)
  open.base = forgetUncorrectable(episode, fact.decidedAt).reduce(addToTally, open.base)
  if (decided.transition !== null) return [say(watch, open, news, decided)]
  return remindIfDue(episode, news, { reason: decided.reason, streak: tally.breaches })
}

/**
 * A late revision. It counts for a window that is known, as what it says now; a page it may bring only while the window
 * is young.
 */
export function correctWindow(watch: BreachWatch, news: WindowNews): readonly FoldOutput[] {
  return watch.open ? correctOpen(watch, watch.open, news) : correctQuiet(watch, news)
}

function correctQuiet(watch: BreachWatch, news: WindowNews): readonly FoldOutput[] {
  const { quiet } = watch
  const { fact, judged } = news
  trimQuiet(quiet, fact.decidedAt)
  const index = quiet.findIndex(({ startAt }) => startAt === judged.startAt)
  const old = quiet[index]
  if (!old) return []
  quiet[index] = corrected(old, judged)
  const inStreak = runningStreak(quiet).some(({ startAt }) => startAt === judged.startAt)
  return inStreak && isYoung(judged, fact.decidedAt) ? openIfDue(watch, news, `${correctionWords(old, fact)}; `) : []
}

function correctOpen(watch: BreachWatch, open: OpenBreach, news: WindowNews): readonly FoldOutput[] {
  const { fact, judged } = news
  const { episode } = open
  const index = indexOfWindow(episode, judged.startAt)
  const old = episode.windows[index]
  if (!old) return []
  episode.windows[index] = corrected(old, judged)
  open.tally = episode.windows.reduce(addToTally, open.base)
  const words = correctionWords(old, fact)
  if (open.tally.longest < open.openedAfter) {
    const reason = `${words}; so there were never ${open.openedAfter} windows in a row in breach`
    return [end(watch, open, endFor(episode, news, reason), fact.decidedAt)]
  }
  const decided = decideAfterCorrection(open, news)
  if (decided.transition !== null) return [say(watch, open, news, prefixed(`${words}; `, decided))]
  return [annotate(episode, news, words)]
}

/** A correction may complete a recovery; to critical it leads only by a breach in a young window. */
function decideAfterCorrection(open: OpenBreach, { fact, judged, rule }: WindowNews): Decided {
  const row = decide[open.episode.severity]
  const recovery = row.recovered(open.tally, rule)
  const mayPage = judged.signal === 'breach' && isYoung(judged, fact.decidedAt)
  return mayPage && recovery.transition === null ? row.breach(open.tally, rule) : recovery
}

/** At a fact that tells nothing about latency a reminder may be due. */
export function remindBreach(
  watch: BreachWatch,
  occasion: Occasion & { readonly rule: Rule },
  reason: string,
): readonly FoldOutput[] {
  return watch.open ? remindIfDue(watch.open.episode, occasion, { reason, streak: watch.open.tally.breaches }) : []
}

/** The source is judged by this rule no more: an open alert ends, and nothing from before counts for a streak. */
export function stopBreachWatch(watch: BreachWatch, occasion: Occasion, reason: string): readonly FoldOutput[] {
  const said = watch.open
    ? [end(watch, watch.open, endFor(watch.open.episode, occasion, reason), occasion.fact.decidedAt)]
    : []
  watch.quiet.length = 0
  return said
}

function say(watch: BreachWatch, open: OpenBreach, news: WindowNews, decided: Transition): FoldOutput {
  const { breaches, breachEvidence, recovered, recoveryEvidence } = open.tally
  const kind = decided.transition
  if (kind === 'resolved') {
    const reason = decided.reason + evidenceNote(recoveryEvidence.length, recovered)
    const saying = { kind, reason, streak: recovered, evidence: recoveryEvidence }
    return end(watch, open, speak(open.episode, news, saying), news.fact.decidedAt)
  }
  const note = evidenceNote(breachEvidence.length, breaches)
  const reason = `${decided.reason}, this one with ${breachWords(news.fact, news.rule)}${note}`
  return speak(open.episode, news, { kind, reason, streak: breaches, evidence: breachEvidence })
}

const prefixed = (words: string, decided: Transition): Transition => ({ ...decided, reason: words + decided.reason })

/** After an alert its windows are windows like others: the next streak may begin among them. */
function end(watch: BreachWatch, { episode }: OpenBreach, last: FoldOutput, at: Instant): FoldOutput {
  watch.open = null
  watch.quiet.push(...episode.windows)
  trimQuiet(watch.quiet, at)
  keepClosed(watch.closed, episode)
  return last
}
