import { planRecord } from '#lib/codec/plan-json.ts'
import type { Outcome, Probe } from '#lib/facts.ts'
import { ENGINE, type Plan, type PlannedSource, type Rule } from '#lib/plan.ts'
import { DAY_MS, HOUR_MS, type Instant, MINUTE_MS, type Milliseconds } from '#lib/time.ts'
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
 *
 * On a larger desk each of them has twins, `tokyo_router.1` and so on, which live through the same, each a while later.
 */
export const BEGINS_AT = Date.parse('2026-06-26T12:00:00Z')
const ENDS_AT = Date.parse('2026-06-29T14:00:00Z')
const STEP_MS = 5 * MINUTE_MS
const TWIN_LATER_MS = 20 * MINUTE_MS
const ROLES = ['old_router', 'router_demo', 'tokyo_router', '口座_α'] as const

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

export interface Plans {
  readonly friday: Plan
  readonly sunday: Plan
}

function sourceAt(index: number): PlannedSource {
  const [role, twin] = [ROLES[index % ROLES.length]!, Math.floor(index / ROLES.length)]
  const phase = (role === '口座_α' ? 1 : 0) + twin
  return {
    id: twin === 0 ? role : `${role}.${twin}`,
    intervalMs: 15 * MINUTE_MS,
    phaseMs: (phase % 3) * STEP_MS,
    labels: { desk: 'fx' },
  }
}

/** @param sources how many a plan expects; the laws are played with few, so that they are quick */
export function plansOf(engine = ENGINE, sources: number = ROLES.length): Plans {
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
  const friday = Array.from({ length: sources }, (_, index) => sourceAt(index))
  return {
    friday: {
      ...common,
      sources: friday,
      rules: [rule('tokyo', 'tokyo_*'), rule('rest', '*', { thresholdMs: 800 })],
    },
    sunday: {
      ...common,
      sources: friday.map((source) => ({ ...source, id: source.id.replace('old_router', 'new_router') })),
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
export function scenario(plans: Plans = plansOf(), until: Instant = ENDS_AT): readonly Step[] {
  const hashes = { friday: planRecord(plans.friday).hash, sunday: planRecord(plans.sunday).hash }
  const steps: Step[] = []
  const say = (sample: Sample): void => void steps.push({ type: 'sample', sample })
  const late: { readonly dueAt: Instant; readonly sample: Sample }[] = []
  let count = 0
  for (let now = BEGINS_AT; now <= until; now += STEP_MS) {
    const isPaused = between(now, ...PAUSE)
    for (const sample of isPaused ? [] : samplesAt(now, plans)) {
      count++
      const delayMs = delayOf(sample, count)
      if (delayMs > 0) late.push({ dueAt: now + delayMs, sample })
      else say(sample)
      if (count % 17 === 0) say(sample)
    }
    for (const { sample } of late.filter(({ dueAt }) => dueAt === now)) say(sample)
    for (const sample of strangersAt(now, plans.sunday)) say(sample)
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

function samplesAt(now: Instant, { friday, sunday }: Plans): readonly Sample[] {
  const { sources } = now < PLAN_CHANGES_AT ? friday : sunday
  return sources
    .filter(({ id, intervalMs, phaseMs }) => (now - phaseMs) % intervalMs === 0 && !isSilent(id, now))
    .map(({ id }) => sampleOf(id, now))
}

/** What a source plays, and how much later than the first of its kind. */
function partOf(id: string): { readonly role: string; readonly laterMs: Milliseconds } {
  const [role, twin = '0'] = id.split('.')
  return { role: role!, laterMs: Number(twin) * TWIN_LATER_MS }
}

function isSilent(id: string, now: Instant): boolean {
  const { role, laterMs } = partOf(id)
  return role === '口座_α' && between(now - laterMs, '2026-06-28T22:00:00Z', '2026-06-29T01:40:00Z')
}

function sampleOf(id: string, at: Instant): Sample {
  const { role, laterMs } = partOf(id)
  const latencyMs = 40 + (noise(id, at) % 300)
  const isSlow = role === 'tokyo_router' && between(at - laterMs, '2026-06-26T13:00:00Z', '2026-06-26T18:00:00Z')
  if (isSlow) return probeAt(id, at, { latencyMs: latencyMs + 600 })
  const fails = role === 'tokyo_router' && between(at - laterMs, '2026-06-29T10:00:00Z', '2026-06-29T14:00:00Z')
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
  if (partOf(id).role !== 'router_demo') return 0
  if (count % 61 === 0) return 27 * HOUR_MS
  if (count % 23 === 0) return 3 * HOUR_MS
  return count % 9 === 0 ? 50 * MINUTE_MS : 0
}

/** Samples that no plan expects: of a source that is in none, or too early. */
function strangersAt(now: Instant, { sources }: Plan): readonly Sample[] {
  return sources
    .filter(({ id }) => partOf(id).role === 'router_demo')
    .flatMap(({ id }) => {
      if (now % (2 * HOUR_MS) === 0) {
        const stranger = id.replace('router_demo', 'import_only')
        return [probeAt(stranger, now - 12 * MINUTE_MS, { latencyMs: 90, ordinal: 3 })]
      }
      if (now % (11 * HOUR_MS) === 0) return [probeAt(id, now + 30 * MINUTE_MS, { latencyMs: 77, ordinal: 7 })]
      return now % (13 * HOUR_MS) === 0 ? [probeAt(id, now + 5 * HOUR_MS, { latencyMs: 78, ordinal: 7 })] : []
    })
}

/** Looks like chance and is none: a hash of source and time in whole numbers. */
function noise(id: string, at: Instant): number {
  let hash = 2166136261
  for (const byte of Buffer.from(`${id}${at}`)) hash = Math.imul(hash ^ byte, 16777619)
  return (hash ^ (hash >>> 13)) >>> 0
}
