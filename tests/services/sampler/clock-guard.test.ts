import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { DAY_MS } from '#lib/time.ts'
import type { ClockEvidence } from '#services/sampler/clock-guard.ts'
import { judgeClock } from '#services/sampler/clock-guard.ts'
import { at } from './desk.ts'

const NOW = at('22:00')
const fine: ClockEvidence = {
  now: { wallAt: NOW, monotonicMs: 60_000 },
  before: { wallAt: NOW - 60_000, monotonicMs: 0 },
  lastTickAt: NOW - 60_000,
  append: { sentAt: NOW - 60_000, answeredAt: NOW - 59_900, appendedAt: NOW - 59_950 },
}

function reasonOf(evidence: ClockEvidence): string {
  const verdict = judgeClock(evidence)
  return verdict.go ? 'go' : verdict.reason
}

describe('a tick is written', () => {
  test('when nothing speaks against the clock, or nothing is known yet', () => {
    expect(judgeClock(fine)).toEqual({ go: true })
    expect(judgeClock({ now: fine.now, before: null, lastTickAt: null, append: null })).toEqual({ go: true })
  })

  test('after an outage of any length, as long as both clocks went on', () => {
    expect(judgeClock({ ...fine, before: null, lastTickAt: NOW - 90 * DAY_MS })).toEqual({ go: true })
  })

  test('when a slow append took a minute and the time of the log lies in it', () => {
    expect(
      judgeClock({ ...fine, append: { sentAt: NOW - 90_000, answeredAt: NOW - 30_000, appendedAt: NOW - 60_000 } }),
    ).toEqual({ go: true })
  })
})

describe('no tick is written', () => {
  test.each([
    ['31 s ahead', 31_000],
    ['a year ahead', 365 * DAY_MS],
    ['a year behind', -365 * DAY_MS],
  ])('after the clock jumped %s', (_name, jumpMs) => {
    const wallAt = NOW + jumpMs
    expect(reasonOf({ ...fine, lastTickAt: null, now: { wallAt, monotonicMs: 60_000 } })).toMatch(
      /jumped \d+ s (ahead|behind) against its monotonic clock/,
    )
  })

  test('when it is off the time that the log gives', () => {
    const ahead = { sentAt: NOW, answeredAt: NOW + 5, appendedAt: NOW - 30_001 }
    const behind = { sentAt: NOW, answeredAt: NOW + 5, appendedAt: NOW + 30_006 }
    expect(reasonOf({ ...fine, append: ahead })).toMatch(
      /is 30 s ahead compared with the log, which took a record at 2026-06-27T21:59:29.999Z/,
    )
    expect(reasonOf({ ...fine, append: behind })).toMatch(/is 30 s behind compared with the log/)
  })

  test('when it is behind the last tick', () => {
    expect(reasonOf({ ...fine, lastTickAt: NOW + 30_001 })).toMatch(
      /30 s behind compared with the last tick, 2026-06-27T22:00:30.001Z/,
    )
    expect(reasonOf({ ...fine, lastTickAt: NOW + 30_000 })).toBe('go')
  })
})

test('every evidence gets a verdict, and going on needs all three to be within 30 s', () => {
  const instant = fc.integer({ min: NOW - 100_000, max: NOW + 100_000 })
  fc.assert(
    fc.property(
      instant,
      instant,
      fc.integer({ min: 0, max: 100_000 }),
      fc.option(instant),
      fc.option(instant),
      (wallAt, beforeAt, monotonicMs, lastTickAt, appendedAt) => {
        const append = appendedAt === null ? null : { sentAt: wallAt, answeredAt: wallAt, appendedAt }
        const { go } = judgeClock({
          now: { wallAt, monotonicMs },
          before: { wallAt: beforeAt, monotonicMs: 0 },
          lastTickAt,
          append,
        })
        const isJump = Math.abs(wallAt - beforeAt - monotonicMs) > 30_000
        const isOff = appendedAt !== null && Math.abs(wallAt - appendedAt) > 30_000
        const isBehind = lastTickAt !== null && lastTickAt - wallAt > 30_000
        expect(go).toBe(!(isJump || isOff || isBehind))
      },
    ),
  )
})
