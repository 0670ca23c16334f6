/** An instant: whole milliseconds since 1970-01-01T00:00:00Z. Fields that hold one end in `At`. */
export type Instant = number

/** A length of time in whole milliseconds. Fields that hold one end in `Ms`. */
export type Milliseconds = number

export const SECOND_MS = 1_000
export const MINUTE_MS = 60_000
export const HOUR_MS = 3_600_000
export const DAY_MS = 86_400_000

/** RFC 3339 UTC with seconds, as keys, files and messages write it: `2026-06-27T23:00:00Z`. Milliseconds are cut off. */
export function formatInstant(at: Instant): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`
}

/** RFC 3339 UTC with milliseconds: `2026-06-27T23:00:00.125Z`. */
export function formatInstantMs(at: Instant): string {
  return new Date(at).toISOString()
}

/** The day of an instant in UTC: `2026-06-27`. */
export function utcDay(at: Instant): string {
  return new Date(at).toISOString().slice(0, 10)
}

/** `20260627T233000Z`, the instant part of a job id. */
export function compactInstant(at: Instant): string {
  return formatInstant(at).replaceAll(/[-:]/g, '')
}

const RFC_3339 = /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:\d{2})$/

/**
 * Reads an RFC 3339 date-time with any offset; digits below the millisecond are cut off.
 *
 * @returns `undefined` for anything else, a date that does not exist (30 February) and a leap second among them
 */
export function parseInstant(text: string): Instant | undefined {
  const match = RFC_3339.exec(text)
  if (!match) return undefined
  const [, year, month, day, hour, minute, second, fraction = '', zone] = match as unknown as string[]
  const local = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second))
  const asWritten = `${year}-${month}-${day}T${hour}:${minute}:${second}`
  if (Number.isNaN(local) || new Date(local).toISOString().slice(0, 19) !== asWritten) return undefined
  const milliseconds = Number(fraction.padEnd(3, '0').slice(0, 3))
  return local + milliseconds - offsetMs(zone!)
}

function offsetMs(zone: string): Milliseconds {
  if (zone === 'Z' || zone === 'z') return 0
  const sign = zone[0] === '-' ? -1 : 1
  return sign * (Number(zone.slice(1, 3)) * HOUR_MS + Number(zone.slice(4, 6)) * MINUTE_MS)
}

const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/
const UNIT_MS = { ms: 1, s: SECOND_MS, m: MINUTE_MS, h: HOUR_MS, d: DAY_MS } as const

/** Reads `250ms`, `10s`, `15m`, `1h`, `14d`, `1.5h`. `undefined` for anything else or a fraction of a millisecond. */
export function parseDuration(text: string): Milliseconds | undefined {
  const match = DURATION.exec(text)
  if (!match) return undefined
  const ms = Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS]
  return Number.isSafeInteger(ms) ? ms : undefined
}

/** The shortest exact form that `parseDuration` reads back: `15m`, `90s`, `1500ms`. */
export function formatDuration(ms: Milliseconds): string {
  for (const [unit, size] of Object.entries(UNIT_MS).toReversed())
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`
  return `${ms}ms`
}
