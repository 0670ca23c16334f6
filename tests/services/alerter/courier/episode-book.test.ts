import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { Alert, AlertKind } from '#lib/facts.ts'
import { alertKey } from '#lib/keys.ts'
import { DAY_MS, HOUR_MS } from '#lib/time.ts'
import {
  changesWithin,
  emptyBook,
  flappingSince,
  hasNewer,
  oldestAt,
  oldestNeeded,
  take,
} from '#services/alerter/courier/episode-book.ts'

/** `O E R X A` (opened, escalated, reminded, resolved, annotated), one an hour, of one alert after the other. */
function record(letters: string, { source = 'router_demo', fromHour = 0, ruleId = 'r', about = 'breach' } = {}) {
  const kinds: Record<string, AlertKind> = { O: 'opened', E: 'escalated', R: 'reminded', X: 'resolved', A: 'annotated' }
  let alertId = ''
  let sequence = 0
  return [...letters].map((letter, i) => {
    const decidedAt = (fromHour + i) * HOUR_MS
    if (letter === 'O') [alertId, sequence] = [`${about}/${ruleId}/${source}/${decidedAt}`, 0]
    else sequence++
    const value = { alertId, sequence, kind: kinds[letter]!, about, source, ruleId, decidedAt } as Alert
    return { offset: i, cause: [fromHour + i, 0], key: alertKey(alertId, sequence), value }
  })
}

function bookOf(records: ReturnType<typeof record>) {
  const book = emptyBook()
  for (const input of records) take(book, input)
  return book
}

test('every transition waits to be decided, in the order of the log, once', () => {
  const records = record('OEX')
  const book = bookOf([...records, ...records])
  expect([...book.undecided.keys()]).toEqual(records.map(({ key }) => key))
})

test('an alert is open from its opening to its end; a correction changes neither', () => {
  const isOpen = (letters: string) => [...bookOf(record(letters)).episodes.values()].map((episode) => episode.isOpen)
  expect(isOpen('O')).toEqual([true])
  expect(isOpen('OER')).toEqual([true])
  expect(isOpen('OA')).toEqual([true])
  expect(isOpen('OX')).toEqual([false])
  expect(isOpen('OXA')).toEqual([false])
})

test('a transition is not the newest of its alert when the log holds another one', () => {
  const newer = (letters: string): readonly boolean[] => {
    const book = bookOf(record(letters))
    return [...book.undecided.values()].map((transition) => hasNewer(book, transition))
  }
  expect(newer('OE')).toEqual([true, false])
  expect(newer('OAX')).toEqual([true, true, false])
})

test('a correction is news beside a transition, not in its place', () => {
  const book = bookOf(record('OEA'))
  expect([...book.undecided.values()].map((transition) => hasNewer(book, transition))).toEqual([true, false, false])
})

test('openings and ends of a source by its rule are counted, in the time that was asked for', () => {
  const records = record('OXOXO')
  const others = [{ source: 'other' }, { ruleId: 'other' }, { about: 'no_data' }].flatMap((more) => record('OX', more))
  const book = bookOf([...records, ...others])
  const counts = records.map(({ value }) => changesWithin(book, value, 3 * HOUR_MS).length)
  expect(counts).toEqual([1, 2, 3, 3, 3])
})

test('flapping began with the first opening or end that was one too many, after which no calm came', () => {
  const other = record('OX', { source: 'b', fromHour: 12 })
  const book = bookOf([...record('OXOX'), ...record('OEXOAX', { fromHour: 10 }), ...other])
  const hoursOf = (hour: number, changes: number) => {
    const { alert } = [...book.undecided.values()].find((each) => each.alert.decidedAt === hour * HOUR_MS)!
    return flappingSince(book, alert, { changes, withinMs: 4 * HOUR_MS }).map(({ at }) => at / HOUR_MS)
  }
  expect(hoursOf(15, 3)).toEqual([13, 15])
  expect(hoursOf(15, 2)).toEqual([12, 13, 15])
  expect(hoursOf(10, 2)).toEqual([])
  expect(hoursOf(3, 3)).toEqual([2, 3])
})

test('a restart begins with the oldest alert that is open or ended not long ago, or that is undecided', () => {
  const book = bookOf([...record('OX'), ...record('O', { source: 'b', fromHour: 2 })])
  expect(oldestNeeded(book)).toEqual([0, 0])
  expect(oldestAt(book)).toBe(0)
  book.undecided.clear()
  take(book, record('O', { source: 'c', fromHour: 24 * 30 })[0]!)
  expect(oldestNeeded(book)).toEqual([2, 0])
  expect(oldestAt(book)).toBe(2 * HOUR_MS)
})

/** Hours after which an alert that has ended may be forgotten. */
const TWO_WEEKS = (14 * DAY_MS) / HOUR_MS

test('an alert that has ended is remembered for two weeks from its last transition on', () => {
  const known = (fromHour: number): boolean => {
    const book = bookOf(record('OEX'))
    book.undecided.clear()
    take(book, record('O', { source: 'b', fromHour })[0]!)
    return book.episodes.size === 2
  }
  expect([known(2 + TWO_WEEKS), known(2 + TWO_WEEKS + 1)]).toEqual([true, false])
})

test('what ended long ago is kept as long as it is undecided', () => {
  const records = record('OX')
  const book = bookOf([...records, ...record('O', { source: 'b', fromHour: (20 * DAY_MS) / HOUR_MS })])
  expect(oldestNeeded(book)).toEqual([0, 0])
  expect([...book.episodes.keys()]).toContain(records[0]!.value.alertId)
})

test('time is that of the newest decision, whatever comes after it', () => {
  expect(bookOf([...record('O', { fromHour: 5 }), ...record('O', { source: 'b' })]).nowAt).toBe(5 * HOUR_MS)
})

test('nothing is needed of an empty book', () => {
  expect([oldestNeeded(emptyBook()), oldestAt(emptyBook())]).toEqual([null, null])
})

test('copies anywhere change nothing', () => {
  const letters = fc.array(fc.constantFrom('O', 'OE', 'OX', 'OEX', 'OXA', 'ORX'), { minLength: 1, maxLength: 8 })
  fc.assert(
    fc.property(letters, fc.nat(), (parts, seed) => {
      const records = record(parts.join(''))
      const at = seed % records.length
      const copied = records.flatMap((input, i) => (i >= at && (i - at) % 2 === 0 ? [input, records[at]!] : [input]))
      expect(bookOf(copied)).toEqual(bookOf(records))
    }),
  )
})
