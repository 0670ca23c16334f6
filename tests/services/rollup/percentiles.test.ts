import { afterAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { LatencyCounts, nearestRank } from '#services/rollup/percentiles.ts'
import { type Postgres, postgresMissing, startPostgres } from '#tests/support/postgres.ts'
import { testNeeding } from '#tests/support/required.ts'

function counted(latencies: Iterable<number>): LatencyCounts {
  const counts = new LatencyCounts()
  for (const ms of latencies) counts.add(ms)
  return counts
}

const percentile = (latencies: readonly number[], percent: number): number | undefined =>
  nearestRank(counted(latencies).ascending(), percent)

/** The definition, word for word: the smallest value with at least that share of the samples at or below it. */
function byDefinition(latencies: readonly number[], percent: number): number | undefined {
  const sorted = latencies.toSorted((a, b) => a - b)
  return sorted.find((value) => sorted.filter((other) => other <= value).length * 100 >= percent * sorted.length)
}

/** Small and huge values, around the places where the counting array ends. */
const latencies = fc.oneof(
  { weight: 6, arbitrary: fc.nat(1_200) },
  { weight: 2, arbitrary: fc.nat(70_000) },
  { weight: 1, arbitrary: fc.nat(2 ** 31 - 1) },
  { weight: 1, arbitrary: fc.constantFrom(0, 1, 255, 256, 1_023, 1_024, 65_535, 65_536) },
)
const windows = fc.array(latencies, { maxLength: 300, size: 'max' })

test('p95 of 1..10 is 10, and p50 is 5', () => {
  const ten = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
  expect(percentile(ten, 95)).toBe(10)
  expect(percentile(ten, 50)).toBe(5)
})

test('p95 of four samples is the slowest', () => {
  expect(percentile([100, 5_000, 100, 100], 95)).toBe(5_000)
})

test('an empty window has no percentile', () => {
  expect(percentile([], 50)).toBeUndefined()
})

test('nearest rank is its definition', () => {
  fc.assert(
    fc.property(windows, fc.integer({ min: 1, max: 100 }), (window, percent) => {
      expect(percentile(window, percent)).toBe(byDefinition(window, percent))
    }),
    { numRuns: 200 },
  )
})

test('the counting array and a plain map hold the same counts, in whatever order values come', () => {
  fc.assert(
    fc.property(windows, (window) => {
      const plain = new Map<number, number>()
      for (const ms of window) plain.set(ms, (plain.get(ms) ?? 0) + 1)
      const expected = [...plain].sort(([a], [b]) => a - b).map(([ms, count]) => ({ ms, count }))
      expect(counted(window).ascending()).toEqual(expected)
      expect(counted(window.toReversed()).ascending()).toEqual(expected)
      expect(counted(window).total).toBe(window.length)
    }),
  )
})

test('the percentile of merged windows is that of all their samples', () => {
  fc.assert(
    fc.property(fc.array(windows, { maxLength: 6 }), (many) => {
      const merged = new LatencyCounts()
      for (const window of many) for (const { ms, count } of counted(window).ascending()) merged.add(ms, count)
      expect(nearestRank(merged.ascending(), 95)).toBe(percentile(many.flat(), 95))
    }),
    { numRuns: 50 },
  )
})

describe('PostgreSQL agrees', () => {
  const missing = postgresMissing()
  let server: Postgres | undefined
  afterAll(() => server?.stop())

  testNeeding(
    missing,
    'percentile_disc of 0.5 and 0.95 over windows of 1 to 2,000 samples',
    () => {
      server = startPostgres()
      const rows = [...adversarial(), ...random()]
      server.query('CREATE TABLE samples (id int, ms int)')
      const copied = rows.flatMap((window, id) => window.map((ms) => `${id}\t${ms}\n`))
      server.query('\\copy samples from stdin', copied.join(''))
      const answers =
        server.query(`SELECT id, percentile_disc(0.5) WITHIN GROUP (ORDER BY ms), percentile_disc(0.95) WITHIN GROUP (ORDER BY ms)
FROM samples GROUP BY id ORDER BY id`)
      expect(answers).toEqual(
        rows.map((window, id) => [id, percentile(window, 50), percentile(window, 95)].map(String)),
      )
    },
    120_000,
  )
})

/** Every size once, with the values that make ranks show: all different, ascending and descending. */
function* adversarial(): Iterable<number[]> {
  for (let size = 1; size <= 2_000; size += size < 200 ? 1 : 7) {
    yield Array.from({ length: size }, (_, i) => (size % 2 === 0 ? i + 1 : size - i))
    if (size % 20 < 2) yield Array.from({ length: size }, (_, i) => (i < size * 0.95 ? 100 : 5_000))
  }
}

function random(): number[][] {
  return fc.sample(fc.array(latencies, { minLength: 1, maxLength: 2_000, size: 'max' }), { numRuns: 200, seed: 42 })
}
