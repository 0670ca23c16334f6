import { describe, expect, test } from '@jest/globals'
import {
  at,
  brief,
  type Entry,
  plan,
  probe,
  probes,
  rejectedOf,
  rollUp,
  rule,
  source,
  tick,
  windowsOf,
} from './rolling.ts'

const DEMO = { expects: ['router_demo'] }
/** An hour of samples and the tick that closed it. */
const CLOSED: readonly Entry[] = [
  tick('22:00', DEMO),
  ...probes('router_demo', '22:00', '15m', [100, 110, 120]),
  tick('23:10', DEMO),
]
const toldAfter = (log: readonly Entry[], more: readonly Entry[]): readonly string[] =>
  windowsOf(rollUp([...log, ...more]))
    .slice(windowsOf(rollUp(log)).length)
    .map(brief)
const refused = (log: readonly Entry[]): readonly string[] =>
  rejectedOf(rollUp(log)).map(({ key, reason }) => `${key} ${reason}`)

describe('a late sample', () => {
  test('makes the next revision of its window, told by the next tick and marked late', () => {
    const late = probe('router_demo', '22:45', 700)
    expect(toldAfter(CLOSED, [late])).toEqual([])
    expect(toldAfter(CLOSED, [late, tick('23:11', DEMO)])).toEqual(['router_demo/22:00:00Z/r1 breach 4/4 p95 700 late'])
    expect(windowsOf(rollUp([...CLOSED, late, tick('23:11', DEMO)])).at(-1)).toMatchObject({
      revision: 1,
      decidedAt: at('23:11'),
    })
  })

  test('makes one revision with the others that came before that tick', () => {
    const three = ['22:45', '22:46', '22:47'].map((time) => probe('router_demo', time, 50))
    expect(
      toldAfter(CLOSED, [...three, tick('23:11', DEMO), probe('router_demo', '22:48', 60), tick('23:12', DEMO)]),
    ).toEqual(['router_demo/22:00:00Z/r1 ok 6/4 p95 120 late', 'router_demo/22:00:00Z/r2 ok 7/4 p95 120 late'])
  })

  test('that is a copy of a counted one changes nothing, also when a revision counted it', () => {
    const late = probe('router_demo', '22:45', 700)
    const copies = [...CLOSED.slice(1, 4), probe('router_demo', '22:15', 9_999)]
    expect(
      toldAfter(CLOSED, [...copies, tick('23:11', DEMO), late, tick('23:12', DEMO), late, late, tick('23:13', DEMO)]),
    ).toEqual(['router_demo/22:00:00Z/r1 breach 4/4 p95 700 late'])
  })

  test('of a window that was never told makes its first record, marked late', () => {
    expect(toldAfter(CLOSED, [probe('guest', '22:05', 5), tick('23:11', DEMO)])).toEqual([
      'guest/22:00:00Z/r0 ok 1/0 p95 5 late',
    ])
  })

  test('is judged by the plan, the rule and the threshold of revision 0', () => {
    const strict = plan({ ...DEMO, rules: [rule({ id: 'strict', thresholdMs: 1, minSamples: 1, errorRatio: 0.01 })] })
    const log = [...CLOSED, tick('23:11', strict), probe('router_demo', '22:45', null), tick('23:12', strict)]
    const [first, revised] = windowsOf(rollUp(log))
    expect(revised).toMatchObject({
      revision: 1,
      verdict: 'ok',
      errorCount: 1,
      plan: first!.plan,
      ruleId: 'latency_p95',
      thresholdMs: 500,
    })
  })
})

describe('a sample is refused', () => {
  const shortly = { ...DEMO, lateness: '2h' }
  const long: readonly Entry[] = [
    tick('20:00', shortly),
    ...probes('router_demo', '20:00', '15m', [1, 2, 3, 4]),
    tick('21:10', shortly),
    tick('23:00', shortly),
  ]

  test('as too late when its window ended longer ago than the lateness limit, by the time at which it came', () => {
    const sample = probe('router_demo', '20:05', 9)
    expect(refused([...long, sample, tick('23:01', shortly)])).toEqual([])
    expect(refused([...long, tick('23:01', shortly), sample, tick('23:02', shortly)])).toEqual([
      'router_demo/rejected/2026-06-27T20:05:00.000Z.0 too_late',
    ])
  })

  test('but not when it is a copy of a counted one: that is dropped, however late', () => {
    expect(
      refused([...long, tick('23:01', shortly), probe('router_demo', '20:15', 2), tick('23:02', shortly)]),
    ).toEqual([])
  })

  test('once: a copy of a refused one is dropped, whatever the reason would be now', () => {
    const late = [...long, tick('23:01', shortly), probe('router_demo', '20:05', 9), tick('23:02', shortly)]
    const again = [...late, probe('router_demo', '20:05', 9), tick('23:03', shortly)]
    expect(refused(again)).toEqual(refused(late))
    expect(refused([...again, tick('23:04', DEMO), probe('router_demo', '20:05', 9), tick('23:05', DEMO)])).toEqual(
      refused(late),
    )
  })

  test('as too early when it lies more than one window ahead, told by the next tick with what it was', () => {
    const early = [tick('20:30', DEMO), probe('router_demo', '21:59', 7), probe('router_demo', '22:00', 8)]
    expect(refused(early)).toEqual([])
    expect(rejectedOf(rollUp([...early, tick('20:31', DEMO)]))).toEqual([
      {
        key: 'router_demo/rejected/2026-06-27T22:00:00.000Z.0',
        type: 'rejected',
        source: 'router_demo',
        scheduledAt: at('22:00'),
        ordinal: 0,
        reason: 'too_early',
        decidedAt: at('20:31'),
        outcome: 'ok',
        latencyMs: 8,
      },
    ])
  })

  test('for ever, when it came too early: not counted when its time has come', () => {
    const log = [
      tick('20:30', DEMO),
      probe('router_demo', '22:00', 8),
      tick('20:31', DEMO),
      tick('22:00', DEMO),
      probe('router_demo', '22:00', 8),
    ]
    const said = rollUp([...log, tick('23:10', DEMO), probe('router_demo', '22:00', 8), tick('23:11', DEMO)])
    expect(rejectedOf(said)).toHaveLength(1)
    expect(
      windowsOf(said)
        .filter(({ startAt }) => startAt === at('22:00'))
        .map(brief),
    ).toEqual(['router_demo/22:00:00Z/r0 insufficient 0/4 p95 -'])
  })

  test('as too early by the first tick, when it came before there was a time', () => {
    expect(refused([probe('router_demo', '22:00', 8), tick('20:30', DEMO)])).toEqual([
      'router_demo/rejected/2026-06-27T22:00:00.000Z.0 too_early',
    ])
  })
})

describe('a window whose record would pass 512 KiB', () => {
  const second = { expects: [source('a', '1s')], rules: [rule({ match: 'a', noDataAfterSlots: 100_000 })] }
  const crowd = Array.from({ length: 120_000 }, (_, i) =>
    probe('a', at('22:00') + ((i * i) % 3_599_999), 10 + (i % 7), { ordinal: i % 4 === 0 ? 0 : 1 }),
  )
  const late = probe('a', at('22:59:59') + 999, 5_000)
  const said = rollUp([tick('22:00', second), ...crowd, tick('23:10', second), late, tick('23:11', second)])
  const [window] = windowsOf(said)

  test('counts every sample, names none and is sealed', () => {
    expect(window!.sealed).toBe(true)
    expect(window!.sampleIds).toHaveLength(0)
    expect(window!.count).toBe(
      new Set(crowd.map(({ value }) => JSON.stringify(value, ['scheduledAt', 'ordinal']))).size,
    )
  })

  test('refuses what comes late', () => {
    expect(rejectedOf(said)).toMatchObject([{ reason: 'window_sealed', scheduledAt: at('22:59:59') + 999 }])
    expect(windowsOf(said).filter(({ startAt }) => startAt === at('22:00'))).toHaveLength(1)
  })
})
