import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { coverageOf } from '#cli/rule-coverage.ts'
import type { Config } from '#lib/config.ts'
import { loadConfig } from '#lib/runtime/load-config.ts'
import type { Milliseconds } from '#lib/time.ts'
import { freshDesk } from '#tests/support/desk.ts'

const base = loadConfig({ dataDir: freshDesk(), env: {} }).config

interface Desk {
  readonly lengthMs: Milliseconds
  readonly intervalMs: Milliseconds
  readonly phaseMs: Milliseconds
  readonly graceMs: Milliseconds
}

function configOf({ lengthMs, intervalMs, phaseMs, graceMs }: Desk): Config {
  return {
    ...base,
    window: { ...base.window, lengthMs, graceMs },
    sources: [{ ...base.sources[0]!, intervalMs, phaseMs }],
  }
}

/** Counts it out: slot by slot, window by window, tick by tick. */
function simulatedDelay(
  { lengthMs, intervalMs, phaseMs, graceMs }: Desk,
  slowFrom: Milliseconds,
  breaches: number,
): Milliseconds {
  const tickMs = Math.min(intervalMs, Math.floor(graceMs / 2), 60_000)
  for (let start = 0, streak = 0; ; start += lengthMs) {
    const latencies: number[] = []
    for (let slot = phaseMs; slot < start + lengthMs; slot += intervalMs)
      if (slot >= start) latencies.push(slot >= slowFrom ? 1 : 0)
    const p95 = latencies.toSorted()[Math.ceil(0.95 * latencies.length) - 1]
    streak = p95 === 1 ? streak + 1 : 0
    if (streak === breaches) return Math.ceil((start + lengthMs + graceMs) / tickMs) * tickMs - slowFrom
  }
}

const desks = fc
  .record({
    length: fc.constantFrom(10, 60, 240, 360),
    interval: fc.integer({ min: 1, max: 40 }),
    phase: fc.nat(39),
    grace: fc.integer({ min: 2, max: 9 }),
  })
  .filter(({ length, interval, phase }) => interval <= length && phase < interval)
  .map(
    ({ length, interval, phase, grace }): Desk => ({
      lengthMs: length * 1000,
      intervalMs: interval * 1000,
      phaseMs: phase * 1000,
      graceMs: grace * 1000,
    }),
  )

test('whenever a source turns slow, the decision comes within the span that is told', () => {
  fc.assert(
    fc.property(desks, fc.nat(400_000), (desk, moment) => {
      const slowFrom = desk.lengthMs + moment
      const [coverage] = coverageOf(configOf(desk))
      const delay = simulatedDelay(desk, slowFrom, 2)
      expect(delay).toBeGreaterThanOrEqual(coverage!.warning!.shortestMs)
      expect(delay).toBeLessThanOrEqual(coverage!.warning!.longestMs)
    }),
  )
})

test.each([0, 300_000, 840_000])('both ends of the span can happen, also with slots shifted by %i ms', (phaseMs) => {
  const desk: Desk = { lengthMs: 3_600_000, intervalMs: 900_000, phaseMs, graceMs: 600_000 }
  const { warning, critical } = coverageOf(configOf(desk))[0]!
  const lastSlot = 3_600_000 * 2 - 900_000 + phaseMs
  expect(simulatedDelay(desk, lastSlot, 2)).toBe(warning!.shortestMs)
  expect(simulatedDelay(desk, lastSlot, 3)).toBe(critical!.shortestMs)
  const longestMs = simulatedDelay(desk, lastSlot + 1, 2)
  expect(longestMs).toBeLessThanOrEqual(warning!.longestMs)
  expect(longestMs).toBeGreaterThanOrEqual(warning!.longestMs - 60_001 /* ticks are at full minutes here */)
})

test.each([
  [19, true],
  [20, false],
])('the p95 of %i samples is the largest: %s', (samples, isMax) => {
  const [coverage] = coverageOf(configOf({ lengthMs: samples * 1000, intervalMs: 1000, phaseMs: 0, graceMs: 2000 }))
  expect(coverage).toMatchObject({ samplesPerWindow: samples, p95IsMax: isMax })
})

test('a source without a rule is told as such', () => {
  expect(coverageOf({ ...base, rules: [] })[0]).toMatchObject({
    ruleId: null,
    thresholdMs: null,
    warning: null,
    critical: null,
  })
})
