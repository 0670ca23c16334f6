import { DAY_MS, type Instant, type Milliseconds } from './time.ts'

/**
 * Number of the folds' behaviour. A change of code that alters any output byte for the same log raises it; the museum
 * in `tests/replay` fails otherwise.
 */
export const ENGINE = 1

/** No plan takes samples that are later than this; what is older is settled for every plan to come. */
export const MAX_LATENESS_MS = 14 * DAY_MS

/** Everything in the configuration that a fold may know. Content-addressed: see `planRecord` in `codec/plan-json.ts`. */
export interface Plan {
  readonly engine: number
  readonly tickIntervalMs: Milliseconds
  readonly windowMs: Milliseconds
  readonly graceMs: Milliseconds
  readonly latenessMs: Milliseconds
  readonly calendar: CalendarPlan
  readonly sources: readonly PlannedSource[]
  readonly rules: readonly Rule[]
  readonly locale: 'en' | 'ja'
  readonly week: 'iso-week' | 'fx-week'
  readonly datasetRows: Readonly<Record<string, number>>
}

export interface CalendarPlan {
  readonly kind: 'always' | 'fx'
  /** Whole days without a session, in the calendar's own time zone: `2026-12-25`. */
  readonly holidays: readonly string[]
  /** Release of the time zone rules the sessions were computed with, e.g. `2026a`. */
  readonly tzdata: string
}

export interface PlannedSource {
  readonly id: string
  readonly intervalMs: Milliseconds
  /** Slots are the instants `phaseMs + k · intervalMs` since the epoch; below `intervalMs`. */
  readonly phaseMs: Milliseconds
  readonly labels: Readonly<Record<string, string>>
}

/** See `docs/config.md` for each field. Counts are windows or slots in a row. */
export interface Rule {
  readonly id: string
  /** Source id, with `*` for any characters. */
  readonly match: string
  readonly thresholdMs: Milliseconds
  readonly warningAfter: number
  readonly criticalAfter: number
  readonly minSamples: number
  /** 0…1. */
  readonly errorRatio: number
  readonly noDataAfterSlots: number
  readonly maxInsufficient: number
  readonly resolveAfter: number
  /** Share of the threshold, 0…1. */
  readonly resolveBelow: number
  readonly reminderMs: Milliseconds
}

/** Exactly one rule applies to a source: the first whose `match` fits. Our own jobs are never matched by `*`. */
export function ruleFor(plan: Plan, source: string): Rule | undefined {
  return plan.rules.find((rule) => matches(rule.match, source))
}

/** Glob with `*` only; everything else stands for itself. */
export function matches(pattern: string, source: string): boolean {
  if (pattern === '*') return !source.startsWith('job.')
  const parts = pattern.split('*')
  if (parts.length === 1) return pattern === source
  const [first, ...rest] = parts as [string, ...string[]]
  const last = rest.pop()!
  if (!source.startsWith(first)) return false
  let at = first.length
  for (const part of rest) {
    const found = source.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return source.length - last.length >= at && source.endsWith(last)
}

export function findSource(plan: Plan, id: string): PlannedSource | undefined {
  return plan.sources.find((source) => source.id === id)
}

/** Start of the slot that `at` lies in. */
export function slotOf(source: Pick<PlannedSource, 'intervalMs' | 'phaseMs'>, at: Instant): Instant {
  return Math.floor((at - source.phaseMs) / source.intervalMs) * source.intervalMs + source.phaseMs
}

/** Start of the window that `at` lies in; windows are aligned to 1970-01-01T00:00:00Z. */
export function windowOf(plan: Pick<Plan, 'windowMs'>, at: Instant): Instant {
  return Math.floor(at / plan.windowMs) * plan.windowMs
}
