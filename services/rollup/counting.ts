import type { Cause } from '#lib/cause.ts'
import type { Instant } from '#lib/time.ts'
import {
  type Board,
  hintedSourceBoard,
  type Now,
  type OpenWindow,
  type Refusal,
  type SourceBoard,
  sourceBoard,
} from './board.ts'
import { SampleIds } from './sample-ids.ts'
import type { SampleInput } from './sample-input.ts'
import { type Sample, Tally } from './tally.ts'

/**
 * Takes a sample in: it is counted in its open window, or waits for the next tick when its window is closed, or is
 * refused when it lies more than one window ahead or its window is full. An id that was seen before is dropped first.
 *
 * Input and sample may change after the call.
 */
export function countSample(board: Board, { key, cause, hint }: SampleInput, sample: Sample): void {
  const { now } = board
  if (now === null) {
    board.unplanned.push({ source: key, sample: copyOf(sample), cause: [...cause] })
    return
  }
  const its = hintedSourceBoard(board, key, hint)
  if (its.tooEarly?.has(sample.scheduledAt, sample.ordinal)) return
  const window = its.openWindowOf(sample) ?? admit(board, its, sample, now)
  if (window) count(board, its, sample, window)
}

/** @returns the new window of a sample that is neither too early nor late */
function admit(board: Board, its: SourceBoard, sample: Sample, now: Now): OpenWindow | undefined {
  const at = sample.scheduledAt
  if (at >= now.tooEarlyFromAt) refuseAsEarly(board, its, sample)
  else if (at < now.openFromAt || its.isRetiredAt(at)) letWait(board, its, sample, now)
  else return openWindow(board, its, at, now.restartFrom)
  return undefined
}

/** Also a sample that a full window refuses fills its slot: its source is not silent. */
function count(board: Board, its: SourceBoard, sample: Sample, { tally }: OpenWindow): void {
  const added = tally.add(sample)
  if (added === 'copy') return
  its.watch?.fill(sample)
  if (added === 'refused') refuse(board, its, sample, 'window_full')
}

/** The samples that came before the first tick are counted now that a plan says in which windows. */
export function countUnplanned(board: Board, now: Now): void {
  const { unplanned } = board
  board.unplanned = []
  for (const { source, sample, cause } of unplanned) {
    const its = sourceBoard(board, source)
    if (its.tooEarly?.has(sample.scheduledAt, sample.ordinal)) continue
    if (sample.scheduledAt >= now.tooEarlyFromAt) refuseAsEarly(board, its, sample)
    else count(board, its, sample, its.openWindowOf(sample) ?? openWindow(board, its, sample.scheduledAt, cause))
  }
}

function openWindow(board: Board, its: SourceBoard, at: Instant, neededFrom: Cause): OpenWindow {
  const span = board.now!.grid.spanAt(at)
  const window = { span, tally: new Tally(span.startAt), neededFrom }
  its.open.push(window)
  board.neededFrom = undefined
  return window
}

function refuseAsEarly(board: Board, its: SourceBoard, sample: Sample): void {
  its.refuseForever(sample)
  refuse(board, its, sample, 'too_early')
}

function refuse(board: Board, its: SourceBoard, sample: Sample, reason: Refusal['reason']): void {
  its.refusals.push({ sample: copyOf(sample), reason })
  board.undecided.add(its)
}

function letWait(board: Board, its: SourceBoard, sample: Sample, { grid, tickAt, plan }: Now): void {
  const span = grid.spanAt(sample.scheduledAt)
  let waiting = its.waiting.find((window) => window.span.startAt === span.startAt && window.span.endAt === span.endAt)
  if (!waiting) {
    waiting = { span, samples: [], ids: new SampleIds(span.startAt) }
    its.waiting.push(waiting)
    board.undecided.add(its)
  }
  if (!waiting.ids.add(sample.scheduledAt, sample.ordinal)) return
  const tooLate = span.endAt < tickAt - plan.plan.latenessMs
  waiting.samples.push({ sample: copyOf(sample), tooLate })
}

function copyOf({ type, outcome, scheduledAt, ordinal, latencyMs }: Sample): Sample {
  return { type, outcome, scheduledAt, ordinal, latencyMs }
}
