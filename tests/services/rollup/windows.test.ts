import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { factSha256 } from '#lib/codec/fact-json.ts'
import type { Breach } from '#lib/facts.ts'
import { rollup } from '#services/rollup/service.ts'
import {
  at,
  brief,
  type Entry,
  Folding,
  plan,
  probe,
  probes,
  rollUp,
  rule,
  type Said,
  source,
  tick,
  windowsOf,
} from './rolling.ts'

const DEMO = { expects: ['router_demo'] }
const told = (log: readonly Entry[]): readonly string[] => windowsOf(rollUp(log)).map(brief)
const breachesOf = (said: readonly Said[]): readonly Said[] => said.filter(({ topic }) => topic === 'obs.breach.v1')

describe('a window closes', () => {
  test('when a tick reaches its end plus the grace, not a second earlier', () => {
    const log = [tick('22:00', DEMO), ...probes('router_demo', '22:00', '15m', [100, 110, 120, 130])]
    expect(told([...log, tick('23:09:59', DEMO)])).toEqual([])
    expect(told([...log, tick('23:10', DEMO)])).toEqual(['router_demo/22:00:00Z/r0 ok 4/4 p95 130'])
  })

  test('with the samples that come within the grace', () => {
    const log = [tick('22:00', DEMO), tick('23:05', DEMO), probe('router_demo', '22:45', 90), tick('23:10', DEMO)]
    expect(told(log)).toEqual(['router_demo/22:00:00Z/r0 insufficient 1/4 p95 90'])
  })

  test('only by a tick: samples of the next hour move no time', () => {
    const log = [tick('22:00', DEMO), ...probes('router_demo', '22:00', '15m', [1, 2, 3, 4, 5, 6, 7, 8])]
    expect(told(log)).toEqual([])
  })

  test('once: a tick that says the same or an earlier time changes nothing', () => {
    const log = [tick('22:00', DEMO), ...probes('router_demo', '22:00', '15m', [1, 2, 3, 4]), tick('23:10', DEMO)]
    const stale = [tick('23:10', DEMO), tick('22:30', { expects: ['other'] }), tick('21:00', DEMO)]
    expect(rollUp([...log, ...stale])).toEqual(rollUp(log))
  })

  test('also when a tick before it closed with a shorter grace, and stays closed', () => {
    const patient = { ...DEMO, grace: '30m' }
    const log = [tick('22:00', DEMO), ...probes('router_demo', '22:00', '15m', [1, 2, 3, 4]), tick('23:10', DEMO)]
    expect(told([...log, tick('23:11', patient), tick('23:30', patient)])).toEqual(told(log))
  })
})

describe('an hour without a single sample', () => {
  test('is emitted as an empty window, not skipped', () => {
    expect(windowsOf(rollUp([tick('22:00', DEMO), tick('23:10', DEMO)]))).toMatchObject([
      {
        key: 'router_demo/2026-06-27T22:00:00Z/r0',
        count: 0,
        expectedCount: 4,
        p50Ms: null,
        p95Ms: null,
        maxMs: null,
        verdict: 'insufficient',
      },
    ])
  })

  test('is not emitted before the first tick, nor for a source that the tick before did not expect', () => {
    expect(told([tick('22:30', DEMO)])).toEqual([])
    expect(told([tick('22:30', {}), tick('23:10', DEMO)])).toEqual([])
    expect(told([tick('22:30', DEMO), tick('23:00', {}), tick('23:10', DEMO)])).toEqual([
      'router_demo/23:00:00Z/r0 retired 0/0 p95 -',
    ])
  })

  test('is not emitted for a source that nobody plans', () => {
    expect(told([tick('22:00'), probe('guest', '22:01', 5), tick('23:10'), tick('28T00:10')])).toEqual([
      'guest/22:00:00Z/r0 ok 1/0 p95 5',
    ])
  })
})

test('a first tick closes the windows that hold samples, whatever their age', () => {
  const log = [
    probe('router_demo', '20:15', 7),
    probe('router_demo', '22:55', 8),
    tick('23:00', DEMO),
    tick('28T00:10', DEMO),
  ]
  expect(told(log).slice(0, 2)).toEqual([
    'router_demo/20:00:00Z/r0 insufficient 1/4 p95 7',
    'router_demo/22:00:00Z/r0 insufficient 1/4 p95 8',
  ])
})

test('a tick after three missed days emits every hour of them', () => {
  const windows = windowsOf(rollUp([tick('2026-06-24T22:00:00Z', DEMO), tick('27T22:10', DEMO)]))
  expect(windows).toHaveLength(72)
  expect(windows.at(0)!.key).toBe('router_demo/2026-06-24T22:00:00Z/r0')
  expect(windows.at(-1)!.key).toBe('router_demo/2026-06-27T21:00:00Z/r0')
  expect(new Set(windows.map(({ decidedAt }) => decidedAt))).toEqual(new Set([at('27T22:10')]))
})

test('the plan of the tick that closes a window judges it', () => {
  const strict = plan({ ...DEMO, rules: [rule({ id: 'strict', thresholdMs: 50 })] })
  const log = [
    tick('22:00', DEMO),
    ...probes('router_demo', '22:00', '15m', [100, 100, 100, 100]),
    tick('23:10', strict),
  ]
  expect(windowsOf(rollUp(log)).at(-1)).toMatchObject({
    verdict: 'breach',
    ruleId: 'strict',
    thresholdMs: 50,
    expectedCount: 4,
  })
})

test('ok and timeout are counted, a timeout with the time after which it was given up; error and skipped are not', () => {
  const log = [
    tick('22:00', DEMO),
    probe('router_demo', '22:00', 100),
    probe('router_demo', '22:15', 400, { outcome: 'timeout' }),
    probe('router_demo', '22:30', null),
    probe('router_demo', '22:45', null, { outcome: 'skipped' }),
    tick('23:10', { ...DEMO, rules: [rule({ errorRatio: 0.9 })] }),
  ]
  expect(windowsOf(rollUp(log)).at(-1)).toMatchObject({
    count: 2,
    errorCount: 2,
    timeoutCount: 1,
    skippedCount: 1,
    p50Ms: 100,
    p95Ms: 400,
    maxMs: 400,
    latencies: [
      { ms: 100, count: 1 },
      { ms: 400, count: 1 },
    ],
    sampleIds: [{ firstAt: at('22:00'), stepMs: 900_000, count: 4, ordinal: 0 }],
    verdict: 'ok',
  })
})

test('a breaching window brings one breach that names it by key and sha256', () => {
  const said = rollUp([
    tick('22:00', DEMO),
    ...probes('router_demo', '22:00', '15m', [501, 600, 700, 800]),
    tick('23:10', DEMO),
  ])
  const window = said.find(({ topic }) => topic === 'obs.window.v1')!
  const [breach] = breachesOf(said)
  expect(breachesOf(said)).toHaveLength(1)
  expect(breach!.key).toBe(window.key)
  expect(breach!.value as Breach).toMatchObject({
    reason: 'p95',
    p95Ms: 800,
    thresholdMs: 500,
    ruleId: 'latency_p95',
    windowKey: window.key,
    windowSha256: factSha256(window.value),
  })
})

describe('a source that a plan drops', () => {
  const log = [
    tick('22:00', DEMO),
    probe('router_demo', '22:00', 9),
    probe('router_demo', '22:15', 9),
    tick('22:20', {}),
  ]

  test('gets a last window, the one that is running, retired', () => {
    expect(told(log)).toEqual(['router_demo/22:00:00Z/r0 retired 2/0 p95 9'])
    expect(told([...log, tick('23:10', {})])).toEqual(told(log))
  })

  test('and its stragglers make late revisions of that window', () => {
    expect(told([...log, probe('router_demo', '22:18', 30), tick('22:25', {})]).slice(1)).toEqual([
      'router_demo/22:00:00Z/r1 retired 3/0 p95 30 late',
    ])
  })

  test('is not retired twice in one window when it came back in between', () => {
    const back = [...log, tick('22:25', DEMO), tick('22:30', {}), tick('23:10', {})]
    expect(told(back)).toEqual(told(log))
  })
})

describe('fx session', () => {
  const fx = { calendar: 'fx' as const, expects: ['router_demo'] }

  test('the hour before Friday 17:00 New York is judged, the hours after it are closed', () => {
    const log = [
      tick('26T20:00', fx),
      ...probes('router_demo', '2026-06-26T20:00:00Z', '15m', [1, 2, 3, 4]),
      tick('26T21:10', fx),
      ...probes('router_demo', '2026-06-26T21:00:00Z', '15m', [1, 2, 3, 900]),
      tick('26T22:10', fx),
    ]
    expect(windowsOf(rollUp(log)).slice(-2)).toMatchObject([
      { startAt: at('26T20:00'), verdict: 'ok', expectedCount: 4 },
      { startAt: at('26T21:00'), verdict: 'closed', expectedCount: 0, count: 4 },
    ])
  })

  test('only the slots of a window that lie in session are expected', () => {
    const wide = { ...fx, window: '4h' }
    const said = rollUp([tick('26T19:00', wide), tick('27T00:10', wide)])
    expect(windowsOf(said).map(({ startAt, expectedCount }) => [startAt, expectedCount])).toEqual([
      [at('26T16:00'), 16],
      [at('26T20:00'), 4],
    ])
  })

  test('a whole weekend is closed, and Sunday 17:00 New York opens', () => {
    const verdicts = windowsOf(rollUp([tick('26T20:00', fx), tick('28T22:10', fx)])).map(({ startAt, verdict }) => [
      startAt,
      verdict,
    ])
    const open = verdicts.filter(([, verdict]) => verdict !== 'closed').map(([startAt]) => startAt)
    expect(open).toEqual([at('26T20:00'), at('28T21:00')])
    expect(verdicts).toHaveLength(50)
  })
})

describe('another window length', () => {
  const hourly = { expects: [source('a')] }
  const halfHourly = { expects: [source('a')], window: '30m' }
  const spans = (log: readonly Entry[]): readonly string[] =>
    windowsOf(rollUp(log)).map(({ startAt, endAt }) =>
      [startAt, endAt].map((instant) => new Date(instant).toISOString().slice(11, 16)).join('-'),
    )

  test('counts from the end of the newest window that may be open, and no two windows overlap', () => {
    expect(spans([tick('20:10', hourly), tick('20:30', halfHourly), tick('23:10', halfHourly)])).toEqual([
      '20:00-21:00',
      '21:00-22:00',
      '22:00-22:30',
      '22:30-23:00',
    ])
  })

  test('begins with a short window where it does not fit', () => {
    const long = { ...hourly, window: '2h' }
    expect(spans([tick('21:10', hourly), tick('21:30', long), tick('28T02:10', long)])).toEqual([
      '21:00-22:00',
      '22:00-23:00',
      '23:00-00:00',
      '00:00-02:00',
    ])
  })

  test('leaves late samples to the windows of their time', () => {
    const log = [tick('20:10', hourly), probe('a', '20:05', 1), tick('20:30', halfHourly), tick('23:10', halfHourly)]
    const late = [...log, probe('a', '20:05', 1), probe('a', '20:50', 2), tick('23:11', halfHourly)]
    expect(
      windowsOf(rollUp(late))
        .slice(windowsOf(rollUp(log)).length)
        .map(brief),
    ).toEqual(['a/20:00:00Z/r1 insufficient 2/4 p95 2 late'])
  })

  test('knows the windows of their time also when they were too late for one plan and a later one takes them again', () => {
    const strict = { ...halfHourly, lateness: '30m' }
    const log = [
      tick('20:10', hourly),
      probe('a', '20:50', 1),
      ...['20:30', '23:10', '28T02:00'].map((time) => tick(time, strict)),
      tick('28T02:01', halfHourly),
    ]
    const copied = [...log, probe('a', '20:50', 1), tick('28T02:02', halfHourly)]
    expect(rollUp(copied)).toEqual(rollUp(log))
  })

  test('asks a restart to see the change for fourteen days, after which no plan takes a sample from before it', () => {
    const log = [
      tick('20:10', hourly),
      ...['20:30', '2026-07-11T21:59:59Z', '2026-07-11T22:00:00Z', '2026-07-11T23:00:00Z'].map((time) =>
        tick(time, halfHourly),
      ),
    ]
    const folding = new Folding(log)
    const marks = log.map((_, i) => rollup.mark(folding.fold(i, i + 1).board)![0])
    expect(marks).toEqual([0, 0, 0, 1, 3])
  })
})

test('the order in which samples of a window come leaves no trace in it', () => {
  const samples = fc.uniqueArray(fc.tuple(fc.nat(3_599), fc.nat(1), fc.option(fc.nat(2_000), { freq: 5 })), {
    selector: ([second, ordinal]) => `${second}.${ordinal}`,
    minLength: 1,
    maxLength: 60,
    size: 'max',
  })
  const shuffled = samples.chain((all) =>
    fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })),
  )
  fc.assert(
    fc.property(shuffled, ([some, others]) => {
      const said = [some, others].map((all) =>
        rollUp([
          tick('22:00', DEMO),
          ...all.map(([second, ordinal, latencyMs]) =>
            probe('router_demo', at('22:00') + second * 1000, latencyMs, { ordinal }),
          ),
          tick('23:10', DEMO),
        ]).map(({ key, value }) => ({ key, value })),
      )
      expect(said[0]).toEqual(said[1])
    }),
    { numRuns: 60 },
  )
})
