import type { Outcome } from '#lib/facts.ts'
import type { Plan } from '#lib/plan.ts'
import { HOUR_MS, type Instant, MINUTE_MS, SECOND_MS } from '#lib/time.ts'
import { Random } from '../random.ts'

/** 2026-06-01T00:00:00Z */
const BEGIN_AT: Instant = 1_780_272_000_000

/** One probe each second of each source. */
const INTERVAL_MS = SECOND_MS
const GRACE_MS = 10 * MINUTE_MS
/** The log ends in silence, which is not what is measured. */
const NEVER_SLOTS = 1_000_000
const COPY_SHARE = 0.01
const TIMEOUT_SHARE = 0.005
const ERROR_SHARE = 0.005
const TIMEOUT_MS = 2_000

/** A sample before it is anything else: a record of the log, or a line for the peers. */
export interface Sample {
  readonly source: string
  readonly scheduledAt: Instant
  readonly ordinal: number
  readonly outcome: Outcome
  readonly latencyMs: number | null
}

export function sourceIds(sourceCount: number): readonly string[] {
  return Array.from({ length: sourceCount }, (_, i) => `router_${String(i).padStart(4, '0')}`)
}

/** Every source expected each second, windows of an hour, a tick each second as the sampler would write them. */
export function planFor(sourceCount: number): Plan {
  return {
    engine: 1,
    tickIntervalMs: INTERVAL_MS,
    windowMs: HOUR_MS,
    graceMs: GRACE_MS,
    latenessMs: 14 * 24 * HOUR_MS,
    calendar: { kind: 'always', holidays: [], tzdata: 'none' },
    sources: sourceIds(sourceCount).map((id) => ({ id, intervalMs: INTERVAL_MS, phaseMs: 0, labels: {} })),
    rules: [
      {
        id: 'latency_p95',
        match: '*',
        thresholdMs: 140,
        warningAfter: 2,
        criticalAfter: 3,
        minSamples: 3,
        errorRatio: 0.5,
        noDataAfterSlots: NEVER_SLOTS,
        maxInsufficient: 3,
        resolveAfter: 2,
        resolveBelow: 0.9,
        reminderMs: 4 * HOUR_MS,
      },
    ],
    locale: 'en',
    week: 'iso-week',
    datasetRows: {},
  }
}

/** Samples and the ticks between them, as a log holds them. */
export type Step =
  | { readonly type: 'sample'; readonly sample: Sample; readonly measuredAt: Instant }
  | { readonly type: 'tick'; readonly at: Instant }

/**
 * The same sequence for the same numbers. Every second each source has one sample, then comes the tick. One sample in a
 * hundred comes again within the next minutes, the same in every byte: what an append with an unknown outcome leaves.
 * Ends with the tick that closes the last window.
 *
 * @param total samples, copies among them
 */
export function* generate(sourceCount: number, total: number): Generator<Step> {
  const random = new Random(sourceCount)
  const ids = sourceIds(sourceCount)
  const copies: Sample[] = []
  let made = 0
  let now = BEGIN_AT
  for (; made < total; now += INTERVAL_MS) {
    for (let i = 0; i < ids.length && made < total; i++) {
      const sample = sampleOf(ids[i]!, now, random)
      yield { type: 'sample', sample, measuredAt: now + 1 }
      made++
      if (random.chance(COPY_SHARE)) copies.push(sample)
    }
    while (made < total && copies.length > 0 && copies[0]!.scheduledAt < now - 2 * MINUTE_MS) {
      const sample = copies.shift()!
      yield { type: 'sample', sample, measuredAt: sample.scheduledAt + 1 }
      made++
    }
    yield { type: 'tick', at: now + INTERVAL_MS }
  }
  yield { type: 'tick', at: windowEndAfter(now - INTERVAL_MS) + GRACE_MS }
}

function sampleOf(source: string, scheduledAt: Instant, random: Random): Sample {
  const kind = random.next()
  const sample = { source, scheduledAt, ordinal: 0 }
  if (kind < ERROR_SHARE) return { ...sample, outcome: 'error', latencyMs: null }
  if (kind < ERROR_SHARE + TIMEOUT_SHARE) return { ...sample, outcome: 'timeout', latencyMs: TIMEOUT_MS }
  return { ...sample, outcome: 'ok', latencyMs: 40 + Math.floor(-30 * Math.log(1 - random.next())) }
}

function windowEndAfter(at: Instant): Instant {
  return (Math.floor(at / HOUR_MS) + 1) * HOUR_MS
}
