import { expect } from '@jest/globals'
import fc from 'fast-check'
import type { LatencyCount, Window } from '#lib/facts.ts'
import { HOUR_MS, MINUTE_MS } from '#lib/time.ts'
import { nearestRank } from '#services/rollup/percentiles.ts'
import { at, plan, probe, rollUp, tick, windowsOf } from '#tests/services/rollup/rolling.ts'
import { numpyFigures, numpyMissing } from '#tests/support/numpy.ts'
import { postgresMissing, startPostgres } from '#tests/support/postgres.ts'
import { testNeeding } from '#tests/support/required.ts'

/** Windows that are hard on percentiles: every size, ties, zeros, one outlier, and random ones. */
function latenciesOfWindows(): readonly (readonly number[])[] {
  const random = fc.sample(
    fc.array(fc.oneof(fc.nat(50), fc.nat(100_000), fc.constantFrom(0, 1, 5_000)), { minLength: 1, maxLength: 300 }),
    { numRuns: 60, seed: 20_260_627 },
  )
  const upTo = Array.from({ length: 40 }, (_, n) => Array.from({ length: n + 1 }, (_, i) => i + 1))
  const large = [1_999, 2_000].map((n) => Array.from({ length: n }, (_, i) => (i * 7_919) % 1_009))
  return [...upTo, ...large, [0], [0, 0, 0], [7, 7, 7, 7], [100, 100, 100, 5_000], ...random]
}

const START = at('2026-01-01T00:00:00Z')

const windows = latenciesOfWindows()

/** What rollup says of them, one an hour. */
function toldWindows(): readonly Window[] {
  const log = windows.flatMap((latencies, hour) => [
    ...latencies.map((latencyMs, i) => probe('s', START + hour * HOUR_MS + i * 1_000, latencyMs)),
    tick(START + (hour + 1) * HOUR_MS + 10 * MINUTE_MS, plan()),
  ])
  return windowsOf(rollUp(log)).filter(({ count }) => count > 0)
}

testNeeding(
  postgresMissing(),
  "p50, p95, count and max of rollup's windows, and p95 of all windows merged, equal PostgreSQL's percentile_disc",
  () => {
    const told = toldWindows()
    const postgres = startPostgres()
    try {
      postgres.query('create table sample (hour int, ms int)')
      const rows = windows.flatMap((latencies, hour) => latencies.map((latencyMs) => `${hour}\t${latencyMs}`))
      postgres.query('\\copy sample from stdin', `${rows.join('\n')}\n`)
      const figures = (by: string): string =>
        `select ${by}, percentile_disc(0.5) within group (order by ms), percentile_disc(0.95) within group (order by ms), count(*), max(ms) from sample`

      const expected = postgres.query(`${figures('hour')} group by hour order by hour`)
      const hourOf = ({ startAt }: Window): number => (startAt - START) / HOUR_MS
      expect(told.map((window) => [hourOf(window), ...figuresOf(window)].map(String))).toEqual(expected)
      const [[, p50, p95]] = postgres.query(figures('0')) as [[string, string, string]]
      const merged = merge(told)
      expect([nearestRank(merged, 50), nearestRank(merged, 95)]).toEqual([Number(p50), Number(p95)])
    } finally {
      postgres.stop()
    }
  },
  120_000,
)

testNeeding(
  numpyMissing(),
  "p50, p95, count and max of rollup's windows, and of all windows merged, equal numpy's inverted_cdf",
  () => {
    const told = toldWindows()
    const [all, ...expected] = numpyFigures([windows.flat(), ...windows])
    expect(told.map(figuresOf)).toEqual(expected)
    const merged = merge(told)
    expect([nearestRank(merged, 50), nearestRank(merged, 95)]).toEqual(all!.slice(0, 2))
  },
  120_000,
)

function figuresOf({ p50Ms, p95Ms, count, maxMs }: Window): readonly (number | null)[] {
  return [p50Ms, p95Ms, count, maxMs]
}

/** A longer period is the sum of its windows' counts. */
function merge(windows: readonly Window[]): readonly LatencyCount[] {
  const counts = new Map<number, number>()
  for (const { latencies } of windows)
    for (const { ms, count } of latencies) counts.set(ms, (counts.get(ms) ?? 0) + count)
  return [...counts].map(([ms, count]) => ({ ms, count })).toSorted((a, b) => a.ms - b.ms)
}
