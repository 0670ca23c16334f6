import moment from 'moment-timezone'
import type { CalendarPlan } from './plan.ts'
import { DAY_MS, HOUR_MS, type Instant, MINUTE_MS } from './time.ts'

/**
 * When a market is open. A calendar is part of the plan; what it says about an instant depends on nothing else: not on
 * the time zone, the locale or the time zone rules of the machine. The rules are those bundled with moment-timezone,
 * which reach to the end of 2037; later years keep standard time.
 *
 * - `always`: every instant is in session.
 * - `fx`: Sunday 17:00 to Friday 17:00 in New York, without the holidays, which are whole days there (00:00 to 24:00).
 */

/** Release of the bundled time zone rules, e.g. `2026f`; belongs into `CalendarPlan.tzdata`. */
export const tzdataVersion: string = moment.tz.dataVersion

const newYork = moment.tz.zone('America/New_York')!

const SUNDAY = 0
const FRIDAY = 5
const SATURDAY = 6
const OPEN_AND_CLOSE_MS = 17 * HOUR_MS
/** 1970-01-01 was a Thursday. */
const WEEKDAY_OF_DAY_0 = 4

/** Whether `at` is in session. The opening instant is, the closing instant is not. */
export function isInSession(calendar: CalendarPlan, at: Instant): boolean {
  if (calendar.kind === 'always') return true
  const local = at - newYork.utcOffset(at) * MINUTE_MS
  const day = Math.floor(local / DAY_MS)
  const sinceMidnightMs = local - day * DAY_MS
  const weekday = (((day + WEEKDAY_OF_DAY_0) % 7) + 7) % 7
  if (weekday === SATURDAY) return false
  if (weekday === SUNDAY && sinceMidnightMs < OPEN_AND_CLOSE_MS) return false
  if (weekday === FRIDAY && sinceMidnightMs >= OPEN_AND_CLOSE_MS) return false
  return !holidayDays(calendar.holidays).has(day)
}

/** Whether any instant of `[fromAt, toAt)` is in session; `false` for an empty range. */
export function hasSession(calendar: CalendarPlan, fromAt: Instant, toAt: Instant): boolean {
  if (fromAt >= toAt) return false
  if (isInSession(calendar, fromAt)) return true
  for (let at = nextHour(fromAt); at < toAt; at += HOUR_MS) if (isInSession(calendar, at)) return true
  return false
}

/**
 * The newest instant before `at` at which a session began; for a window's end, the opening of the session that the
 * window, or what there is of it, lies in.
 *
 * @returns `-Infinity` when there is none: a calendar that never closes, or that was closed for a whole year
 */
export function sessionStartBefore(calendar: CalendarPlan, at: Instant): Instant {
  if (calendar.kind === 'always') return Number.NEGATIVE_INFINITY
  const hour = lastHourBefore(at)
  const known = newestStart.get(calendar)
  if (known?.hour === hour) return known.startAt
  const startAt = findSessionStart(calendar, hour)
  newestStart.set(calendar, { hour, startAt })
  return startAt
}

/** The last answer for each calendar: windows of a thousand sources end at one instant. */
const newestStart = new WeakMap<CalendarPlan, { readonly hour: Instant; readonly startAt: Instant }>()

const YEAR_HOURS = 366 * 24

function findSessionStart(calendar: CalendarPlan, newestHour: Instant): Instant {
  let open = isInSession(calendar, newestHour)
  for (let hours = 0, hour = newestHour; hours < YEAR_HOURS; hours++, hour -= HOUR_MS) {
    const openBefore = isInSession(calendar, hour - HOUR_MS)
    if (open && !openBefore) return hour
    open = openBefore
  }
  return Number.NEGATIVE_INFINITY
}

/** Sessions begin and end at whole hours of UTC, because New York is whole hours away: so a look at each hour sees all. */
function nextHour(at: Instant): Instant {
  return (Math.floor(at / HOUR_MS) + 1) * HOUR_MS
}

function lastHourBefore(at: Instant): Instant {
  return (Math.ceil(at / HOUR_MS) - 1) * HOUR_MS
}

const parsedHolidays = new WeakMap<readonly string[], ReadonlySet<number>>()

/** Days since 1970-01-01. */
function holidayDays(holidays: readonly string[]): ReadonlySet<number> {
  let days = parsedHolidays.get(holidays)
  if (!days) {
    days = new Set(holidays.map((day) => Date.parse(`${day}T00:00:00Z`) / DAY_MS))
    parsedHolidays.set(holidays, days)
  }
  return days
}
