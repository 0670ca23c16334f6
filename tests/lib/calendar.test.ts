import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { hasSession, isInSession, sessionStartBefore, tzdataVersion } from '#lib/calendar.ts'
import type { CalendarPlan } from '#lib/plan.ts'
import { DAY_MS, formatInstant, HOUR_MS, MINUTE_MS } from '#lib/time.ts'

const always: CalendarPlan = { kind: 'always', holidays: ['2026-12-25'], tzdata: tzdataVersion }
const fx = (...holidays: string[]): CalendarPlan => ({ kind: 'fx', holidays, tzdata: tzdataVersion })
const at = (text: string): number => Date.parse(text)
const SECOND = 1_000

describe('a calendar that never closes', () => {
  test('is in session at every instant, holidays or not, and has no session start', () => {
    for (const text of ['2026-06-27T12:00:00Z', '2026-12-25T12:00:00Z'])
      expect(isInSession(always, at(text))).toBe(true)
    expect(hasSession(always, at('2026-06-27T00:00:00Z'), at('2026-06-27T00:00:01Z'))).toBe(true)
    expect(sessionStartBefore(always, at('2026-06-27T00:00:00Z'))).toBe(Number.NEGATIVE_INFINITY)
  })

  test('an empty range holds no session', () => {
    expect(hasSession(always, at('2026-06-24T00:00:00Z'), at('2026-06-24T00:00:00Z'))).toBe(false)
  })
})

describe('the fx week', () => {
  test.each([
    // winter: New York is UTC-5
    ['2026-01-02T21:59:59Z', true, 'Friday 16:59:59'],
    ['2026-01-02T22:00:00Z', false, 'Friday 17:00'],
    ['2026-01-03T12:00:00Z', false, 'Saturday'],
    ['2026-01-04T21:59:59Z', false, 'Sunday 16:59:59'],
    ['2026-01-04T22:00:00Z', true, 'Sunday 17:00'],
    // summer: UTC-4
    ['2026-06-26T20:59:59Z', true, 'Friday 16:59:59'],
    ['2026-06-26T21:00:00Z', false, 'Friday 17:00'],
    ['2026-06-28T20:59:59Z', false, 'Sunday 16:59:59'],
    ['2026-06-28T21:00:00Z', true, 'Sunday 17:00'],
    // clocks go forward on 8 March 2026 and back on 1 November 2026, both inside of the weekend's pause
    ['2026-03-06T22:00:00Z', false, 'Friday 17:00, still winter'],
    ['2026-03-08T20:59:59Z', false, 'Sunday 16:59:59, already summer'],
    ['2026-03-08T21:00:00Z', true, 'Sunday 17:00, already summer'],
    ['2026-10-30T20:59:59Z', true, 'Friday 16:59:59, still summer'],
    ['2026-11-01T21:59:59Z', false, 'Sunday 16:59:59, already winter'],
    ['2026-11-01T22:00:00Z', true, 'Sunday 17:00, already winter'],
    // year end inside of a session, and a leap day
    ['2026-12-31T23:59:59Z', true, 'Thursday, New Year eve'],
    ['2027-01-01T00:00:00Z', true, 'Thursday evening in New York'],
    ['2024-02-29T12:00:00Z', true, 'Thursday, leap day'],
    ['2032-02-29T21:59:59Z', false, 'Sunday 16:59:59, leap day'],
    ['2032-02-29T22:00:00Z', true, 'Sunday 17:00, leap day'],
  ])('%s in session: %s (%s)', (text, expected) => {
    expect(isInSession(fx(), at(text))).toBe(expected)
  })

  test('every opening and closing from 1970 to 2037 is where the zone rules of Python put it', () => {
    const golden: { offsets: [string, number][] } = JSON.parse(
      readFileSync(new URL('./calendar.golden.json', import.meta.url), 'utf8'),
    )
    const changes = golden.offsets.map(([from, minutes]) => ({ from: at(from), minutes }))
    const offsetAt = (utc: number) => changes.findLast((change) => change.from <= utc)!.minutes
    const utcOf = (local: number) => local - offsetAt(local - offsetAt(local) * MINUTE_MS) * MINUTE_MS
    const calendar = fx()
    let weeks = 0
    for (let sunday = at('1970-01-04T17:00:00Z'); sunday < at('2037-12-20T00:00:00Z'); sunday += 7 * DAY_MS, weeks++) {
      const opens = utcOf(sunday)
      const closes = utcOf(sunday + 5 * DAY_MS)
      const edges = [opens - SECOND, opens, closes - SECOND, closes].map((edge) => isInSession(calendar, edge))
      expect({ opens: formatInstant(opens), edges }).toEqual({
        opens: formatInstant(opens),
        edges: [false, true, true, false],
      })
      expect(sessionStartBefore(calendar, closes)).toBe(opens)
    }
    expect(weeks).toBeGreaterThan(3500)
  })

  test('any instant is judged as the wall clock of New York in ICU says', () => {
    const wallClock = new Intl.DateTimeFormat('en-US', {
      timeZone: 'America/New_York',
      weekday: 'short',
      hour: '2-digit',
      hourCycle: 'h23',
    })
    const instant = fc.integer({ min: at('1975-01-01T00:00:00Z'), max: at('2036-12-31T00:00:00Z') })
    fc.assert(
      fc.property(instant, (utc) => {
        const parts = Object.fromEntries(wallClock.formatToParts(utc).map((part) => [part.type, part.value]))
        const hour = Number(parts['hour'])
        const closed =
          parts['weekday'] === 'Sat' ||
          (parts['weekday'] === 'Sun' && hour < 17) ||
          (parts['weekday'] === 'Fri' && hour >= 17)
        return isInSession(fx(), utc) === !closed
      }),
      { numRuns: 2000 },
    )
  })
})

describe('holidays', () => {
  test('a holiday is a whole day of New York, not of UTC', () => {
    const christmas = fx('2026-12-25') // a Friday
    expect(isInSession(christmas, at('2026-12-25T04:59:59Z'))).toBe(true)
    expect(isInSession(christmas, at('2026-12-25T05:00:00Z'))).toBe(false)
    expect(isInSession(christmas, at('2026-12-25T12:00:00Z'))).toBe(false)
    expect(isInSession(fx(), at('2026-12-25T12:00:00Z'))).toBe(true)
  })

  test('in the middle of the week the market closes at midnight and opens at the next', () => {
    const wednesday = fx('2026-07-01')
    expect(isInSession(wednesday, at('2026-07-01T03:59:59Z'))).toBe(true)
    expect(hasSession(wednesday, at('2026-07-01T04:00:00Z'), at('2026-07-02T04:00:00Z'))).toBe(false)
    expect(isInSession(wednesday, at('2026-07-02T04:00:00Z'))).toBe(true)
    expect(sessionStartBefore(wednesday, at('2026-07-02T05:00:00Z'))).toBe(at('2026-07-02T04:00:00Z'))
  })

  test('a Sunday holiday moves the opening to midnight', () => {
    const sunday = fx('2026-06-28')
    expect(isInSession(sunday, at('2026-06-28T22:00:00Z'))).toBe(false)
    expect(isInSession(sunday, at('2026-06-29T03:59:59Z'))).toBe(false)
    expect(isInSession(sunday, at('2026-06-29T04:00:00Z'))).toBe(true)
    expect(sessionStartBefore(sunday, at('2026-06-29T12:00:00Z'))).toBe(at('2026-06-29T04:00:00Z'))
  })

  test('a year without a session has no session start', () => {
    const days = Array.from({ length: 800 }, (_, day) =>
      new Date(at('2026-01-01') + day * DAY_MS).toISOString().slice(0, 10),
    )
    expect(sessionStartBefore(fx(...days), at('2027-12-01T00:00:00Z'))).toBe(Number.NEGATIVE_INFINITY)
  })
})

describe('ranges', () => {
  test('a range has a session as soon as its last second has one', () => {
    expect(hasSession(fx(), at('2026-06-28T20:00:00Z'), at('2026-06-28T21:00:00Z'))).toBe(false)
    expect(hasSession(fx(), at('2026-06-28T20:00:00Z'), at('2026-06-28T21:00:01Z'))).toBe(true)
    expect(hasSession(fx(), at('2026-06-26T20:59:59Z'), at('2026-06-28T20:00:00Z'))).toBe(true)
    expect(hasSession(fx(), at('2026-06-27T00:00:00Z'), at('2026-06-28T00:00:00Z'))).toBe(false)
  })

  test('a range has a session exactly when one of its minutes is in session', () => {
    const start = fc.integer({
      min: at('2026-02-20T00:00:00Z') / MINUTE_MS,
      max: at('2026-04-10T00:00:00Z') / MINUTE_MS,
    })
    fc.assert(
      fc.property(start, fc.integer({ min: 0, max: 600 }), (fromMinute, minutes) => {
        const calendar = fx('2026-03-11', '2026-04-03')
        const each = Array.from({ length: minutes }, (_, i) => isInSession(calendar, (fromMinute + i) * MINUTE_MS))
        const range = hasSession(calendar, fromMinute * MINUTE_MS, (fromMinute + minutes) * MINUTE_MS)
        return range === each.includes(true)
      }),
    )
  })

  test('the session of a window is the newest one that began before its end, even at the opening instant itself', () => {
    const opens = at('2026-06-28T21:00:00Z')
    expect(sessionStartBefore(fx(), opens)).toBe(opens - 7 * DAY_MS)
    expect(sessionStartBefore(fx(), opens + 1)).toBe(opens)
    expect(sessionStartBefore(fx(), opens + HOUR_MS)).toBe(opens)
    expect(sessionStartBefore(fx(), at('2026-07-05T20:00:00Z'))).toBe(opens)
  })
})

test('neither time zone nor locale of the machine changes an answer', () => {
  const script = `
    const { isInSession, sessionStartBefore } = await import('#lib/calendar.ts')
    const { createHash } = await import('node:crypto')
    const calendar = { kind: 'fx', holidays: ['2026-12-25', '2027-01-01'], tzdata: '' }
    const hash = createHash('sha256')
    for (let at = Date.UTC(2026, 0, 1); at < Date.UTC(2027, 1, 1); at += 1800_000)
      hash.update(String(isInSession(calendar, at)) + sessionStartBefore(calendar, at))
    console.log(hash.digest('hex'))`
  const cwd = fileURLToPath(new URL('../..', import.meta.url))
  const digests = [
    { TZ: 'UTC', LC_ALL: 'C' },
    { TZ: 'Asia/Tokyo', LC_ALL: 'ja_JP.UTF-8' },
    { TZ: 'America/New_York', LC_ALL: 'tr_TR.UTF-8' },
  ].map((env) => execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd, env, encoding: 'utf8' }))
  expect(digests[0]).toMatch(/^[0-9a-f]{64}\n$/)
  expect(new Set(digests).size).toBe(1)
})

test('the rules are those of the package, of a known release', () => {
  expect(tzdataVersion).toMatch(/^20\d\d[a-z]$/)
})
