import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { SampleFact } from '#lib/facts.ts'
import type { LatencyRow } from '#services/exporter/latency-csv.ts'
import { SampleCuts } from '#services/exporter/sample-cuts.ts'

type Entry = readonly [source: string, fact: SampleFact]

const tick = (at: number): Entry => ['', { type: 'tick', at, plan: 'p' }]
const sample = (scheduledAt: number, latencyMs: number | null = 1, ordinal = 0): Entry => [
  'a',
  {
    type: 'probe',
    outcome: latencyMs === null ? 'error' : 'ok',
    scheduledAt,
    ordinal,
    latencyMs,
    measuredAt: scheduledAt,
    lagMs: null,
    errorCode: latencyMs === null ? 'x' : null,
  },
]

function dealOut(cutsAt: readonly number[], log: readonly Entry[]): LatencyRow[][] {
  const rows = cutsAt.map((): LatencyRow[] => [])
  const cuts = new SampleCuts(cutsAt, rows)
  for (const [source, fact] of log) if (!cuts.take(source, fact)) break
  return rows
}

const times = (rows: readonly (readonly LatencyRow[])[]): number[][] =>
  rows.map((list) => list.map((row) => row.scheduledAt))

test('a sample is below a cut when it stands before the first tick at or after the cut', () => {
  const log = [sample(1), tick(10), sample(11), tick(20), sample(21), tick(30), sample(31)]
  expect(times(dealOut([10, 20], log))).toEqual([[1], [11]])
  expect(times(dealOut([15, 20], log))).toEqual([[1, 11], []])
})

test('what is appended after the tick of a cut never changes what is below it', () => {
  const log = [sample(1), tick(10)]
  expect(dealOut([10], [...log, sample(2), sample(3)])).toEqual(dealOut([10], log))
})

test('a late sample belongs to the job it came before, whatever time it was scheduled for', () => {
  expect(times(dealOut([10, 20], [tick(10), sample(1), tick(20), tick(30), sample(2)]))).toEqual([[], [1]])
})

test('a tick that is smaller than an earlier one changes nothing', () => {
  expect(times(dealOut([10, 20], [tick(10), tick(5), sample(1)]))).toEqual([[], [1]])
})

test('two jobs with one cut: the first has the rows', () => {
  expect(times(dealOut([10, 10], [sample(1), tick(10), sample(2)]))).toEqual([[1], []])
})

test('the first record of a sample id counts, also when it is an error', () => {
  const rows = dealOut([10, 20], [sample(1, null), sample(1, 5), sample(2, 6), tick(10), sample(2, 7), sample(2, 8, 1)])
  expect(rows.flat().map(({ latencyMs }) => latencyMs)).toEqual([6, 8])
})

test('reading ends at the first tick at or after the last cut', () => {
  const rows: LatencyRow[][] = [[]]
  const cuts = new SampleCuts([10], rows)
  expect(cuts.take(...tick(9))).toBe(true)
  expect(cuts.take(...tick(10))).toBe(false)
  cuts.take(...sample(1))
  expect(rows).toEqual([[]])
})

test('copies anywhere after the first change nothing, and which rows exist does not depend on the order', () => {
  const entry = fc.oneof(
    fc.nat(20).map((at) => tick(at)),
    fc.tuple(fc.nat(8), fc.nat(2)).map(([at, ordinal]) => sample(at, 1, ordinal)),
  )
  fc.assert(
    fc.property(fc.array(entry), fc.nat(), fc.nat(), (log, from, to) => {
      const cutsAt = [3, 9, 15, 21]
      const rows = dealOut(cutsAt, log)
      const original = log[from % Math.max(1, log.length)]
      if (original) {
        const first = log.indexOf(original)
        const place = first + 1 + (to % (log.length - first))
        const isTick = original[1].type === 'tick'
        if (!isTick) expect(dealOut(cutsAt, log.toSpliced(place, 0, original))).toEqual(rows)
      }
      const ids = new Set(log.filter(([, fact]) => fact.type === 'probe').map((one) => JSON.stringify(one)))
      expect(rows.flat()).toHaveLength(ids.size)
    }),
  )
})
