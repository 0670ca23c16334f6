import type { Cause } from '#lib/cause.ts'
import type { Evidence, Gap } from '#lib/facts.ts'
import type { Rule } from '#lib/plan.ts'
import type { FoldOutput } from '#lib/runtime/define-service.ts'
import { formatInstant, type Instant } from '#lib/time.ts'
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
import { evidenceNote, evidenceOf, gapWords, newestEvidence, windowWords } from './evidence.ts'
import type { JudgedWindow, WindowNews } from './judged-window.ts'
import { corrected } from './judged-window.ts'
import { decideSilence, type SilenceSignal } from './no-data.ts'
import { startsAnew } from './streak.ts'

/** What is known of one source's silence. */
export interface NoDataWatch {
  /** While no alert is open: the thin windows in a row, in order of start. */
  readonly run: JudgedWindow[]
  open: OpenNoData | null
  /** Ended alerts of which a window may still be corrected. */
  readonly closed: EndedEpisode[]
}

export interface OpenNoData {
  readonly episode: Episode
  gaps: number
  thin: number
  /** Up to and including the gap that made it critical. */
  gapEvidence: readonly Evidence[]
  /** The newest slot without a sample, or start of a window with too few. */
  silentUntilAt: Instant
}

export interface GapNews {
  readonly fact: Gap
  readonly key: string
  readonly cause: Cause
  readonly rule: Rule
}

export const newNoDataWatch = (): NoDataWatch => ({ run: [], open: null, closed: [] })

/** Expected slots went by without a sample. */
export function countGap(watch: NoDataWatch, news: GapNews): readonly FoldOutput[] {
  const { fact, rule } = news
  const evidence = evidenceOf(news.key, fact)
  if (!watch.open) {
    const decided = decideSilence.quiet.gap({ gaps: 1, thin: 0 }, rule)
    watch.run.length = 0
    const episode = newEpisode('no_data', news, { at: fact.slotAt, since: [...news.cause], windows: [] })
    watch.open = { episode, gaps: 1, thin: 0, gapEvidence: [evidence], silentUntilAt: fact.slotAt }
    const reason = `${decided.reason}: ${gapWords(fact)}`
    return [speak(episode, news, { kind: 'opened', reason, streak: 1, evidence: [evidence] })]
  }
  const { open } = watch
  open.gaps++
  open.silentUntilAt = Math.max(open.silentUntilAt, fact.slotAt)
  const decided = decideSilence[open.episode.severity].gap(open, rule)
  if (open.episode.severity === 'warning') open.gapEvidence = [...open.gapEvidence, evidence]
  const reason = `${decided.reason}: ${gapWords(fact)}`
  if (decided.transition === null) return remindIfDue(open.episode, news, { reason, streak: open.gaps })
  return [
    speak(open.episode, news, { kind: decided.transition, reason, streak: open.gaps, evidence: open.gapEvidence }),
  ]
}

/** A window decided in its turn. */
export function countSamples(watch: NoDataWatch, news: WindowNews): readonly FoldOutput[] {
  return watch.open ? followSilence(watch, watch.open, news) : countThin(watch, news)
}

function countThin(watch: NoDataWatch, news: WindowNews): readonly FoldOutput[] {
  const { judged, rule } = news
  const { run } = watch
  const signal = silenceSignal(judged, null)
  const newest = run.at(-1)
  if (signal !== 'thin' || (newest && startsAnew(newest, judged))) run.length = 0
  if (signal === 'thin') run.push(judged)
  const decided = decideSilence.quiet[signal]({ gaps: 0, thin: run.length }, rule)
  if (decided.transition === null) return []
  const thin = run.length
  const evidence = newestEvidence(run.flatMap((window) => window.evidence ?? []))
  const parts = { at: run[0]!.startAt, since: oldestCause(run.map(({ cause }) => cause)), windows: run.splice(0) }
  const episode = newEpisode('no_data', news, parts)
  watch.open = { episode, gaps: 0, thin, gapEvidence: [], silentUntilAt: judged.startAt }
  const reason = decided.reason + evidenceNote(evidence.length, thin)
  return [speak(episode, news, { kind: decided.transition, reason, streak: thin, evidence })]
}

function followSilence(watch: NoDataWatch, open: OpenNoData, news: WindowNews): readonly FoldOutput[] {
  const { fact, judged, rule } = news
  const { episode } = open
  const signal = silenceSignal(judged, open)
  if (signal === 'closed') return []
  if (signal === 'thin') {
    open.thin++
    open.silentUntilAt = Math.max(open.silentUntilAt, judged.startAt)
  }
  addWindow(episode, judged)
  forgetUncorrectable(episode, fact.decidedAt)
  const decided = decideSilence[episode.severity][signal](open, rule)
  if (decided.transition === null) return remindIfDue(episode, news, { reason: decided.reason, streak: 1 })
  const reason = `${decided.reason}: window ${formatInstant(fact.startAt)}, ${windowWords(fact)}`
  return [end(watch, open, endFor(episode, news, reason))]
}

function silenceSignal(window: JudgedWindow, open: OpenNoData | null): SilenceSignal {
  if (window.signal === 'closed') return 'closed'
  if (window.signal === 'insufficient') return 'thin'
  return open && window.endAt <= open.silentUntilAt ? 'earlier' : 'enough'
}

/** A revision, or a window that was not decided in its turn. It opens nothing; late samples may end a silence. */
export function correctSamples(watch: NoDataWatch, news: WindowNews): readonly FoldOutput[] {
  return watch.open ? correctOpen(watch, watch.open, news) : correctRun(watch, news)
}

function correctRun({ run }: NoDataWatch, { judged }: WindowNews): readonly FoldOutput[] {
  if (judged.signal === 'insufficient') {
    const index = run.findIndex(({ startAt }) => startAt === judged.startAt)
    if (run[index]) run[index] = corrected(run[index], judged)
  } else {
    run.splice(0, run.findLastIndex(({ startAt }) => startAt <= judged.startAt) + 1)
  }
  return []
}

function correctOpen(watch: NoDataWatch, open: OpenNoData, news: WindowNews): readonly FoldOutput[] {
  const { fact, judged } = news
  const { episode } = open
  const index = indexOfWindow(episode, judged.startAt)
  const old = episode.windows[index]
  if (old) episode.windows[index] = corrected(old, judged)
  const words = old ? correctionWords(old, fact) : `window ${formatInstant(fact.startAt)}, ${windowWords(fact)}`
  if (silenceSignal(judged, open) === 'enough') {
    const decided = decideSilence[episode.severity].enough(open, news.rule)
    return [end(watch, open, endFor(episode, news, `${decided.reason}, late: ${words}`))]
  }
  return old ? [annotate(episode, news, words)] : []
}

/** The source is judged by this rule no more: an open alert ends, and what was before counts for no run. */
export function stopNoDataWatch(watch: NoDataWatch, occasion: Occasion, reason: string): readonly FoldOutput[] {
  watch.run.length = 0
  if (!watch.open) return []
  const { open } = watch
  return [end(watch, open, endFor(open.episode, occasion, reason))]
}

function end(watch: NoDataWatch, open: OpenNoData, last: FoldOutput): FoldOutput {
  watch.open = null
  keepClosed(watch.closed, open.episode)
  return last
}
