import { tzdataVersion } from '#lib/calendar.ts'
import type { Alert, Gap, Rejected, Verdict, Window, WindowFact } from '#lib/facts.ts'
import { gapKey, rejectedKey, windowKey } from '#lib/keys.ts'
import type { Plan, Rule } from '#lib/plan.ts'
import { HOUR_MS, type Instant, MINUTE_MS } from '#lib/time.ts'
import { alerter } from '#services/alerter/service.ts'

/** A small desk for the alerter's tests: facts in, transitions out. Windows are one hour, decided ten minutes later. */

export const MONDAY = Date.parse('2026-06-22T00:00:00Z')
const GRACE_MS = 10 * MINUTE_MS

export const latencyRule: Rule = {
  id: 'latency_p95',
  match: '*',
  thresholdMs: 500,
  warningAfter: 2,
  criticalAfter: 3,
  minSamples: 3,
  errorRatio: 0.5,
  noDataAfterSlots: 2,
  maxInsufficient: 3,
  resolveAfter: 2,
  resolveBelow: 0.9,
  reminderMs: 4 * HOUR_MS,
}

export const rule = (changes: Partial<Rule> = {}): Rule => ({ ...latencyRule, ...changes })

export const plan = (changes: Partial<Plan> = {}): Plan => ({
  engine: 1,
  tickIntervalMs: MINUTE_MS,
  windowMs: HOUR_MS,
  graceMs: GRACE_MS,
  latenessMs: 14 * 24 * HOUR_MS,
  calendar: { kind: 'always', holidays: [], tzdata: tzdataVersion },
  sources: [],
  rules: [latencyRule],
  locale: 'en',
  week: 'iso-week',
  datasetRows: {},
  ...changes,
})

/** A fact as rollup writes it, with the plan that judged it. */
export interface Written {
  readonly key: string
  readonly value: WindowFact
  readonly plan: Plan
}

export interface WindowParts {
  readonly source?: string
  readonly revision?: number
  readonly late?: boolean
  readonly decidedAt?: Instant
  readonly plan?: Plan
  readonly lengthMs?: number
}

/**
 * What a letter stands for: B breach by p95 · E breach by errors · O ok, not far below the threshold · R ok and far
 * below it · I too few samples · C out of session · X retired.
 */
const letters: Record<string, { readonly verdict: Verdict; readonly values: Partial<Window> }> = {
  B: { verdict: 'breach', values: { reason: 'p95', p95Ms: 812, maxMs: 900, p50Ms: 300 } },
  E: { verdict: 'breach', values: { reason: 'errors', count: 1, errorCount: 3, p95Ms: 100, p50Ms: 100, maxMs: 100 } },
  O: { verdict: 'ok', values: { p95Ms: 450, p50Ms: 300, maxMs: 450 } },
  R: { verdict: 'ok', values: { p95Ms: 449, p50Ms: 300, maxMs: 449 } },
  I: { verdict: 'insufficient', values: { count: 1, p95Ms: 300, p50Ms: 300, maxMs: 300 } },
  C: { verdict: 'closed', values: { count: 0, expectedCount: 0 } },
  X: { verdict: 'retired', values: { count: 0 } },
}

export function window(letter: string, startAt: Instant, parts: WindowParts = {}): Written {
  const { verdict, values } = letters[letter]!
  const { source = 'router_demo', revision = 0, lengthMs = HOUR_MS } = parts
  const judgedBy = parts.plan ?? plan()
  const matching = judgedBy.rules.find(({ match }) => match === '*' || match === source)
  const value: Window = {
    type: 'window',
    source,
    startAt,
    endAt: startAt + lengthMs,
    revision,
    decidedAt: parts.decidedAt ?? startAt + lengthMs + GRACE_MS,
    late: parts.late ?? revision > 0,
    verdict,
    reason: null,
    count: 4,
    errorCount: 0,
    timeoutCount: 0,
    skippedCount: 0,
    expectedCount: 4,
    p50Ms: null,
    p95Ms: null,
    maxMs: null,
    thresholdMs: matching?.thresholdMs ?? null,
    ruleId: matching?.id ?? null,
    plan: JSON.stringify(judgedBy),
    latencies: [],
    sampleIds: [],
    sealed: false,
    ...values,
  }
  return { key: windowKey(source, startAt, revision), value, plan: judgedBy }
}

export function gap(slotAt: Instant, parts: WindowParts & { readonly missingCount?: number } = {}): Written {
  const { source = 'router_demo', missingCount = 2 } = parts
  const judgedBy = parts.plan ?? plan()
  const value: Gap = {
    type: 'gap',
    source,
    firstSlotAt: slotAt - (missingCount - 1) * 15 * MINUTE_MS,
    slotAt,
    missingCount,
    decidedAt: parts.decidedAt ?? slotAt + 25 * MINUTE_MS,
    ruleId: judgedBy.rules[0]?.id ?? null,
    plan: JSON.stringify(judgedBy),
  }
  return { key: gapKey(source, slotAt), value, plan: judgedBy }
}

export function rejected(scheduledAt: Instant, decidedAt: Instant): Written {
  const source = 'router_demo'
  const value: Rejected = {
    type: 'rejected',
    source,
    scheduledAt,
    ordinal: 0,
    reason: 'too_late',
    decidedAt,
    outcome: 'ok',
    latencyMs: 9_000,
  }
  return { key: rejectedKey(source, scheduledAt, 0), value, plan: plan() }
}

/** `B B I R`: one window after the other, from `startAt` on; `.` is an hour without any fact. */
export function hours(text: string, startAt: Instant = MONDAY, parts: WindowParts = {}): Written[] {
  return text
    .split(' ')
    .flatMap((letter, hour) => (letter === '.' ? [] : [window(letter, startAt + hour * HOUR_MS, parts)]))
}

/** The facts in the order in which rollup decides them; facts of one tick by key. */
export function inOrder(...facts: readonly (readonly Written[] | Written)[]): Written[] {
  return facts.flat().toSorted((a, b) => a.value.decidedAt - b.value.decidedAt || (a.key < b.key ? -1 : 1))
}

export interface Said {
  readonly cause: readonly number[]
  readonly key: string
  readonly alert: Alert
}

type Board = ReturnType<typeof alerter.initial>

/** Folds one fact that lies at `offset`; outputs are sorted and numbered as the runtime does it. */
export function foldOne(board: Board, fact: Written, offset: number): Said[] {
  const input = { offset, cause: [offset, 0], key: fact.key, value: fact.value }
  const needsPlan = alerter.planOf?.(input) !== undefined
  const outputs = alerter.step(board, input, { plan: needsPlan ? fact.plan : undefined, recalled: new Map() })
  return outputs
    .toSorted((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ key, value }, index) => ({ cause: [...input.cause, index], key, alert: structuredClone(value) as Alert }))
}

export function run(facts: readonly Written[]): Said[] {
  const board = alerter.initial()
  return facts.flatMap((fact, offset) => foldOne(board, fact, offset))
}

export const alertsOf = (facts: readonly Written[]): Alert[] => run(facts).map(({ alert }) => alert)

/** `12:00 opened warning`: end of the deciding window (or the slot), what, and how severe. */
export function transitions(facts: readonly Written[]): string[] {
  return alertsOf(facts).map(({ eventAt, kind, severity, about }) => {
    const clock = new Date(eventAt).toISOString().slice(11, 16)
    return `${clock} ${kind} ${severity}${about === 'no_data' ? ' no_data' : ''}`
  })
}

export const at = (clock: string, day = 0): Instant =>
  MONDAY + day * 24 * HOUR_MS + Number(clock.slice(0, 2)) * HOUR_MS + Number(clock.slice(3)) * MINUTE_MS
