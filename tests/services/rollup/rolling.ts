import { type Cause, compareCauses } from '#lib/cause.ts'
import { planRecord } from '#lib/codec/plan-json.ts'
import type { Gap, Outcome, Probe, Rejected, Tick, Window } from '#lib/facts.ts'
import { factName } from '#lib/keys.ts'
import type { Plan, PlannedSource, Rule } from '#lib/plan.ts'
import { orderedOutputs } from '#lib/runtime/output-topic.ts'
import { type Instant, MINUTE_MS, parseDuration, parseInstant } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import type { Board } from '#services/rollup/board.ts'
import type { SampleInput } from '#services/rollup/sample-input.ts'
import { rollup } from '#services/rollup/service.ts'

/** A record of the sample topic, and for a tick the plan it names. */
export type Entry =
  | { readonly key: string; readonly value: Probe }
  | { readonly key: ''; readonly value: Tick; readonly plan: Plan }

/** A fact as it stands in a topic of rollup. */
export interface Said {
  readonly topic: string
  readonly key: string
  readonly value: object
  readonly cause: Cause
}

/** `22:15` and `22:15:30` on 27 June 2026, `28T01:00` in that month, or a whole RFC 3339 instant; all UTC. */
export function at(text: string): Instant {
  const [, day = '27', time = text] = /^(\d\d)T(.+)$/.exec(text) ?? []
  const instant = parseInstant(text.length > 11 ? text : `2026-06-${day}T${time.length === 5 ? `${time}:00` : time}Z`)
  if (instant === undefined) throw new TypeError(`no instant: ${text}`)
  return instant
}

export const RULE: Rule = {
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
  reminderMs: 4 * 60 * MINUTE_MS,
}

export function rule(parts: Partial<Rule> = {}): Rule {
  return { ...RULE, ...parts }
}

export function source(id: string, interval = '15m', phase = '0ms'): PlannedSource {
  return { id, intervalMs: parseDuration(interval)!, phaseMs: parseDuration(phase)!, labels: {} }
}

interface PlanParts {
  readonly expects?: readonly (string | PlannedSource)[]
  readonly window?: string
  readonly grace?: string
  readonly lateness?: string
  readonly calendar?: 'always' | 'fx'
  readonly holidays?: readonly string[]
  readonly rules?: readonly Rule[]
}

/** Hourly windows, ten minutes of grace, one rule of 500 ms for everything. */
export function plan(parts: PlanParts = {}): Plan {
  const { expects = [], window = '1h', grace = '10m', lateness = '14d', calendar = 'always', rules = [RULE] } = parts
  return {
    engine: 1,
    tickIntervalMs: MINUTE_MS,
    windowMs: parseDuration(window)!,
    graceMs: parseDuration(grace)!,
    latenessMs: parseDuration(lateness)!,
    calendar: { kind: calendar, holidays: parts.holidays ?? [], tzdata: 'test' },
    sources: expects.map((each) => (typeof each === 'string' ? source(each) : each)),
    rules,
    locale: 'en',
    week: 'iso-week',
    datasetRows: {},
  }
}

const hashes = new WeakMap<Plan, string>()

export function hashOf(plan: Plan): string {
  let hash = hashes.get(plan)
  if (hash === undefined) {
    hash = planRecord(plan).hash
    hashes.set(plan, hash)
  }
  return hash
}

export function tick(time: string | Instant, parts: PlanParts | Plan = {}): Entry {
  const named = 'engine' in parts ? parts : plan(parts)
  return { key: '', value: { type: 'tick', at: instant(time), plan: hashOf(named) }, plan: named }
}

interface ProbeParts {
  readonly outcome?: Outcome
  readonly ordinal?: number
}

/** A probe that answered after `latencyMs`; an error or a skipped slot has none. */
export function probe(
  of: string,
  time: string | Instant,
  latencyMs: number | null,
  { outcome = latencyMs === null ? 'error' : 'ok', ordinal = 0 }: ProbeParts = {},
): Entry {
  const scheduledAt = instant(time)
  const value = { outcome, scheduledAt, ordinal, latencyMs, measuredAt: scheduledAt, lagMs: null, errorCode: null }
  return { key: of, value: { type: 'probe', ...value } }
}

/** Probes of one source at even distances. */
export function probes(of: string, from: string, every: string, latencies: readonly (number | null)[]): Entry[] {
  return latencies.map((latencyMs, i) => probe(of, at(from) + i * parseDuration(every)!, latencyMs))
}

function instant(time: string | Instant): Instant {
  return typeof time === 'number' ? time : at(time)
}

/** Folds a log from an offset on and remembers what was said; everything else a runtime does is left out. */
export class Folding {
  readonly board: Board = rollup.initial()
  readonly #log: readonly Entry[]
  readonly #history: readonly Said[] | undefined
  readonly said: Said[] = []
  /** One object for all inputs, as the columnar reader hands out. */
  readonly #cause = [0]
  readonly #input = { offset: 0, cause: this.#cause as Cause, key: '', value: {} as SampleInput['value'], hint: 0 }

  /** @param history what may be recalled; default: what this folding has said itself */
  constructor(log: readonly Entry[], history?: readonly Said[]) {
    this.#log = log
    this.#history = history
  }

  fold(from: number, to: number): this {
    for (let offset = from; offset < to; offset++) this.#foldOne(offset)
    return this
  }

  #foldOne(offset: number): void {
    const entry = this.#log[offset]!
    const input = this.#input
    input.offset = this.#cause[0] = offset
    input.key = entry.key
    input.hint = offset % 3
    Object.assign(input, { value: { ...entry.value } })
    const recalled = new Map<string, unknown>()
    for (const { name } of rollup.recalls!(this.board, input as SampleInput)) {
      const found = this.#newest(name, input.cause)
      if (found) recalled.set(name, found.value)
    }
    const plans = new Map(rollup.plansOf!(recalled).map((hash) => [hash, this.#planOf(hash)]))
    const outputs = rollup.step(this.board, input, { plan: 'plan' in entry ? entry.plan : undefined, recalled, plans })
    orderedOutputs(outputs).forEach(({ topic, key, value }, i) => {
      this.said.push({ topic: topic.name, key, value, cause: [offset, i] })
    })
    Object.assign(input.value, { scheduledAt: -1, ordinal: -1, at: -1 })
  }

  #newest(name: string, before: Cause): Said | undefined {
    const all = this.#history ?? this.said
    return all.findLast(
      (one) => one.topic === topics.window.name && factName(one.key) === name && compareCauses(one.cause, before) < 0,
    )
  }

  #planOf(hash: string): Plan {
    for (const entry of this.#log) if ('plan' in entry && entry.value.plan === hash) return entry.plan
    throw new TypeError(`no plan ${hash}`)
  }
}

/** Everything rollup says about a log. */
export function rollUp(log: readonly Entry[]): readonly Said[] {
  return new Folding(log).fold(0, log.length).said
}

/** The state at `position` as a restart builds it: own output before it, then the inputs from the mark on, in silence. */
export function restart(log: readonly Entry[], said: readonly Said[], position: number, at: Folding): Folding {
  const mark = rollup.mark(at.board) ?? [position]
  const again = new Folding(log, said)
  const reachedAt = rollup.reached(at.board) ?? Number.NEGATIVE_INFINITY
  for (const { key, value, cause } of said)
    if (cause[0]! < position && rollup.restores!(key, reachedAt)) rollup.restore!(again.board, value)
  again.fold(mark[0]!, position)
  again.said.length = 0
  return again
}

export function windowsOf(said: readonly Said[]): readonly (Window & { readonly key: string })[] {
  return factsOf<Window>(said, 'window')
}

export function gapsOf(said: readonly Said[]): readonly (Gap & { readonly key: string })[] {
  return factsOf<Gap>(said, 'gap')
}

export function rejectedOf(said: readonly Said[]): readonly (Rejected & { readonly key: string })[] {
  return factsOf<Rejected>(said, 'rejected')
}

function factsOf<Fact>(said: readonly Said[], type: string): readonly (Fact & { readonly key: string })[] {
  return said
    .filter(({ topic, value }) => topic === topics.window.name && (value as { type: string }).type === type)
    .map(({ key, value }) => ({ ...(value as Fact), key }))
}

/** `router_demo/2026-06-27T22:00:00Z/r0 ok 4/4 p95 120`: a window in a line. */
export function brief({ key, verdict, count, expectedCount, p95Ms, late }: Window & { readonly key: string }): string {
  return `${key.replace('2026-06-27T', '')} ${verdict} ${count}/${expectedCount} p95 ${p95Ms ?? '-'}${late ? ' late' : ''}`
}
