import type { Cause } from '#lib/cause.ts'
import type { Gap, Window } from '#lib/facts.ts'
import type { Plan, Rule } from '#lib/plan.ts'
import { ruleFor } from '#lib/plan.ts'
import type { FoldInput, FoldOutput } from '#lib/runtime/define-service.ts'
import type { Instant } from '#lib/time.ts'
import type { BreachWatch } from './breach-watch.ts'
import {
  correctWindow,
  countWindow,
  isRemembered,
  newBreachWatch,
  remindBreach,
  stopBreachWatch,
} from './breach-watch.ts'
import type { Occasion } from './episode.ts'
import { annotateClosed, olderCause } from './episode.ts'
import { gapWords } from './evidence.ts'
import type { WindowNews } from './judged-window.ts'
import { judge } from './judged-window.ts'
import type { NoDataWatch } from './no-data-watch.ts'
import { correctSamples, countGap, countSamples, newNoDataWatch, stopNoDataWatch } from './no-data-watch.ts'
import { isForgotten, trimQuiet } from './streak.ts'
import { extendTrail, newTimeTrail, startOfTrail, type TimeTrail } from './time-trail.ts'

/** What the alerter knows of one partition. Sources do not touch each other. */
export interface AlertBoard {
  /** Time: the newest deciding tick. */
  nowAt: Instant | null
  readonly trail: TimeTrail
  readonly sources: Map<string, SourceWatch>
}

interface SourceWatch {
  /** The rule that judged it last; `null`: none has so far, or none matches. */
  ruleId: string | null
  readonly breach: BreachWatch
  readonly noData: NoDataWatch
}

/** A fact with its key and cause. */
type Place<Fact> = Pick<FoldInput<Fact>, 'cause' | 'key'> & { readonly fact: Fact }

export const emptyBoard = (): AlertBoard => ({ nowAt: null, trail: newTimeTrail(), sources: new Map() })

/** What follows from a window or a gap. `plan` is the one that judged it. */
export function foldFact(board: AlertBoard, place: Place<Window | Gap>, plan: Plan): readonly FoldOutput[] {
  const { fact } = place
  passTime(board, place, plan)
  const source = watchOf(board, fact.source)
  const rule = ruleFor(plan, fact.source)
  if (fact.type === 'gap') return foldGap(source, { ...place, fact }, rule)
  if (fact.verdict === 'retired') return fact.revision === 0 ? stop(source, { ...place, fact }, RETIRED) : []
  const window = { ...place, fact }
  return isLate(fact) ? foldLateWindow(source, window, plan, rule) : foldWindow(source, window, plan, rule)
}

const RETIRED = 'the source is no longer in the plan'

/** Not decided in its turn: a correction, not news. */
function isLate(fact: Window): boolean {
  return fact.revision > 0 || fact.late
}

function foldWindow(
  source: SourceWatch,
  place: Place<Window>,
  plan: Plan,
  rule: Rule | undefined,
): readonly FoldOutput[] {
  const said = place.fact.verdict === 'closed' ? [] : changeRule(source, place, rule)
  if (!rule) return said
  const news = newsOf(source, place, plan, rule)
  return [...said, ...countWindow(source.breach, news), ...countSamples(source.noData, news)]
}

/** A correction counts under the rule that judged the window first; if that is not in force any more, it is only noted. */
function foldLateWindow(
  source: SourceWatch,
  place: Place<Window>,
  plan: Plan,
  rule: Rule | undefined,
): readonly FoldOutput[] {
  if (!rule || place.fact.verdict === 'closed') return []
  const news = newsOf(source, place, plan, rule)
  if (news.judged.correctableUntilAt < news.fact.decidedAt) return []
  const { breach, noData } = source
  const noted = [...annotateClosed(breach.closed, news), ...annotateClosed(noData.closed, news)]
  if (rule.id !== source.ruleId) return noted
  return [...noted, ...correctWindow(breach, news), ...correctSamples(noData, news)]
}

function foldGap(source: SourceWatch, place: Place<Gap>, rule: Rule | undefined): readonly FoldOutput[] {
  const said = changeRule(source, place, rule)
  if (!rule) return said
  const news = { ...place, rule }
  return [...said, ...countGap(source.noData, news), ...remindBreach(source.breach, news, gapWords(place.fact))]
}

function newsOf(source: SourceWatch, place: Place<Window>, plan: Plan, rule: Rule): WindowNews {
  const mayBeNamed = source.breach.open !== null
  return { fact: place.fact, key: place.key, rule, judged: judge(place, plan, rule, mayBeNamed) }
}

function changeRule(source: SourceWatch, occasion: Occasion, rule: Rule | undefined): readonly FoldOutput[] {
  const before = source.ruleId
  source.ruleId = rule?.id ?? null
  if (before === null || before === source.ruleId) return []
  const reason = rule
    ? `rule ${rule.id} has taken the place of rule ${before}`
    : `rule ${before} has no successor for this source`
  return stop(source, occasion, reason)
}

function stop(source: SourceWatch, occasion: Occasion, reason: string): readonly FoldOutput[] {
  return [...stopBreachWatch(source.breach, occasion, reason), ...stopNoDataWatch(source.noData, occasion, reason)]
}

function watchOf(board: AlertBoard, id: string): SourceWatch {
  let source = board.sources.get(id)
  if (!source) {
    source = { ruleId: null, breach: newBreachWatch(), noData: newNoDataWatch() }
    board.sources.set(id, source)
  }
  return source
}

function passTime(board: AlertBoard, { fact, cause }: Place<Window | Gap>, plan: Plan): void {
  board.nowAt = Math.max(board.nowAt ?? fact.decidedAt, fact.decidedAt)
  if (extendTrail(board.trail, board.nowAt, cause, plan.latenessMs)) forgetUnneeded(board, board.nowAt)
}

/**
 * Drops what can change no later output. Whatever is dropped here would have been ignored anyway, so it does not matter
 * when, nor that other sources' facts bring it about.
 */
function forgetUnneeded(board: AlertBoard, now: Instant): void {
  for (const [id, { breach, noData }] of board.sources) {
    trimQuiet(breach.quiet, now)
    const newestThin = noData.run.at(-1)
    if (newestThin && isForgotten(newestThin, now)) noData.run.length = 0
    for (const { closed } of [breach, noData]) {
      const kept = closed.filter((episode) => isRemembered(episode, breach.quiet, now))
      closed.splice(0, closed.length, ...kept)
    }
    const held = breach.quiet.length + noData.run.length + breach.closed.length + noData.closed.length
    if (held === 0 && !breach.open && !noData.open) board.sources.delete(id)
  }
}

/**
 * The oldest fact that the board still rests on: the first of every open alert, of every streak and run, of every ended
 * alert that may still be annotated, and the lateness behind its time. `null` before the first fact.
 */
export function oldestNeeded(board: AlertBoard): Cause | null {
  const start = startOfTrail(board.trail)
  if (start === null || board.nowAt === null) return null
  const now = board.nowAt
  let oldest = start
  for (const { breach, noData } of board.sources.values()) {
    for (const { cause } of breach.quiet) oldest = olderCause(oldest, cause)
    for (const { cause } of noData.run) oldest = olderCause(oldest, cause)
    for (const { open, closed } of [breach, noData]) {
      if (open) oldest = olderCause(oldest, open.episode.since)
      for (const episode of closed)
        if (isRemembered(episode, breach.quiet, now)) oldest = olderCause(oldest, episode.since)
    }
  }
  return oldest
}
