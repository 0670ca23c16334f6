import type { Alert, Evidence } from '#lib/facts.ts'
import { localTime } from '#lib/local-time.ts'
import {
  DAY_MS,
  formatInstant,
  HOUR_MS,
  type Instant,
  MINUTE_MS,
  type Milliseconds,
  parseInstant,
  SECOND_MS,
} from '#lib/time.ts'

export type Locale = 'en' | 'ja'

/** For whom a line is written. */
export interface Reader {
  readonly locale: Locale
  /** Shown beside UTC, in Japanese in its place. */
  readonly timeZone: string
}

/**
 * A transition in one line for people:
 * `CRITICAL router_demo: p95 812 ms > 500 ms, 3rd hour running (20:00–23:00 UTC, 05:00–08:00 JST), n = 4/4/4.`
 *
 * The line is made of the transition's own fields; a reason that has no form of its own is quoted as recorded.
 */
export function noticeLine(alert: Alert, reader: Reader): string {
  const words = reader.locale === 'ja' ? japanese : english
  return `${words.head(alert)} ${alert.source}: ${words.body(alert, reader.timeZone)}`
}

interface Words {
  head(alert: Alert): string
  body(alert: Alert, timeZone: string): string
}

const englishLength: LengthWords = { hour: ' h', minute: ' min', second: ' s', between: ' ' }

const english: Words = {
  head: ({ kind, severity }) =>
    kind === 'resolved' ? 'RESOLVED' : kind === 'annotated' ? 'NOTE' : severity.toUpperCase(),
  body(alert, timeZone) {
    const open = lengthOf(alert.decidedAt - alert.openedAt, englishLength)
    const unit = isHourly(alert) ? 'hour' : 'window'
    const period = (): string => [utcPeriodOf(alert), ...localPeriodOf(alert, timeZone)].join(', ')
    if (alert.kind === 'annotated') return `${alert.reason}.`
    if (alert.kind === 'reminded') return `${topicOf(alert)}, still open after ${open}.`
    if (alert.kind === 'resolved' && isRecovery(alert))
      return `${valueWords(alert)}, ${ordinal(alert.streak)} good ${unit} running (${period()}), n = ${countsOf(alert)}; was open for ${open}.`
    if (alert.kind === 'resolved') return `${alert.reason}; was open for ${open}.`
    if (alert.about === 'no_data') return `no data, ${alert.reason}${untilWords(alert, timeZone)}.`
    return `${valueWords(alert)}, ${ordinal(alert.streak)} ${unit} running (${period()}), n = ${countsOf(alert)}.`
  },
}

const japaneseSeverity = { info: '情報', warning: '警告', critical: '重大' } as const

const japaneseLength: LengthWords = { hour: '時間', minute: '分', second: '秒', between: '' }

const japanese: Words = {
  head: ({ kind, severity }) =>
    kind === 'resolved' ? '復旧' : kind === 'annotated' ? '注記' : japaneseSeverity[severity],
  body(alert, timeZone) {
    const open = lengthOf(alert.decidedAt - alert.openedAt, japaneseLength)
    const samples = `サンプル ${countsOf(alert)}`
    const unit = isHourly(alert) ? '時間' : 'ウィンドウ'
    const period = (): string => japanesePeriodOf(alert, timeZone)
    if (alert.kind === 'annotated') return `遅れて届いたサンプルによる訂正(${alert.reason})。`
    if (alert.kind === 'reminded') return `${alert.about === 'no_data' ? 'データなし' : '遅延'}の警報が${open}継続中。`
    if (alert.kind === 'resolved' && isRecovery(alert))
      return `${valueWords(alert, 'ja')}、正常が${alert.streak}${unit}連続(${period()})、${samples}。発報から${open}。`
    if (alert.kind === 'resolved') return `警報終了(${alert.reason})。発報から${open}。`
    if (alert.evidence.at(-1)?.verdict === 'gap')
      return `データなし、欠測 ${alert.streak} 回目(${japaneseEndOf(alert, timeZone)} まで)。`
    if (alert.about === 'no_data') return `サンプル不足が${alert.streak}${unit}連続(${period()})、${samples}。`
    return `${valueWords(alert, 'ja')} が${alert.streak}${unit}連続(${period()})、${samples}。`
  },
}

function topicOf({ about, thresholdMs }: Alert): string {
  return about === 'no_data' ? 'no data' : `p95 above ${thresholdMs} ms or too many errors`
}

/** An end by good windows in a row; other ends have none that led to them. */
function isRecovery({ about, streak }: Alert): boolean {
  return about === 'breach' && streak > 0
}

/** The newest window's value: `p95 812 ms > 500 ms`, `p95 430 ms`, or errors when it is them that matter. */
function valueWords({ evidence, thresholdMs }: Alert, locale: Locale = 'en'): string {
  const newest = evidence.at(-1)
  const p95Ms = newest?.p95Ms ?? null
  const above = p95Ms !== null && thresholdMs !== null && p95Ms > thresholdMs
  if (above) return `p95 ${p95Ms} ms > ${thresholdMs} ms`
  if (newest?.verdict === 'ok') return `p95 ${p95Ms} ms`
  const errors = newest?.errorCount ?? 0
  return locale === 'ja' ? `エラー ${errors} 件` : `${errors} ${errors === 1 ? 'error' : 'errors'}`
}

const countsOf = ({ evidence }: Alert): string => evidence.map(({ count }) => count).join('/')

interface Period {
  readonly fromAt: Instant
  readonly toAt: Instant
  /** Of the deciding window; 0 when none is named. */
  readonly windowMs: Milliseconds
}

/** From the start of the oldest window of the evidence to the end of the newest. */
function periodOf({ evidence, eventAt }: Alert): Period {
  const starts = evidence.filter(({ verdict }) => verdict !== 'gap').map(startOf)
  const deciding = starts.findLast((start) => start < eventAt) ?? eventAt
  const windowMs = eventAt - deciding
  return { fromAt: starts[0] ?? eventAt, toAt: (starts.at(-1) ?? eventAt) + windowMs, windowMs }
}

const isHourly = (alert: Alert): boolean => periodOf(alert).windowMs === HOUR_MS

function utcPeriodOf(alert: Alert): string {
  const { fromAt, toAt } = periodOf(alert)
  const oneDay = Math.floor(fromAt / DAY_MS) === Math.floor((toAt - 1) / DAY_MS)
  const [from, to] = alike(clock(fromAt), clock(toAt))
  return oneDay ? `${from}–${to} UTC` : `${day(fromAt)} ${from} – ${day(toAt)} ${to} UTC`
}

/** `05:00–08:00 JST`; nothing for UTC itself. */
function localPeriodOf(alert: Alert, timeZone: string): readonly string[] {
  if (timeZone === 'UTC') return []
  const { from, to, zones } = localSpanOf(alert, timeZone)
  if (zones.from !== zones.to) return [`${from} ${zones.from} – ${to} ${zones.to}`]
  return [`${from}–${to} ${zones.to}`]
}

/** A reader in Japan thinks in JST; the record is in UTC either way. */
function japanesePeriodOf(alert: Alert, timeZone: string): string {
  if (timeZone === 'UTC') return utcPeriodOf(alert)
  const { from, to, zones } = localSpanOf(alert, timeZone)
  if (zones.from !== zones.to) return `${zones.from} ${from}–${zones.to} ${to}`
  return `${zones.to} ${from}–${to}`
}

/** ` (until 12:30 UTC, 21:30 JST)`, beside a reason that has only its beginning, in UTC. */
function untilWords({ eventAt }: Alert, timeZone: string): string {
  const end = localTime(eventAt, timeZone)
  const local = timeZone === 'UTC' ? '' : `, ${end.clock} ${end.zone}`
  return ` (until ${clock(eventAt)} UTC${local})`
}

function japaneseEndOf({ eventAt }: Alert, timeZone: string): string {
  if (timeZone === 'UTC') return `${clock(eventAt)} UTC`
  const end = localTime(eventAt, timeZone)
  return `${end.zone} ${end.clock}`
}

/** Both ends as a reader in the zone sees them; over a change of the clocks they are told by different names of the zone. */
function localSpanOf(alert: Alert, timeZone: string) {
  const { fromAt, toAt } = periodOf(alert)
  const [first, last] = [localTime(fromAt, timeZone), localTime(toAt, timeZone)]
  const oneDay = first.day === localTime(toAt - 1, timeZone).day
  const [from, to] = alike(first.clock, last.clock)
  const zones = { from: first.zone, to: last.zone }
  return oneDay ? { from, to, zones } : { from: `${first.day} ${from}`, to: `${last.day} ${to}`, zones }
}

/** A window's key ends in `/start/revision`. */
function startOf({ key }: Evidence): Instant {
  const start = parseInstant(key.split('/').at(-2) ?? '')
  if (start === undefined) throw new RangeError(`${key} is not the key of a window`)
  return start
}

/** Seconds only where there are some: windows may be as short as ten. */
const clock = (at: Instant): string => formatInstant(at).slice(11, at % MINUTE_MS === 0 ? 16 : 19)

/** Both ends of a period with seconds, when one of them has some. */
function alike(from: string, to: string): readonly [string, string] {
  if (from.length === to.length) return [from, to]
  return from.length < to.length ? [`${from}:00`, to] : [from, `${to}:00`]
}

const day = (at: Instant): string => formatInstant(at).slice(5, 10)

interface LengthWords {
  readonly hour: string
  readonly minute: string
  readonly second: string
  readonly between: string
}

/** Hours and minutes; seconds below one minute. */
function lengthOf(ms: Milliseconds, words: LengthWords): string {
  if (ms < MINUTE_MS) return `${Math.floor(ms / SECOND_MS)}${words.second}`
  const hours = Math.floor(ms / HOUR_MS)
  const minutes = Math.floor((ms % HOUR_MS) / MINUTE_MS)
  const parts = [hours > 0 ? `${hours}${words.hour}` : '', minutes > 0 ? `${minutes}${words.minute}` : '']
  return parts.filter((part) => part !== '').join(words.between)
}

function ordinal(count: number): string {
  const teen = count % 100 >= 11 && count % 100 <= 13
  const ending = teen ? 'th' : ({ 1: 'st', 2: 'nd', 3: 'rd' }[count % 10] ?? 'th')
  return `${count}${ending}`
}
