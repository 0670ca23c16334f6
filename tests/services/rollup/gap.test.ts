import { describe, expect, test } from '@jest/globals'
import { formatInstant } from '#lib/time.ts'
import { at, type Entry, gapsOf, plan, probe, probes, rollUp, rule, source, tick } from './rolling.ts'

const DEMO = { expects: ['router_demo'] }

/** `22:00 to 22:15 (2)` for a gap of two slots. */
function gaps(log: readonly Entry[]): readonly string[] {
  const time = (instant: number): string => formatInstant(instant).slice(11, 16)
  return gapsOf(rollUp(log)).map(
    ({ firstSlotAt, slotAt, missingCount }) => `${time(firstSlotAt)} to ${time(slotAt)} (${missingCount})`,
  )
}

/** A tick every minute, which is how silence passes. */
function minutes(from: string, to: string, parts: Parameters<typeof tick>[1] = DEMO): Entry[] {
  const ticks: Entry[] = []
  for (let instant = at(from); instant <= at(to); instant += 60_000) ticks.push(tick(instant, parts))
  return ticks
}

test('silence is told when two slots in a row are missing, at the tick that passes the second by the grace', () => {
  expect(gaps(minutes('22:00', '22:39'))).toEqual([])
  expect(gapsOf(rollUp(minutes('22:00', '22:40')))).toMatchObject([
    {
      key: 'router_demo/gap/2026-06-27T22:15:00Z',
      source: 'router_demo',
      firstSlotAt: at('22:00'),
      slotAt: at('22:15'),
      missingCount: 2,
      decidedAt: at('22:40'),
      ruleId: 'latency_p95',
    },
  ])
})

test('and again after every two more, with its first slot and its whole length', () => {
  expect(gaps(minutes('22:00', '23:40'))).toEqual(['22:00 to 22:15 (2)', '22:00 to 22:45 (4)', '22:00 to 23:15 (6)'])
})

test('what is told does not depend on how often ticks come', () => {
  expect(gaps([tick('22:00', DEMO), tick('23:40', DEMO)])).toEqual(gaps(minutes('22:00', '23:40')))
})

describe('of a silence that one tick finds', () => {
  test('the first two times and the newest are told, with their count and first slot', () => {
    expect(gaps([tick('22:00', DEMO), tick('28T03:40', DEMO)])).toEqual([
      '22:00 to 22:15 (2)',
      '22:00 to 22:45 (4)',
      '22:00 to 03:15 (22)',
    ])
  })

  test('so it is when the silence was told before, and later ticks count on', () => {
    const told = gaps([...minutes('22:00', '22:40'), tick('28T03:40', DEMO), tick('28T04:10', DEMO)])
    expect(told).toEqual([
      '22:00 to 22:15 (2)',
      '22:00 to 22:45 (4)',
      '22:00 to 23:15 (6)',
      '22:00 to 03:15 (22)',
      '22:00 to 03:45 (24)',
    ])
  })

  test('each silence counts for itself', () => {
    const log = [tick('22:00', DEMO), probe('router_demo', '23:00', 1), tick('28T03:40', DEMO)]
    expect(gaps(log)).toEqual([
      '22:00 to 22:15 (2)',
      '22:00 to 22:45 (4)',
      '23:15 to 23:30 (2)',
      '23:15 to 00:00 (4)',
      '23:15 to 03:00 (16)',
    ])
  })

  test('what opens an alert and makes it critical is told as with a tick every minute, and how long it has lasted', () => {
    const once = rollUp([tick('22:00', DEMO), tick('28T09:00', DEMO)])
    const often = rollUp(minutes('22:00', '28T09:00'))
    expect(gapsOf(once).slice(0, 2)).toMatchObject(
      gapsOf(often)
        .slice(0, 2)
        .map(({ key }) => ({ key })),
    )
    expect(gapsOf(once).at(-1)).toMatchObject({
      key: gapsOf(often).at(-1)!.key,
      missingCount: gapsOf(often).at(-1)!.missingCount,
    })
  })
})

test('a thousand sources of a second each that are silent for two hours make no more than three records each', () => {
  const many = {
    expects: Array.from({ length: 1_000 }, (_, i) => source(`router_${i}`, '1s')),
    window: '24h',
  }
  expect(rollUp([tick('10:00', many), tick('12:10', many)])).toHaveLength(3_000)
})

test('any sample fills its slot: slow, failed or skipped', () => {
  for (const [latencyMs, outcome] of [
    [9_000, 'timeout'],
    [null, 'error'],
    [null, 'skipped'],
  ] as const)
    expect(
      gaps([tick('22:00', DEMO), probe('router_demo', '22:20', latencyMs, { outcome }), tick('22:55', DEMO)]),
    ).toEqual([])
})

test('a sample within the grace fills its slot, one after it does not', () => {
  const before = [tick('22:00', DEMO), tick('22:39', DEMO)]
  expect(gaps([...before, probe('router_demo', '22:29', 1), tick('22:40', DEMO)])).toEqual([])
  expect(
    gaps([...before, tick('22:40', DEMO), probe('router_demo', '22:29', 1), tick('22:55', DEMO), tick('23:10', DEMO)]),
  ).toEqual(['22:00 to 22:15 (2)', '22:00 to 22:45 (4)'])
})

test('a missing slot is told although its successor came, once the rule asks for one only', () => {
  const hasty = { ...DEMO, rules: [rule({ noDataAfterSlots: 1 })] }
  const log = [
    tick('22:00', hasty),
    probe('router_demo', '22:00', 1),
    probe('router_demo', '22:30', 1),
    tick('22:55', hasty),
  ]
  expect(gaps(log)).toEqual(['22:15 to 22:15 (1)'])
})

test('a sample ends the row; the next silence counts anew', () => {
  const log = [...minutes('22:00', '22:40'), probe('router_demo', '22:35', 1), ...minutes('22:41', '23:25')]
  expect(gaps(log)).toEqual(['22:00 to 22:15 (2)', '22:45 to 23:00 (2)'])
})

test('a sample that is counted late fills its slot, if time has not passed it', () => {
  const daily = { expects: [source('router_demo', '24h')], rules: [rule({ noDataAfterSlots: 1 })] }
  const log = [
    tick('00:00', daily),
    tick('12:00', daily),
    probe('router_demo', '08:00', 1),
    tick('12:01', daily),
    tick('28T00:10', daily),
  ]
  expect(gaps(log)).toEqual([])
  expect(gaps(log.filter(({ key }) => key === ''))).toEqual(['00:00 to 00:00 (1)'])
})

describe('a source is expected', () => {
  test('from the first slot that begins with or after the tick that brought it into the plan', () => {
    expect(gaps([tick('22:01', {}), tick('22:05', DEMO), tick('22:55', DEMO)])).toEqual(['22:15 to 22:30 (2)'])
    expect(gaps([tick('22:01', {}), tick('22:15', DEMO), tick('22:55', DEMO)])).toEqual(['22:15 to 22:30 (2)'])
  })

  test('by the slots of its phase', () => {
    const shifted = { expects: [source('router_demo', '15m', '7m')] }
    expect(gaps([tick('22:00', shifted), tick('22:47', shifted)])).toEqual(['22:07 to 22:22 (2)'])
  })

  test('not when it is not in the plan, nor when no rule says how long silence may last', () => {
    expect(gaps([tick('22:00', {}), probe('guest', '22:01', 1), tick('23:55', {})])).toEqual([])
    expect(
      gaps([tick('22:00', { ...DEMO, rules: [rule({ match: 'other' })] }), tick('23:55', { ...DEMO, rules: [] })]),
    ).toEqual([])
  })

  test('anew when it comes back, or when its slots change', () => {
    const away = [tick('22:00', DEMO), tick('22:25', DEMO), tick('22:26', {}), tick('22:31', DEMO), tick('23:10', DEMO)]
    expect(gaps(away)).toEqual([])
    expect(gaps([...away, tick('23:25', DEMO)])).toEqual(['22:45 to 23:00 (2)'])
    const faster = { expects: [source('router_demo', '5m')] }
    expect(gaps([tick('22:00', DEMO), tick('22:25', DEMO), tick('22:26', faster), tick('22:50', faster)])).toEqual([
      '22:30 to 22:35 (2)',
    ])
  })
})

describe('outside of the session', () => {
  const fx = plan({ calendar: 'fx', ...DEMO })

  test('nothing is expected', () => {
    expect(gaps([tick('26T21:00', fx), tick('28T20:59', fx)])).toEqual([])
  })

  test('a row neither grows nor ends: Friday evening and Sunday evening are neighbours', () => {
    const log = [
      tick('26T20:00', fx),
      ...probes('router_demo', '2026-06-26T20:00:00Z', '15m', [1, 1, 1]),
      tick('28T21:25', fx),
    ]
    expect(gaps(log)).toEqual(['20:45 to 21:00 (2)'])
  })
})
