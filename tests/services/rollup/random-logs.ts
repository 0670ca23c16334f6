import fc from 'fast-check'
import type { Plan } from '#lib/plan.ts'
import { SECOND_MS } from '#lib/time.ts'
import { at, type Entry, plan, probe, rule, source, tick } from './rolling.ts'

/** Two minutes before the session ends: Friday 17:00 in New York. */
const START_AT = at('2026-06-26T20:58:00Z')

/** Plans that differ in everything a plan can change, over windows of seconds, so that a short log sees much. */
const plans: readonly Plan[] = [
  plan({
    window: '60s',
    grace: '10s',
    lateness: '120s',
    expects: [source('a', '10s'), source('b', '15s', '4s')],
    rules: [rule()],
  }),
  plan({
    window: '60s',
    grace: '25s',
    lateness: '600s',
    expects: [source('a', '10s'), source('b', '15s', '4s')],
    rules: [rule()],
  }),
  plan({
    window: '60s',
    grace: '10s',
    lateness: '120s',
    expects: [source('a', '10s')],
    rules: [rule({ noDataAfterSlots: 3 })],
  }),
  plan({
    window: '30s',
    grace: '5s',
    lateness: '120s',
    expects: [source('a', '7s'), source('c', '20s')],
    rules: [rule({ id: 'a', match: 'a', minSamples: 1 })],
  }),
  plan({
    window: '120s',
    grace: '10s',
    lateness: '120s',
    expects: [source('b', '15s', '4s')],
    rules: [rule({ noDataAfterSlots: 1 })],
  }),
  plan({
    window: '60s',
    grace: '10s',
    lateness: '120s',
    calendar: 'fx',
    expects: [source('a', '10s'), source('b', '15s', '4s')],
    rules: [rule({ thresholdMs: 100 })],
  }),
  plan({ window: '60s', grace: '0s', lateness: '90s', expects: [], rules: [] }),
]

/** Of `plans`, those whose windows are 60 s. */
export const WITH_ONE_LENGTH: readonly Plan[] = plans.filter(({ windowMs }) => windowMs === 60 * SECOND_MS)

type Move =
  | { readonly kind: 'tick'; readonly bySeconds: number; readonly plan: number | null }
  | {
      readonly kind: 'probe'
      readonly source: string
      readonly aheadSeconds: number
      readonly ordinal: number
      readonly latencyMs: number | null
      readonly outcome: number
    }
  | { readonly kind: 'copy'; readonly back: number }

const bySeconds = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 25 }) },
  { weight: 2, arbitrary: fc.integer({ min: 26, max: 150 }) },
  { weight: 1, arbitrary: fc.integer({ min: -60, max: 0 }) },
)
const aheadSeconds = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: -20, max: 5 }) },
  { weight: 3, arbitrary: fc.integer({ min: -100, max: 40 }) },
  { weight: 1, arbitrary: fc.integer({ min: -400, max: 300 }) },
)

const moves: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('tick' as const),
      bySeconds,
      plan: fc.option(fc.nat(plans.length - 1), { freq: 6, nil: null }),
    }),
  },
  {
    weight: 7,
    arbitrary: fc.record({
      kind: fc.constant('probe' as const),
      source: fc.constantFrom('a', 'a', 'a', 'b', 'b', 'c', 'd'),
      aheadSeconds,
      ordinal: fc.constantFrom(0, 0, 0, 1),
      latencyMs: fc.option(fc.constantFrom(1, 50, 120, 499, 500, 501, 70_000), { freq: 6 }),
      outcome: fc.nat(3),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('copy' as const), back: fc.nat(12) }) },
)

interface LogOptions {
  /** Default: with copies of earlier records. */
  readonly copies?: boolean
  /** Default: all. */
  readonly plans?: readonly Plan[]
}

/** A log of one partition: ticks of changing plans, samples early, in time and late, copies, ticks that come too late. */
export function logs({ copies = true, plans: named = plans }: LogOptions = {}): fc.Arbitrary<readonly Entry[]> {
  const move = copies ? moves : moves.filter(({ kind }) => kind !== 'copy')
  return fc.array(move, { minLength: 1, maxLength: 60, size: 'max' }).map((all) => played(all, named))
}

function played(all: readonly Move[], named: readonly Plan[]): readonly Entry[] {
  const log: Entry[] = []
  let now = START_AT
  let inForce = named[0]!
  for (const move of all) {
    if (move.kind === 'copy') {
      const copied = log[Math.max(0, log.length - 1 - move.back)]
      if (copied) log.push(copied)
    } else if (move.kind === 'tick') {
      const at = now + move.bySeconds * SECOND_MS
      if (at > now && move.plan !== null) inForce = named[move.plan % named.length]!
      log.push(tick(at, at > now ? inForce : named.at(-1)!))
      now = Math.max(now, at)
    } else log.push(probeOf(move, now))
  }
  return log
}

function probeOf(move: Extract<Move, { kind: 'probe' }>, now: number): Entry {
  const { source: of, latencyMs, ordinal, aheadSeconds: ahead } = move
  const outcome =
    latencyMs === null
      ? (['error', 'skipped'] as const)[move.outcome % 2]!
      : (['ok', 'ok', 'ok', 'timeout'] as const)[move.outcome]!
  return probe(of, now + ahead * SECOND_MS, latencyMs, { outcome, ordinal })
}
