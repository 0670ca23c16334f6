import type { Instant } from '#lib/time.ts'
import { SECOND_MS } from '#lib/time.ts'

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const month = `(?<month>${MONTHS.join('|')})`
const time = '(?<hour>\\d\\d):(?<minute>\\d\\d):(?<second>\\d\\d)'
const shortDay = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)'
const longDay = '(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)'

/** RFC 9110 §5.6.7: IMF-fixdate, and the two old forms that a recipient must still read. */
const DATES = [
  new RegExp(`^${shortDay}, (?<day>\\d\\d) ${month} (?<year>\\d{4}) ${time} GMT$`),
  new RegExp(`^${longDay}, (?<day>\\d\\d)-${month}-(?<year>\\d\\d) ${time} GMT$`),
  new RegExp(`^${shortDay} ${month} (?<day>[ \\d]\\d) ${time} (?<year>\\d{4})$`),
]
const SECONDS = /^\d+$/

/**
 * Reads `Retry-After` (RFC 9110 §10.2.3): seconds, or a date in any of HTTP's three forms. A year of two digits is the one of
 * this century unless that lies more than 50 years ahead. The name of the day is not held against the date.
 *
 * @param answeredAt when the answer came: seconds count from here
 * @returns the instant, `Infinity` for more seconds than a number holds; `null` for anything else, dates that do not exist among it
 */
export function parseRetryAfter(value: string, answeredAt: Instant): Instant | null {
  if (SECONDS.test(value)) return answeredAt + Number(value) * SECOND_MS
  for (const form of DATES) {
    const parts = form.exec(value)?.groups
    if (parts) return instantOf(parts, answeredAt)
  }
  return null
}

const LONGEST_SHOWN = 64

/** A value as a line of the log shows it: its first 64 characters, without those that do not print. */
export function shownRetryAfter(value: string): string {
  return [...value.replaceAll(/\p{C}/gu, '')].slice(0, LONGEST_SHOWN).join('')
}

function instantOf(parts: Readonly<Record<string, string>>, answeredAt: Instant): Instant | null {
  const year = parts['year']!.length === 2 ? fullYear(Number(parts['year']), answeredAt) : Number(parts['year'])
  const [day, hour, minute, second] = ['day', 'hour', 'minute', 'second'].map((name) => Number(parts[name])) as [
    number,
    number,
    number,
    number,
  ]
  if (hour > 23 || minute > 59 || second > 59) return null
  const date = new Date(0)
  // Unlike `Date.UTC`, this does not take the years 0 to 99 for those of the twentieth century.
  date.setUTCFullYear(year, MONTHS.indexOf(parts['month']!), day)
  date.setUTCHours(hour, minute, second)
  return date.getUTCDate() === day ? date.getTime() : null
}

function fullYear(twoDigits: number, answeredAt: Instant): number {
  const thisYear = new Date(answeredAt).getUTCFullYear()
  const inThisCentury = thisYear - (thisYear % 100) + twoDigits
  return inThisCentury > thisYear + 50 ? inThisCentury - 100 : inThisCentury
}
