import { describe, expect, test } from '@jest/globals'
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '#lib/time.ts'
import {
  slotAfter,
  slotsDue,
  tickAfter,
  tickAtOrBefore,
  tickInterval,
  ticksMissed,
} from '#services/sampler/schedule.ts'
import { at } from './desk.ts'

describe('the tick interval', () => {
  test.each([
    ['one minute for slow sources', [15 * MINUTE_MS], 10 * MINUTE_MS, MINUTE_MS],
    ['the shortest interval', [15 * MINUTE_MS, SECOND_MS], 10 * MINUTE_MS, SECOND_MS],
    ['half the grace', [15 * MINUTE_MS], 30 * SECOND_MS, 15 * SECOND_MS],
    ['one minute without a source', [], 10 * MINUTE_MS, MINUTE_MS],
    ['at least a millisecond', [SECOND_MS], 1, 1],
  ])('is %s', (_name, intervals, graceMs, expected) => {
    expect(
      tickInterval(
        intervals.map((intervalMs) => ({ intervalMs })),
        graceMs,
      ),
    ).toBe(expected)
  })
})

describe('ticks', () => {
  test('are aligned to UTC, also before 1970', () => {
    expect(tickAtOrBefore(at('22:00:59.999'), MINUTE_MS)).toBe(at('22:00'))
    expect(tickAtOrBefore(at('22:00'), MINUTE_MS)).toBe(at('22:00'))
    expect(tickAfter(at('22:00'), MINUTE_MS)).toBe(at('22:01'))
    expect(tickAtOrBefore(-1, MINUTE_MS)).toBe(-MINUTE_MS)
  })

  test('that are owed lie after the last one, up to now', () => {
    expect([...ticksMissed(at('22:00:30'), at('22:03'), MINUTE_MS)]).toEqual([at('22:01'), at('22:02'), at('22:03')])
    expect([...ticksMissed(at('22:03'), at('22:03:59'), MINUTE_MS)]).toEqual([])
    expect([...ticksMissed(at('22:09'), at('22:03'), MINUTE_MS)]).toEqual([])
    expect([...ticksMissed(0, 3 * DAY_MS, MINUTE_MS)]).toHaveLength(3 * 24 * 60)
  })

  test('of the time before the first one are not owed', () => {
    expect([...ticksMissed(null, at('22:03:59'), MINUTE_MS)]).toEqual([at('22:03')])
  })
})

describe('slots', () => {
  const source = { intervalMs: 15 * MINUTE_MS, phaseMs: 2 * SECOND_MS }

  test('are shifted by the phase', () => {
    expect([...slotsDue(source, at('22:00'), at('22:30:02'))]).toEqual([at('22:00:02'), at('22:15:02'), at('22:30:02')])
    expect([...slotsDue(source, at('22:00:02'), at('22:15:01'))]).toEqual([])
    expect(slotAfter(source, at('22:15:02'))).toBe(at('22:30:02'))
    expect(slotAfter(source, at('22:15:01.999'))).toBe(at('22:15:02'))
  })

  test('of a day with 24 hours are 96, whatever the zone', () => {
    expect([
      ...slotsDue({ intervalMs: 15 * MINUTE_MS, phaseMs: 0 }, at('00:00') - 1, at('00:00') + 24 * HOUR_MS - 1),
    ]).toHaveLength(96)
  })
})
