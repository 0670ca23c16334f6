import { isIP } from 'node:net'
import { isId } from '#lib/keys.ts'
import { parseDuration } from '#lib/time.ts'

/** Bounds of a duration, themselves durations; with `step` the duration is a multiple of it. */
export interface DurationRange {
  readonly min: string
  readonly max: string
  readonly step?: string
}

/** Whether `ms` (`undefined`: no duration at all) lies in the range. */
export function isInRange(range: DurationRange, ms: number | undefined): boolean {
  if (ms === undefined || ms < parseDuration(range.min)! || ms > parseDuration(range.max)!) return false
  return range.step === undefined || ms % parseDuration(range.step)! === 0
}

interface Format {
  readonly accepts: (text: string) => boolean
  /** What to write, for the person whose text was not accepted. */
  readonly wants: string
}

const ID_RULE = '1–64 letters or digits of any script, `_`, `.`, `-`'

/** The `format`s of the configuration's schemas. */
export const formats: Readonly<Record<string, Format>> = {
  id: { accepts: isId, wants: ID_RULE },
  'source-pattern': {
    accepts: (text) => isId(text.replaceAll('*', '') || 'x'),
    wants: `a source id, with \`*\` for any characters (${ID_RULE})`,
  },
  'time-zone': { accepts: isTimeZone, wants: 'the IANA name of a time zone' },
  'http-url': { accepts: isHttpUrl, wants: 'an http:// or https:// address without a user name or password' },
  'path-inside': { accepts: isPathInside, wants: 'a relative path that stays inside of the data directory' },
  'header-name': {
    accepts: (text) => /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/.test(text),
    wants: 'the name of an HTTP header',
  },
  'header-value': { accepts: (text) => /^[\t\x20-\x7e]*$/.test(text), wants: 'printable ASCII' },
  percentage: {
    accepts: (text) => parsePercentage(text) !== undefined,
    wants: 'a share above 0 and at most 1, or a percentage',
  },
  bind: { accepts: (text) => parseBind(text) !== undefined, wants: 'an IP address and a port' },
  day: { accepts: isDay, wants: 'a date that exists' },
}

function isTimeZone(text: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: text })
    return !/^[+-]/.test(text)
  } catch {
    return false
  }
}

function isHttpUrl(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '' && url.hash === ''
}

function isPathInside(text: string): boolean {
  const parts = text.split('/')
  return text !== '' && !/[\\\0]/.test(text) && !parts.includes('..') && !parts.includes('') && parts.at(-1) !== '.'
}

function isDay(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && URL.parse(`day:${text}`) !== null && toDay(text) === text
}

function toDay(text: string): string {
  const at = Date.parse(`${text}T00:00:00Z`)
  return Number.isNaN(at) ? '' : new Date(at).toISOString().slice(0, 10)
}

/** `50%` → 0.5, `0.5` → undefined: only text with a percent sign is one. Above 0 %, at most 100 %. */
export function parsePercentage(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s?%$/.exec(text)
  const percent = Number(match?.[1])
  return percent > 0 && percent <= 100 ? percent / 100 : undefined
}

/** `127.0.0.1:8080`, `[::1]:0`, `localhost:8080`. */
export function parseBind(text: string): { readonly host: string; readonly port: number } | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  if (host === undefined || port > 65_535 || (isIP(host) === 0 && host !== 'localhost')) return undefined
  return { host, port }
}
