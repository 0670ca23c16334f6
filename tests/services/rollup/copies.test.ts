import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { logs, WITH_ONE_LENGTH } from './random-logs.ts'
import { type Entry, rejectedOf, rollUp, type Said, tick } from './rolling.ts'

/** A fact a line, without its place. */
const facts = (said: readonly Said[]): string =>
  said.map(({ topic, key, value }) => JSON.stringify({ topic, key, value })).join('\n')

/** The log with one of its records once more, later on. */
function withCopy(log: readonly Entry[], [of, after]: readonly [number, number]): readonly Entry[] {
  const from = of % log.length
  const to = from + 1 + (after % (log.length - from))
  return [...log.slice(0, to), log[from]!, ...log.slice(to)]
}

const places = fc.tuple(fc.nat(), fc.nat())

test('a copy of any record, anywhere, changes nothing', () => {
  fc.assert(
    fc.property(logs({ plans: WITH_ONE_LENGTH, copies: false }), places, (log, place) => {
      expect(facts(rollUp(withCopy(log, place)))).toBe(facts(rollUp(log)))
    }),
    { numRuns: 200 },
  )
})

test('where a plan has changed the window length, a copy is counted no second time; at most it is told as too late', () => {
  fc.assert(
    fc.property(logs({ copies: false }), places, (log, place) => {
      const expected = rollUp(log)
      const said = rollUp(withCopy(log, place))
      const known = new Set(expected.map(({ key }) => key))
      const more = said.filter(({ key }) => !known.has(key))
      expect(rejectedOf(more).filter(({ reason }) => reason === 'too_late')).toHaveLength(more.length)
      expect(facts(said.filter(({ key }) => known.has(key)))).toBe(facts(expected))
    }),
    { numRuns: 200 },
  )
})

test('no key is said twice', () => {
  fc.assert(
    fc.property(logs(), (log) => {
      const keys = rollUp(log).map(({ topic, key }) => `${topic} ${key}`)
      expect(keys).toHaveLength(new Set(keys).size)
    }),
    { numRuns: 200 },
  )
})

test('every sample is counted in one window or refused, once', () => {
  fc.assert(
    fc.property(logs({ plans: WITH_ONE_LENGTH }), (log) => {
      const said = rollUp([...log, closing(log)])
      const newest = new Map<
        string,
        { count: number; errorCount: number; timeoutCount: number; skippedCount: number }
      >()
      for (const { key, value, topic } of said)
        if (topic === 'obs.window.v1' && (value as { type: string }).type === 'window')
          newest.set(key.slice(0, key.lastIndexOf('/')), value as never)
      const counted = [...newest.values()].reduce(
        (sum, { count, errorCount, timeoutCount, skippedCount }) =>
          sum + count + errorCount - timeoutCount + skippedCount,
        0,
      )
      const ids = new Set(
        log.flatMap(({ key, value }) =>
          value.type === 'probe' ? [`${key} ${value.scheduledAt} ${value.ordinal}`] : [],
        ),
      )
      expect(counted + rejectedOf(said).length).toBe(ids.size)
    }),
    { numRuns: 200 },
  )
})

/** A tick far behind everything, so that every window is closed. */
function closing(log: readonly Entry[]): Entry {
  const newestAt = Math.max(...log.map(({ value }) => (value.type === 'tick' ? value.at : value.scheduledAt)))
  return tick(newestAt + 3_600_000, WITH_ONE_LENGTH[0]!)
}
