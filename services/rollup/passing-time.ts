import type { Cause } from '#lib/cause.ts'
import { ObstreamError } from '#lib/errors.ts'
import type { Gap, Tick } from '#lib/facts.ts'
import { gapKey } from '#lib/keys.ts'
import { MAX_LATENESS_MS, type PlannedSource } from '#lib/plan.ts'
import type { FoldOutput, StepContext } from '#lib/runtime/define-service.ts'
import type { Instant } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import {
  type Board,
  forgetSource,
  type Now,
  olderCause,
  oldestTickNeeded,
  type Passage,
  type SourceBoard,
  sourceBoard,
} from './board.ts'
import { countUnplanned } from './counting.ts'
import { SlotWatch } from './gap.ts'
import { decideWaiting, tellRefusals } from './late.ts'
import { PlanInForce } from './plan-in-force.ts'
import { RecentTicks } from './recent-ticks.ts'
import { Tally } from './tally.ts'
import { tell } from './window.ts'
import { type Span, WindowGrid } from './window-grid.ts'

const NO_SPANS: readonly Span[] = []

/** Only a later tick moves time. */
export function movesTime({ now }: Board, { at }: Tick): boolean {
  return now === null || at > now.tickAt
}

/** Lets time pass to a tick that moves it, and says what follows: of the sources for which something follows. */
export function passTime(board: Board, tick: Tick, cause: Cause, context: StepContext): readonly FoldOutput[] {
  const before = board.now
  const now = nextNow(board, tick, [...cause], context)
  const passage = { before, now, ended: windowsEnded(before, now) }
  board.now = now
  if (before === null) countUnplanned(board, now)
  if (before?.plan !== now.plan)
    for (const { id } of now.plan.sources) sourceBoard(board, id).plannedSinceAt ??= now.tickAt
  const said: FoldOutput[] = []
  for (const its of sourcesConcerned(board, passage)) {
    const { neededFrom } = its
    said.push(
      ...closeWindows(its, passage),
      ...decideWaiting(its, passage, context),
      ...retire(its, passage),
      ...tellRefusals(its, now),
      ...tellGaps(board, its, passage),
    )
    if (its.retired.length > 0) its.retired = its.retired.filter(({ span }) => span.endAt > now.closedThroughAt)
    if (its.isIdle && !now.plan.source(its.source)) forgetSource(board, its.source)
    if (its.neededFrom !== neededFrom) board.neededFrom = undefined
  }
  forget(board, now)
  return said
}

function windowsEnded(before: Now | null, now: Now): readonly Span[] {
  if (before === null || before.openFromAt === now.openFromAt) return NO_SPANS
  return now.grid.spansEnding(before.closedThroughAt, now.closedThroughAt)
}

/** A new plan and the end of a window concern every source; else a tick changes little. */
function sourcesConcerned(board: Board, { before, now, ended }: Passage): Iterable<SourceBoard> {
  const { sources, undecided, watches } = board
  if (before?.plan !== now.plan || ended.length > 0 || now.grid.isMixed) {
    undecided.clear()
    return sources.values()
  }
  const due = watches.take(now.closedThroughAt)
  if (undecided.size === 0) return due
  const concerned = new Set([...undecided, ...due])
  undecided.clear()
  return concerned
}

function nextNow(board: Board, tick: Tick, tickCause: Cause, { plan: read }: StepContext): Now {
  const before = board.now
  if (!read) throw new ObstreamError('OBS_RUNTIME_UNEXPECTED', `the plan ${tick.plan} of a tick is not at hand`)
  const plan = before?.plan.hash === tick.plan ? before.plan : new PlanInForce(read, tick.plan)
  const { windowMs, graceMs } = plan.plan
  const grid = before?.grid ?? new WindowGrid(windowMs)
  const newestEndAt = windowAfter(grid, tick.at).endAt
  if (before && windowMs !== grid.lengthMs)
    grid.changeLength(windowMs, newestEndAt, { restartFrom: before.restartFrom, first: tickCause })
  const closedThroughAt = Math.max(tick.at - graceMs, before?.closedThroughAt ?? Number.NEGATIVE_INFINITY)
  const ticks = before?.ticks ?? new RecentTicks()
  const restartFrom = ticks.meet(tick.at, tickCause, closedThroughAt)
  return {
    tickAt: tick.at,
    plan,
    grid,
    closedThroughAt,
    ticks,
    restartFrom,
    openFromAt: grid.spanAt(closedThroughAt).startAt,
    tooEarlyFromAt: newestEndAt,
  }
}

/** The newest window that may have samples at an instant: the one after that which it lies in. */
function windowAfter(grid: WindowGrid, at: Instant): Span {
  return grid.spanAt(grid.spanAt(at).endAt)
}

/**
 * Closes the windows whose grace has passed. One without a sample is told too when its source was expected: in the plan
 * from before the window's end until now.
 */
function closeWindows(its: SourceBoard, { now, ended }: Passage): readonly FoldOutput[] {
  const said: FoldOutput[] = []
  const { source, plannedSinceAt } = its
  const close = (span: Span, tally: Tally): void => {
    said.push(
      ...tell({ source, span, tally, plan: now.plan, revision: 0, decidedAt: now.tickAt, late: false, retired: false }),
    )
  }
  const due = its.open.filter(({ span }) => span.endAt <= now.closedThroughAt)
  if (due.length > 0) its.open = its.open.filter(({ span }) => span.endAt > now.closedThroughAt)
  for (const { span, tally, neededFrom } of due) {
    close(span, tally)
    its.watch?.need(tally.ids.newestAt, neededFrom)
  }
  if (plannedSinceAt === null || !now.plan.source(source)) return said
  for (const span of ended)
    if (
      span.endAt > plannedSinceAt &&
      !due.some((window) => window.span.startAt === span.startAt) &&
      !its.isRetiredAt(span.startAt)
    )
      close(span, new Tally(span.startAt))
  return said
}

/** A source that this plan drops gets a last window, the one that is running, with what it holds so far. */
function retire(its: SourceBoard, { before, now }: Passage): readonly FoldOutput[] {
  const { source } = its
  if (before === null || !before.plan.source(source) || now.plan.source(source)) return []
  const span = now.grid.spanAt(now.tickAt)
  its.plannedSinceAt = null
  if (its.isRetiredAt(span.startAt)) return []
  const tally = its.openWindowOf({ scheduledAt: span.startAt })?.tally ?? new Tally(span.startAt)
  its.open = its.open.filter((window) => window.tally !== tally)
  its.retired = [...its.retired, { span, neededFrom: before.restartFrom }]
  return tell({ source, span, tally, plan: now.plan, revision: 0, decidedAt: now.tickAt, late: false, retired: true })
}

function tellGaps(board: Board, its: SourceBoard, { before, now }: Passage): readonly FoldOutput[] {
  const { plan, hash } = now.plan
  const source = now.plan.source(its.source)
  const rule = now.plan.rule(its.source)
  if (!source || !rule) {
    its.watch = null
    board.watches.set(its, Number.POSITIVE_INFINITY)
    return []
  }
  if (!its.watch?.watches(source)) its.watch = beginWatch(board, source, before, now)
  else if (before && before.plan !== now.plan) its.watch.changePlan(before.restartFrom)
  const silences = its.watch.settle(now.closedThroughAt, plan.calendar, rule.noDataAfterSlots)
  board.watches.set(its, its.watch.dueAt)
  return silences.map((silence) => {
    const { id: ruleId } = rule
    const value: Gap = { type: 'gap', source: source.id, ...silence, decidedAt: now.tickAt, ruleId, plan: hash }
    return { topic: topics.window, key: gapKey(source.id, silence.slotAt), value }
  })
}

/**
 * At the first tick the source may have been in the plan for long: then the newest gap told of it goes on. At a later
 * tick this very plan brought it, or its new slots; to see that again, a restart must see the plan before, and what was
 * retired then. Gaps told before that tick have been forgotten by it.
 */
function beginWatch(board: Board, source: PlannedSource, before: Now | null, now: Now): SlotWatch {
  const its = sourceBoard(board, source.id)
  const cause = its.retired.reduce(
    (oldest, { neededFrom }) => olderCause(oldest, neededFrom),
    (before ?? now).restartFrom,
  )
  const from = { tickAt: now.tickAt, settledThroughAt: now.closedThroughAt, cause }
  const watch = new SlotWatch(source, from, board.restoredGaps.get(source.id))
  for (const { tally } of its.open) for (const scheduledAt of tally.ids.instants()) watch.fill({ scheduledAt })
  return watch
}

/** What this plan takes no sample for any more, a later one may, if it takes later ones. */
function forget(board: Board, { grid, tickAt, closedThroughAt }: Now): void {
  if (board.restoredGaps.size > 0)
    for (const [source, { decidedAt }] of board.restoredGaps) if (decidedAt <= tickAt) board.restoredGaps.delete(source)
  const tooLateThroughAt = Math.min(closedThroughAt, tickAt - MAX_LATENESS_MS)
  if (grid.isMixed) grid.forgetOlder(tooLateThroughAt, oldestTickNeeded(board, board.now!))
}
