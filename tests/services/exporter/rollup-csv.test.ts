import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { Window } from '#lib/facts.ts'
import { lastBreachAt, rollupCsv, rollupRows } from '#services/exporter/rollup-csv.ts'

const at = (time: string): number => Date.parse(time)
const HOUR = 3_600_000
const HEADER = 'hour_utc,p50_ms,p95_ms,breach_flag,source,count,expected_count,error_count,max_ms,revision\n'

function window(start: string, fields: Partial<Window> = {}): Window {
  const startAt = at(start)
  return {
    type: 'window',
    source: 'router_demo',
    startAt,
    endAt: startAt + HOUR,
    revision: 0,
    decidedAt: startAt + HOUR + 600_000,
    late: false,
    verdict: 'ok',
    reason: null,
    count: 4,
    errorCount: 1,
    timeoutCount: 1,
    skippedCount: 0,
    expectedCount: 4,
    p50Ms: 120,
    p95Ms: 480,
    maxMs: 481,
    thresholdMs: 500,
    ruleId: 'latency_p95',
    plan: 'p',
    latencies: [],
    sampleIds: [],
    sealed: false,
    ...fields,
  }
}

const cut = (time: string, rollupRetentionDays = 90) => ({
  cutTickAt: at(time),
  generatedAt: at(time),
  rollupRetentionDays,
})
const csvAt = (time: string, windows: readonly Window[]): string => rollupCsv(rollupRows(windows, cut(time))).toString()

test('a window is a row', () => {
  expect(csvAt('2026-06-28T00:10:00Z', [window('2026-06-27T23:00:00Z')])).toBe(
    `${HEADER}2026-06-27T23:00:00Z,120,480,false,router_demo,4,4,1,481,0\n`,
  )
})

test('an empty window has empty cells where it has no value, and no flag', () => {
  const empty = window('2026-06-27T23:00:00Z', {
    count: 0,
    errorCount: 0,
    p50Ms: null,
    p95Ms: null,
    maxMs: null,
    verdict: 'insufficient',
  })
  expect(csvAt('2026-06-28T00:10:00Z', [empty])).toBe(`${HEADER}2026-06-27T23:00:00Z,,,,router_demo,0,4,0,,0\n`)
})

test.each([
  ['breach', 'true'],
  ['ok', 'false'],
  ['insufficient', ''],
  ['closed', ''],
  ['retired', ''],
] as const)('the verdict %s has the flag %j', (verdict, flag) => {
  expect(csvAt('2026-06-28T00:10:00Z', [window('2026-06-27T23:00:00Z', { verdict })])).toContain(
    `,480,${flag},router_demo`,
  )
})

test('only the newest revision that was decided at or before the cut is shown', () => {
  const start = '2026-06-27T23:00:00Z'
  const revisions = [
    window(start, { revision: 1, decidedAt: at('2026-06-28T02:00:00Z'), count: 5 }),
    window(start, { revision: 2, decidedAt: at('2026-06-28T03:00:00Z'), count: 6 }),
    window(start),
  ]
  const shown = (time: string): number[] => rollupRows(revisions, cut(time)).map(({ revision }) => revision)
  expect(shown('2026-06-28T00:09:59Z')).toEqual([])
  expect(shown('2026-06-28T00:10:00Z')).toEqual([0])
  expect(shown('2026-06-28T02:00:00Z')).toEqual([1])
  expect(shown('2026-06-28T09:00:00Z')).toEqual([2])
})

test('rows are sorted by time, then source, whatever order the windows come in', () => {
  const windows = ['b', 'a', 'Z'].flatMap((source) =>
    ['2026-06-27T22:00:00Z', '2026-06-27T21:00:00Z'].map((start) => window(start, { source })),
  )
  fc.assert(
    fc.property(fc.shuffledSubarray(windows, { minLength: windows.length }), (shuffled) => {
      const rows = rollupRows(shuffled, cut('2026-06-28T00:00:00Z'))
      expect(rows.map(({ startAt, source }) => `${new Date(startAt).getUTCHours()}${source}`)).toEqual([
        '21Z',
        '21a',
        '21b',
        '22Z',
        '22a',
        '22b',
      ])
    }),
    { numRuns: 20 },
  )
})

test('a window is kept until its start is older than the retention', () => {
  const old = window('2026-06-27T23:00:00Z')
  expect(rollupRows([old], cut('2026-09-25T23:00:00Z'))).toHaveLength(1)
  expect(rollupRows([old], cut('2026-09-25T23:00:00.001Z'))).toHaveLength(0)
})

test('windows of our own jobs enter no file', () => {
  expect(rollupRows([window('2026-06-27T23:00:00Z', { source: 'job.weekly' })], cut('2026-06-28T01:00:00Z'))).toEqual(
    [],
  )
})

test('the last breach is the end of the newest breaching window; a revision can take it back', () => {
  const [first, second] = ['2026-06-27T20:00:00Z', '2026-06-27T21:00:00Z'].map((start) =>
    window(start, { verdict: 'breach' }),
  )
  const takenBack = window('2026-06-27T21:00:00Z', { revision: 1, decidedAt: at('2026-06-28T05:00:00Z') })
  expect(lastBreachAt([window('2026-06-27T20:00:00Z')], at('2026-06-29T00:00:00Z'))).toBeNull()
  expect(lastBreachAt([second!, first!, takenBack], at('2026-06-28T04:00:00Z'))).toBe(at('2026-06-27T22:00:00Z'))
  expect(lastBreachAt([second!, first!, takenBack], at('2026-06-28T05:00:00Z'))).toBe(at('2026-06-27T21:00:00Z'))
})
