import { ObstreamError } from '#lib/errors.ts'
import type { Rejected, Window } from '#lib/facts.ts'
import { rejectedKey, windowName } from '#lib/keys.ts'
import type { FoldOutput, Recall, StepContext } from '#lib/runtime/define-service.ts'
import { MINUTE_MS } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import type { Board, Now, Passage, Refusal, SourceBoard, WaitingSample, WaitingWindow } from './board.ts'
import { PlanInForce } from './plan-in-force.ts'
import { type Sample, Tally } from './tally.ts'
import { tell } from './window.ts'

/**
 * What must be recalled to decide on the samples that wait: the newest revision of each window, and whether a sample
 * has been refused before. Nothing of that was said before the window began; a minute allows for clocks.
 */
export function recallsForWaiting({ undecided }: Board): readonly Recall[] {
  const recalls: Recall[] = []
  for (const { source, waiting } of undecided)
    for (const { span, samples } of waiting) {
      const notBefore = span.startAt - MINUTE_MS
      recalls.push({ topic: topics.window, name: windowName(source, span.startAt), notBefore })
      for (const { sample } of samples)
        recalls.push({ topic: topics.window, name: rejectedKey(source, sample.scheduledAt, sample.ordinal), notBefore })
    }
  return recalls
}

/** The plans that judged the recalled windows, for their revisions. */
export function plansOfRecalled(recalled: ReadonlyMap<string, unknown>): readonly string[] {
  const windows = [...recalled.values()].filter((fact) => (fact as Window | Rejected).type === 'window') as Window[]
  return [...new Set(windows.map(({ plan }) => plan))]
}

/**
 * Decides on every sample of a source that waits: a copy is dropped, one that no window can take is refused, the others
 * make one revision of their window, or its first record when there is none.
 */
export function decideWaiting(its: SourceBoard, { before, now }: Passage, context: StepContext): readonly FoldOutput[] {
  if (before === null || its.waiting.length === 0) return []
  const said: FoldOutput[] = []
  const { waiting } = its
  its.waiting = []
  for (const window of waiting) {
    const { facts, accepted } = decideWindow(its, window, now, context)
    said.push(...facts)
    for (const sample of accepted) {
      its.watch?.fill(sample)
      its.watch?.need(sample.scheduledAt, before.restartFrom)
    }
  }
  return said
}

interface Decided {
  readonly facts: readonly FoldOutput[]
  /** Samples that the window now holds. */
  readonly accepted: readonly Sample[]
}

function decideWindow(
  { source }: SourceBoard,
  { span, samples }: WaitingWindow,
  now: Now,
  context: StepContext,
): Decided {
  const told = context.recalled.get(windowName(source, span.startAt)) as Window | undefined
  const tally = told ? Tally.of(told) : new Tally(span.startAt)
  const refused: FoldOutput[] = []
  const accepted: Sample[] = []
  for (const { sample, tooLate } of samples) {
    const { scheduledAt, ordinal } = sample
    if (context.recalled.has(rejectedKey(source, scheduledAt, ordinal)) || tally.ids.has(scheduledAt, ordinal)) continue
    const reason = refusalReason({ sample, tooLate }, told) ?? (tally.add(sample) === 'refused' ? 'window_full' : null)
    if (reason) refused.push(tellRefusal(source, { sample, reason }, now))
    else accepted.push(sample)
  }
  if (accepted.length === 0) return { facts: refused, accepted }
  const revision = tell({
    source,
    span: told ?? span,
    tally,
    plan: told ? planOf(told, now, context) : now.plan,
    revision: told ? told.revision + 1 : 0,
    decidedAt: now.tickAt,
    late: true,
    retired: told?.verdict === 'retired',
  })
  return { facts: [...refused, ...revision], accepted }
}

/** A window told under another window length may begin at the same instant and end before the sample. */
function refusalReason({ sample, tooLate }: WaitingSample, told: Window | undefined): Rejected['reason'] | null {
  if (told?.sealed) return 'window_sealed'
  if (tooLate || (told && sample.scheduledAt >= told.endAt)) return 'too_late'
  return null
}

function planOf({ source, plan, startAt }: Window, now: Now, context: StepContext): PlanInForce {
  if (plan === now.plan.hash) return now.plan
  const found = context.plans?.get(plan)
  if (found) return new PlanInForce(found, plan)
  const window = windowName(source, startAt)
  throw new ObstreamError(
    'OBS_RUNTIME_UNEXPECTED',
    `the window ${window} was judged by the plan ${plan}, which is not at hand to revise it`,
  )
}

/** Says what of a source was refused since the last tick. */
export function tellRefusals(its: SourceBoard, now: Now): readonly FoldOutput[] {
  if (its.refusals.length === 0) return []
  const { refusals } = its
  its.refusals = []
  return refusals.map((refusal) => tellRefusal(its.source, refusal, now))
}

function tellRefusal(source: string, { sample, reason }: Pick<Refusal, 'sample' | 'reason'>, now: Now): FoldOutput {
  const { scheduledAt, ordinal, outcome, latencyMs } = sample
  const value: Rejected = {
    type: 'rejected',
    source,
    scheduledAt,
    ordinal,
    reason,
    decidedAt: now.tickAt,
    outcome,
    latencyMs,
  }
  return { topic: topics.window, key: rejectedKey(source, scheduledAt, ordinal), value }
}
