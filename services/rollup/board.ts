import { type Cause, compareCauses } from '#lib/cause.ts'
import type { Gap, Rejected } from '#lib/facts.ts'
import type { Instant } from '#lib/time.ts'
import { type Due, DueQueue } from './due-queue.ts'
import type { SlotWatch } from './gap.ts'
import type { PlanInForce } from './plan-in-force.ts'
import type { RecentTicks } from './recent-ticks.ts'
import { SampleIds } from './sample-ids.ts'
import type { Sample, Tally } from './tally.ts'
import type { Span, WindowGrid } from './window-grid.ts'

/** Everything rollup remembers of one partition. What is closed, told or refused stands in its own output instead. */
export interface Board {
  readonly sources: Map<string, SourceBoard>
  /** The same by the hint that comes with a sample; some may be out of date. */
  hinted: SourceBoard[]
  /** `null` before the first tick: there is no time, and no plan that says how long a window is. */
  now: Now | null
  /** Samples that came before the first tick. */
  unplanned: UnplannedSample[]
  /** The newest gap told of each source, as a restart found it, until time has come to it. */
  readonly restoredGaps: Map<string, Gap>
  /** Sources with samples that wait for the next tick, or that were refused since the last one. */
  readonly undecided: Set<SourceBoard>
  /** When the slots of a source are to be settled, as `Now.closedThroughAt` counts time. */
  readonly watches: DueQueue<SourceBoard>
  /** The oldest input that any source needs; `undefined`: to be looked for. */
  neededFrom: Cause | null | undefined
}

/** What the newest tick says. */
export interface Now {
  readonly tickAt: Instant
  readonly plan: PlanInForce
  readonly grid: WindowGrid
  /** Windows that end up to here are closed. It never goes back, also when a new plan has a longer grace. */
  readonly closedThroughAt: Instant
  readonly ticks: RecentTicks
  /**
   * The newest tick at or before `closedThroughAt`, or the first one. A restart from here knows what this tick knows of time: how far windows are closed, also by an
   * earlier plan with a shorter grace, and when sources came into the plan, as far as windows are open that ended before.
   */
  readonly restartFrom: Cause
  /** Samples scheduled before this are late. */
  readonly openFromAt: Instant
  /** Samples scheduled from here on are more than one window ahead of time. */
  readonly tooEarlyFromAt: Instant
}

/** What a tick has moved time from and to. */
export interface Passage {
  /** `null`: it is the first tick. */
  readonly before: Now | null
  readonly now: Now
  /** The windows that end on the way, in order. */
  readonly ended: readonly Span[]
}

export interface UnplannedSample {
  readonly source: string
  readonly sample: Sample
  readonly cause: Cause
}

export interface OpenWindow {
  readonly span: Span
  readonly tally: Tally
  /** `restartFrom` when its first sample came; before the first tick, that sample itself. */
  readonly neededFrom: Cause
}

/** Late samples of one window; the next tick decides what becomes of them. */
export interface WaitingWindow {
  readonly span: Span
  readonly samples: WaitingSample[]
  readonly ids: SampleIds
}

export interface WaitingSample {
  readonly sample: Sample
  /** Whether it was older than the lateness limit when it came. */
  readonly tooLate: boolean
}

/** A sample refused when it came; the next tick says so. */
export interface Refusal {
  readonly sample: Sample
  readonly reason: Rejected['reason']
}

/** A window decided before its end, because its source left the plan: what comes for it now is late. */
export interface RetiredWindow {
  readonly span: Span
  readonly neededFrom: Cause
}

/** One for all, so that the usual case costs no look into memory. */
const NONE_RETIRED: readonly RetiredWindow[] = []

export class SourceBoard implements Due {
  readonly source: string
  /** Usually one or two. */
  open: OpenWindow[] = []
  waiting: WaitingWindow[] = []
  refusals: Refusal[] = []
  /** Refused as too early, told or about to be told. Never forgotten: a copy may come when its time has come. */
  tooEarly: SampleIds | null = null
  retired: readonly RetiredWindow[] = NONE_RETIRED
  /** The tick that brought it into the plan, or the oldest that is remembered; `null`: not in the plan. */
  plannedSinceAt: Instant | null = null
  /** `null`: not in the plan, or no rule says when silence is too long. */
  watch: SlotWatch | null = null
  /** Of `watch`. */
  dueAt: Instant = Number.POSITIVE_INFINITY

  constructor(source: string) {
    this.source = source
  }

  openWindowOf({ scheduledAt }: Pick<Sample, 'scheduledAt'>): OpenWindow | undefined {
    for (const window of this.open)
      if (scheduledAt >= window.span.startAt && scheduledAt < window.span.endAt) return window
    return undefined
  }

  isRetiredAt(at: Instant): boolean {
    for (const { span } of this.retired) if (at >= span.startAt && at < span.endAt) return true
    return false
  }

  refuseForever({ scheduledAt, ordinal }: Pick<Sample, 'scheduledAt' | 'ordinal'>): void {
    this.tooEarly ??= new SampleIds(0)
    this.tooEarly.add(scheduledAt, ordinal)
  }

  /** Whether nothing is lost when the source is forgotten. */
  get isIdle(): boolean {
    const { open, waiting, refusals, tooEarly, retired, watch } = this
    return open.length + waiting.length + refusals.length + retired.length === 0 && tooEarly === null && watch === null
  }

  /** The oldest input that this source needs a restart to read again; what waits for a tick came after the newest one. */
  get neededFrom(): Cause | null {
    let oldest: Cause | null = this.watch?.neededFrom ?? null
    for (const { neededFrom } of this.open) oldest = olderCause(oldest, neededFrom)
    for (const { neededFrom } of this.retired) oldest = olderCause(oldest, neededFrom)
    return oldest
  }
}

export function emptyBoard(): Board {
  return {
    sources: new Map(),
    hinted: [],
    now: null,
    unplanned: [],
    restoredGaps: new Map(),
    undecided: new Set(),
    watches: new DueQueue(),
    neededFrom: undefined,
  }
}

export function sourceBoard(board: Board, source: string): SourceBoard {
  let found = board.sources.get(source)
  if (!found) {
    found = new SourceBoard(source)
    board.sources.set(source, found)
  }
  return found
}

/** Without a look-up by text when the source had this hint before. */
export function hintedSourceBoard(board: Board, source: string, hint: number): SourceBoard {
  const hinted = board.hinted[hint]
  if (hinted?.source === source) return hinted
  const found = sourceBoard(board, source)
  board.hinted[hint] = found
  return found
}

export function forgetSource(board: Board, source: string): void {
  board.sources.delete(source)
  board.hinted = []
}

/**
 * The oldest input to read again after a restart: a tick, so that time, plan and grace of everything after it are known
 * at once; or, before the first tick, the first sample.
 */
export function oldestInputNeeded(board: Board): Cause | null {
  const { now, unplanned } = board
  if (now === null) return unplanned[0]?.cause ?? null
  return olderCause(oldestTickNeeded(board, now), now.grid.neededFrom)
}

/** The same, but for window lengths of earlier plans. */
export function oldestTickNeeded(board: Board, now: Now): Cause {
  if (board.neededFrom === undefined) {
    board.neededFrom = null
    for (const { neededFrom } of board.sources.values()) board.neededFrom = olderCause(board.neededFrom, neededFrom)
  }
  return olderCause(now.restartFrom, board.neededFrom)
}

/** Older of two, where `null` means "none". */
export function olderCause(a: Cause, b: Cause | null): Cause
export function olderCause(a: Cause | null, b: Cause | null): Cause | null
export function olderCause(a: Cause | null, b: Cause | null): Cause | null {
  if (a === null || b === null) return a ?? b
  return compareCauses(a, b) <= 0 ? a : b
}
