import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { logs } from './random-logs.ts'
import { type Entry, Folding, probe, restart, rollUp, rule, type Said, source, tick } from './rolling.ts'

/** A fact a line: comparing text is quicker than comparing trees. */
const lines = (said: readonly Said[]): string => said.map((one) => JSON.stringify(one)).join('\n')
const from = (said: readonly Said[], position: number): readonly Said[] =>
  said.filter(({ cause }) => cause[0]! >= position)

/** Restarts at every record. */
function expectNoTraceOfRestarts(log: readonly Entry[]): void {
  const said = rollUp(log)
  const running = new Folding(log)
  for (let position = 0; position <= log.length; position++) {
    const again = restart(log, said, position, running)
    expect(lines(again.fold(position, log.length).said)).toBe(lines(from(said, position)))
    if (position < log.length) running.fold(position, position + 1)
  }
}

test('restarted at any record, rollup says from there on what it would have said without the restart', () => {
  fc.assert(fc.property(logs(), expectNoTraceOfRestarts), { numRuns: 200 })
})

describe('so it is, when between mark and restart', () => {
  const demo = { expects: ['a'] }
  const every = (times: string, parts: Parameters<typeof tick>[1]): Entry[] =>
    times.split(' ').map((time) => tick(time, parts))

  test('a source falls silent and its last window closes', () => {
    const log = [
      tick('22:00', demo),
      probe('a', '22:30', 1),
      probe('a', '22:45', 1),
      ...every('23:10 23:25 23:30 23:36 23:40', demo),
    ]
    expectNoTraceOfRestarts(log)
    expect(rollUp(log).at(-1)!.key).toBe('a/gap/2026-06-27T23:15:00Z')
  })

  test('a plan asks to be told of silence sooner', () => {
    const slow = { ...demo, rules: [rule({ noDataAfterSlots: 5 })] }
    const log = [...every('20:00 20:40 21:25 22:00 22:25', slow), ...every('22:26 22:36 22:37 22:40 22:55', demo)]
    expectNoTraceOfRestarts(log)
    expect(rollUp(log).filter(({ key }) => key.startsWith('a/gap/'))).toHaveLength(2)
  })

  test('a plan has a longer grace than the one before', () => {
    const patient = { ...demo, grace: '40m' }
    expectNoTraceOfRestarts([
      ...every('20:50 21:12', demo),
      probe('a', '21:00', 1),
      ...every('21:13 21:20 21:50', patient),
      probe('a', '20:55', 1),
      tick('21:55', patient),
    ])
  })

  test('plans change the window length, twice', () => {
    const [short, long] = [
      { ...demo, window: '10m', lateness: '1h' },
      { ...demo, window: '2h', lateness: '1h' },
    ]
    expectNoTraceOfRestarts([
      ...every('20:50 21:12', demo),
      probe('a', '21:05', 1),
      ...every('21:20 21:50', short),
      probe('a', '22:05', 1),
      ...every('22:10 23:10 28T00:30 28T02:10 28T04:10', long),
    ])
  })

  test('nobody takes samples any more from before a change of the window length', () => {
    const halfHourly = { ...demo, window: '30m' }
    expectNoTraceOfRestarts([
      ...every('20:50 21:12', demo),
      ...every('21:20 21:50 2026-07-11T21:59:59Z', halfHourly),
      probe('a', '2026-07-11T21:10:00Z', 1),
      ...every('2026-07-11T22:10:00Z 2026-07-11T23:10:00Z', halfHourly),
      probe('a', '21:05', 1),
      ...every('2026-07-11T23:10:01Z', halfHourly),
    ])
  })

  test('a source leaves the plan and comes back with other slots', () => {
    const back = { expects: [source('a', '10m', '3m')] }
    expectNoTraceOfRestarts([
      ...every('20:50 21:12', demo),
      probe('a', '21:05', 1),
      ...every('21:20 21:22', {}),
      probe('a', '21:21', 1),
      ...every('21:25 21:50 22:10 22:20', back),
    ])
  })

  test('a sample came too early and comes again in its time', () => {
    expectNoTraceOfRestarts([
      ...every('20:50 21:12', demo),
      probe('a', '23:05', 1),
      ...every('21:13 22:30 23:06', demo),
      probe('a', '23:05', 1),
      tick('28T00:10', demo),
    ])
  })
})

test('restarted again and again, rollup still says the same', () => {
  fc.assert(
    fc.property(logs(), fc.integer({ min: 1, max: 9 }), (log, distance) => {
      const said = rollUp(log)
      let running = new Folding(log, said)
      const heard: Said[] = []
      for (let position = 0; position < log.length; position += distance) {
        running = restart(log, said, position, running)
        const to = Math.min(position + distance, log.length)
        heard.push(...running.fold(position, to).said)
        running.said.length = 0
      }
      expect(lines(heard)).toBe(lines(said))
    }),
    { numRuns: 200 },
  )
})
