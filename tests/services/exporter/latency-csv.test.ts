import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { Probe } from '#lib/facts.ts'
import { compareRows, type LatencyRow, latencyCsv, rowOf } from '#services/exporter/latency-csv.ts'

const at = (time: string): number => Date.parse(`2026-06-27T${time}Z`)

function probe(fields: Partial<Probe>): Probe {
  return {
    type: 'probe',
    outcome: 'ok',
    scheduledAt: at('23:00:00'),
    ordinal: 0,
    latencyMs: 120,
    measuredAt: at('23:00:00.004'),
    lagMs: 0,
    errorCode: null,
    ...fields,
  }
}

const row = (fields: Partial<LatencyRow>): LatencyRow => ({
  scheduledAt: at('23:00:00'),
  source: 'a',
  ordinal: 0,
  latencyMs: 1,
  ...fields,
})

test('a sample is a row with its scheduled time, not the time it was measured', () => {
  const rows = [rowOf('router_demo', probe({}))!]
  expect(latencyCsv(rows).toString()).toBe('timestamp_utc,source,latency_ms\n2026-06-27T23:00:00Z,router_demo,120\n')
})

test('a timeout carries its limit; errors and skipped slots have no row', () => {
  expect(rowOf('a', probe({ outcome: 'timeout', latencyMs: 10_000 }))).toMatchObject({ latencyMs: 10_000 })
  expect(rowOf('a', probe({ outcome: 'error', latencyMs: null, errorCode: 'ECONNREFUSED' }))).toBeUndefined()
  expect(rowOf('a', probe({ outcome: 'skipped', latencyMs: null }))).toBeUndefined()
})

test('our own jobs are no signals', () => {
  expect(rowOf('job.weekly', probe({}))).toBeUndefined()
  expect(rowOf('jobs', probe({}))).toBeDefined()
})

test('milliseconds are written only where the scheduled time has some', () => {
  const lines = latencyCsv([row({}), row({ scheduledAt: at('23:00:00.050') })]).toString()
  expect(lines).toContain('\n2026-06-27T23:00:00Z,a,1\n2026-06-27T23:00:00.050Z,a,1\n')
})

test('no rows give a file with its header', () => {
  expect(latencyCsv([]).toString()).toBe('timestamp_utc,source,latency_ms\n')
})

test('a source that begins like a formula is disarmed', () => {
  expect(latencyCsv([row({ source: '-a' })]).toString()).toContain("Z,'-a,1\n")
})

test('rows are in order of time, source, ordinal, whatever order they come in', () => {
  const anyRow = fc.record({
    scheduledAt: fc.nat(2),
    source: fc.constantFrom('a', 'B', 'ä', '口'),
    ordinal: fc.nat(2),
    latencyMs: fc.nat(3),
  })
  fc.assert(
    fc.property(fc.array(anyRow), (rows) => {
      const sorted = rows.toSorted(compareRows)
      const name = (one: LatencyRow): string => `${one.scheduledAt} ${one.source} ${one.ordinal}`
      expect(sorted.map(name)).toEqual(rows.map(name).sort())
    }),
  )
})
