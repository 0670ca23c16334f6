import { planRecord } from '#lib/codec/plan-json.ts'
import type { Outcome, Probe } from '#lib/facts.ts'
import { ENGINE, type Plan, type PlannedSource, type Rule } from '#lib/plan.ts'
import { DAY_MS, HOUR_MS, type Instant, MINUTE_MS } from '#lib/time.ts'
import type { Sample } from '#tests/support/play.ts'

/**
 * Three days of a desk, a weekend among them: everything that a log may hold, in 74 hours, the same every time.
 *
 * - `router_demo` is well, but some of its samples come late, early, far too late and twice.
 * - `tokyo_router` gets slow on Friday (warning, critical, a reminder, recovery) and answers with errors on Monday, when its
 *   alert is still open at the end.
 * - `口座_α` falls silent on Sunday night (no data, twice) and comes back.
 * - `old_router` leaves the plan on Sunday, `new_router` takes its place; the rules change with it.
 * - `import_only` is in no plan. On Monday morning the sampler stands still for ninety minutes.
 */
export const BEGINS_AT = Date.parse('2026-06-26T12:00:00Z')
const ENDS_AT = Date.parse('2026-06-29T14:00:00Z')
const STEP_MS = 5 * MINUTE_MS

/** What happens, in the order of the log. A latency job runs when all that stands before it is folded. */
export type Step =
  | { readonly type: 'sample'; readonly sample: Sample }
  | { readonly type: 'latency'; readonly slotAt: Instant }

const rule = (id: string, match: string, parts: Partial<Rule> = {}): Rule => ({
  id,
  match,
  thresholdMs: 500,
  warningAfter: 2,
  criticalAfter: 3,
  minSamples: 3,
  errorRatio: 0.5,
  noDataAfterSlots: 2,
  maxInsufficient: 3,
  resolveAfter: 2,
  resolveBelow: 0.9,
  reminderMs: 2 * HOUR_MS,
  ...parts,
})

const source = (id: string, phase = 0): PlannedSource => ({
  id,
  intervalMs: 15 * MINUTE_MS,
  phaseMs: phase * MINUTE_MS,
  labels: { desk: 'fx' },
})

/** Another window length gives another number of facts: the laws are played with small ones. */
export function plansOf(engine = ENGINE): { readonly friday: Plan; readonly sunday: Plan } {
  const common = {
    engine,
    tickIntervalMs: STEP_MS,
    windowMs: HOUR_MS,
    graceMs: 10 * MINUTE_MS,
    latenessMs: DAY_MS,
    calendar: { kind: 'fx', holidays: [], tzdata: '2026f' },
    locale: 'en',
    week: 'iso-week',
    datasetRows: {},
  } as const
  const stays = [source('router_demo'), source('tokyo_router'), source('口座_α', 5)]
  return {
    friday: {
      ...common,
      sources: [source('old_router'), ...stays],
      rules: [rule('tokyo', 'tokyo_*'), rule('rest', '*', { thresholdMs: 800 })],
    },
    sunday: {
      ...common,
      sources: [source('new_router'), ...stays],
      rules: [
        rule('tokyo', 'tokyo_*', { thresholdMs: 450 }),
        rule('others', '*', { thresholdMs: 700, criticalAfter: 4 }),
      ],
    },
  }
}

const between = (at: Instant, from: string, to: string): boolean => at >= Date.parse(from) && at < Date.parse(to)
const PLAN_CHANGES_AT = Date.parse('2026-06-28T20:30:00Z')
const PAUSE = ['2026-06-29T07:10:00Z', '2026-06-29T08:40:00Z'] as const

/** @param until leaves out what comes later */
export function scenario(plans = plansOf(), until: Instant = ENDS_AT): readonly Step[] {
  const hashes = { friday: planRecord(plans.friday).hash, sunday: planRecord(plans.sunday).hash }
  const steps: Step[] = []
  const say = (sample: Sample): void => void steps.push({ type: 'sample', sample })
  const late: { readonly dueAt: Instant; readonly sample: Sample }[] = []
  let count = 0
  for (let now = BEGINS_AT; now <= until; now += STEP_MS) {
    const isPaused = between(now, ...PAUSE)
    for (const sample of isPaused ? [] : samplesAt(now)) {
      count++
      const delayMs = delayOf(sample, count)
      if (delayMs > 0) late.push({ dueAt: now + delayMs, sample })
      else say(sample)
      if (count % 17 === 0) say(sample)
    }
    for (const { sample } of late.filter(({ dueAt }) => dueAt === now)) say(sample)
    for (const sample of strangersAt(now)) say(sample)
    say(tickAt(now, now < PLAN_CHANGES_AT ? hashes.friday : hashes.sunday))
    if (now % (7 * HOUR_MS) === 0) say(tickAt(now - 2 * STEP_MS, hashes.friday))
    if (!isPaused && isSlot(now)) steps.push({ type: 'latency', slotAt: now })
  }
  return steps
}

/** Every five hours, and just after midnight. */
function isSlot(at: Instant): boolean {
  return at % (5 * HOUR_MS) === 0 || at % DAY_MS === STEP_MS
}

function samplesAt(now: Instant): readonly Sample[] {
  const samples: Sample[] = []
  const planned = now < PLAN_CHANGES_AT ? plansOf().friday.sources : plansOf().sunday.sources
  for (const { id, intervalMs, phaseMs } of planned)
    if ((now - phaseMs) % intervalMs === 0 && !isSilent(id, now)) samples.push(sampleOf(id, now))
  return samples
}

const isSilent = (id: string, now: Instant): boolean =>
  id === '口座_α' && between(now, '2026-06-28T22:00:00Z', '2026-06-29T01:40:00Z')

function sampleOf(id: string, at: Instant): Sample {
  const latencyMs = 40 + (noise(id, at) % 300)
  const isSlow = id === 'tokyo_router' && between(at, '2026-06-26T13:00:00Z', '2026-06-26T18:00:00Z')
  if (isSlow) return probeAt(id, at, { latencyMs: latencyMs + 600 })
  const fails = id === 'tokyo_router' && between(at, '2026-06-29T10:00:00Z', '2026-06-29T14:00:00Z')
  if (fails && noise(id, at) % 4 !== 0) return probeAt(id, at, failure('error', null, 'connection_refused'))
  if (noise(id, at) % 41 === 0) return probeAt(id, at, failure('timeout', 10_000, 'timeout'))
  if (noise(id, at) % 59 === 0) return probeAt(id, at, failure('skipped', null, null))
  return probeAt(id, at, { latencyMs })
}

const failure = (outcome: Outcome, latencyMs: number | null, errorCode: string | null): Partial<Probe> => ({
  outcome,
  latencyMs,
  errorCode,
})

function probeAt(id: string, at: Instant, parts: Partial<Probe>): Sample {
  const times = { scheduledAt: at, measuredAt: at, lagMs: null }
  return [id, { type: 'probe', outcome: 'ok', ordinal: 0, latencyMs: null, errorCode: null, ...times, ...parts }]
}

const tickAt = (at: Instant, plan: string): Sample => ['', { type: 'tick', at, plan }]

/** Of `router_demo` every ninth sample is 50 minutes late, every 23rd three hours, every 61st more than a day. */
function delayOf([id]: Sample, count: number): number {
  if (id !== 'router_demo') return 0
  if (count % 61 === 0) return 27 * HOUR_MS
  if (count % 23 === 0) return 3 * HOUR_MS
  return count % 9 === 0 ? 50 * MINUTE_MS : 0
}

function strangersAt(now: Instant): readonly Sample[] {
  if (now % (2 * HOUR_MS) === 0) return [probeAt('import_only', now - 12 * MINUTE_MS, { latencyMs: 90, ordinal: 3 })]
  if (now % (11 * HOUR_MS) === 0) return [probeAt('router_demo', now + 30 * MINUTE_MS, { latencyMs: 77, ordinal: 7 })]
  return now % (13 * HOUR_MS) === 0 ? [probeAt('router_demo', now + 5 * HOUR_MS, { latencyMs: 78, ordinal: 7 })] : []
}

/** Looks like chance and is none: a hash of source and time in whole numbers. */
function noise(id: string, at: Instant): number {
  let hash = 2166136261
  for (const byte of Buffer.from(`${id}${at}`)) hash = Math.imul(hash ^ byte, 16777619)
  return (hash ^ (hash >>> 13)) >>> 0
}
