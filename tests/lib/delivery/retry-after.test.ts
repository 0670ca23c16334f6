import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { parseRetryAfter } from '#lib/delivery/retry-after.ts'

const at = (iso: string): number => Date.parse(iso)
const ANSWERED = at('2026-06-27T20:00:00.250Z')

test('seconds count from the answer', () => {
  expect(parseRetryAfter('0', ANSWERED)).toBe(ANSWERED)
  expect(parseRetryAfter('120', ANSWERED)).toBe(ANSWERED + 120_000)
  expect(parseRetryAfter('9'.repeat(400), ANSWERED)).toBe(Number.POSITIVE_INFINITY)
})

test("all three forms of HTTP's dates are one instant", () => {
  const expected = at('1994-11-06T08:49:37Z')
  for (const form of ['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994'])
    expect([form, parseRetryAfter(form, at('1994-11-01T00:00:00Z'))]).toEqual([form, expected])
})

test('a year of two digits more than 50 years ahead is the one of a century ago', () => {
  expect(parseRetryAfter('Sunday, 06-Nov-94 08:49:37 GMT', ANSWERED)).toBe(at('1994-11-06T08:49:37Z'))
  expect(parseRetryAfter('Friday, 06-Nov-76 08:49:37 GMT', ANSWERED)).toBe(at('2076-11-06T08:49:37Z'))
  expect(parseRetryAfter('Sunday, 06-Nov-77 08:49:37 GMT', ANSWERED)).toBe(at('1977-11-06T08:49:37Z'))
})

test.each([
  '',
  '-1',
  '1.5',
  '1e3',
  '+5',
  '0x10',
  '120 s',
  '120, 60',
  'soon',
  '2026-06-27T20:00:00Z',
  'Sun, 6 Nov 1994 08:49:37 GMT',
  'Sun, 06 Nov 1994 08:49:37 UTC',
  'Sun, 06 Nov 1994 08:49:37',
  'sun, 06 nov 1994 08:49:37 GMT',
  'Sun, 31 Feb 2027 08:49:37 GMT',
  'Sun, 00 Nov 1994 08:49:37 GMT',
  'Sun, 06 Nov 1994 24:00:00 GMT',
  'Sun, 06 Nov 1994 08:60:00 GMT',
  'Sun, 06 Nov 1994 08:49:60 GMT',
  'Sun, 06 Nov 1994 08:49:37 GMT, 5',
  'Sun Nov  6 08:49:37 1994 GMT',
  'on Sun, 06 Nov 1994 08:49:37 GMT',
])('"%s" is none', (value) => {
  expect(parseRetryAfter(value, ANSWERED)).toBeNull()
})

test('what this machine writes as an HTTP date is read back, to the second', () => {
  const date = fc.date({
    min: new Date('0000-01-01T00:00:00Z'),
    max: new Date('9999-12-31T23:59:59Z'),
    noInvalidDate: true,
  })
  fc.assert(
    fc.property(date, (written) => {
      expect(parseRetryAfter(written.toUTCString(), ANSWERED)).toBe(Math.floor(written.getTime() / 1_000) * 1_000)
    }),
  )
})
