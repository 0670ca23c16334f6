import { describe, expect, test } from '@jest/globals'
import type { Alert } from '#lib/facts.ts'
import { evidenceUrl, type MessageContext, type Notice, textOf } from '#services/alerter/messages/notice.ts'
import { alertsOf, at, hours } from '../desk.ts'
import { everyNotice, inEnglish, inJapan, others, tellOf, transitions } from './told.ts'

const inTokyo: MessageContext = { ...inEnglish, displayTimeZone: 'Asia/Tokyo', publicUrl: null }
const japaneseInUtc: MessageContext = { ...inJapan, displayTimeZone: 'UTC', publicUrl: null }

/** Every notice as readers of a context are told of it, links left out. */
const texts = (context: MessageContext): Readonly<Record<string, string>> =>
  Object.fromEntries(
    everyNotice(context.locale).map(([name, notice]) => [name, textOf(notice, { ...context, publicUrl: null })]),
  )

/** The Saturday on which the contract's example ends in Tokyo's Sunday. */
const saturday: Alert = alertsOf(hours('B B B', at('20:00', 5))).at(-1)!

describe('the texts that the contract gives', () => {
  test('in English, with a second time', () => {
    expect(textOf(tellOf(saturday), { ...inEnglish, displayTimeZone: 'Asia/Tokyo' })).toBe(
      'CRITICAL router_demo: p95 812 ms > 500 ms, 3rd hour running (20:00–23:00 UTC, 05:00–08:00 JST), n = 4/4/4. Why sent: 3 of 3. https://obs.example/alerts/breach%2Flatency_p95%2Frouter_demo%2F2026-06-27T20%3A00%3A00Z',
    )
  })

  test('in Japanese', () => {
    expect(textOf(tellOf(saturday, 'ja'), inJapan)).toBe(
      '重大 router_demo: p95 812 ms > 500 ms が3時間連続(JST 05:00–08:00)、サンプル 4/4/4。通知理由: 連続3回。https://obs.example/alerts/breach%2Flatency_p95%2Frouter_demo%2F2026-06-27T20%3A00%3A00Z',
    )
  })
})

test('every notice in English, in UTC', () => {
  expect(texts(inEnglish)).toEqual({
    opened: 'WARNING router_demo: p95 812 ms > 500 ms, 2nd hour running (20:00–22:00 UTC), n = 4/4. Why sent: 2 of 2.',
    escalated:
      'CRITICAL router_demo: p95 812 ms > 500 ms, 3rd hour running (20:00–23:00 UTC), n = 4/4/4. Why sent: 3 of 3.',
    reminded:
      'CRITICAL router_demo: p95 above 500 ms or too many errors, still open after 5 h. Why sent: open for longer than 4h.',
    resolved:
      'RESOLVED router_demo: p95 449 ms, 2nd good hour running (02:00–04:00 UTC), n = 4/4; was open for 2 h. Why sent: 2 of 2.',
    annotated:
      'NOTE router_demo: window 2026-06-22T00:00:00Z was breach, is ok since late samples (r1): p95 450 ms, 4 samples. Why sent: a late sample changed a window of this alert.',
    silent:
      'WARNING router_demo: no data, samples are missing: 2 expected slots without a sample since 2026-06-22T12:15:00Z (until 12:30 UTC). Why sent: silent.',
    'silent again':
      'CRITICAL router_demo: no data, samples are still missing: 2 expected slots without a sample since 2026-06-22T12:45:00Z (until 13:00 UTC). Why sent: silent for a second time.',
    'samples again':
      'RESOLVED router_demo: samples are back: window 2026-06-22T01:00:00Z, p95 449 ms, 4 samples; was open for 1 h 15 min. Why sent: its end.',
    gone: 'CRITICAL channel ops: its address is gone (410); nothing is sent there until its configuration changes or `obstream channels test ops` succeeds.',
    unauthorized:
      'CRITICAL channel ops: it refuses our credentials (401); messages to it are lost until its secret is mended.',
    sampler_silent:
      'CRITICAL sampler silent: no clock tick since 2026-06-22T22:55:00Z; nothing is judged until it is back.',
    sampler_back: 'RESOLVED sampler silent since 2026-06-22T22:55:00Z: ticks are back.',
    test: 'TEST of channel ops, asked for by ann. Nothing is wrong.',
  })
})

test('every notice in Japanese, in the time of Japan', () => {
  expect(texts(inJapan)).toEqual({
    opened: '警告 router_demo: p95 812 ms > 500 ms が2時間連続(JST 05:00–07:00)、サンプル 4/4。通知理由: 連続2回。',
    escalated:
      '重大 router_demo: p95 812 ms > 500 ms が3時間連続(JST 05:00–08:00)、サンプル 4/4/4。通知理由: 連続3回。',
    reminded: '重大 router_demo: 遅延の警報が5時間継続中。通知理由: 4hを超えて継続。',
    resolved:
      '復旧 router_demo: p95 449 ms、正常が2時間連続(JST 11:00–13:00)、サンプル 4/4。発報から2時間。通知理由: 正常連続2回。',
    annotated:
      '注記 router_demo: 遅れて届いたサンプルによる訂正(window 2026-06-22T00:00:00Z was breach, is ok since late samples (r1): p95 450 ms, 4 samples)。通知理由: 遅着サンプルによる訂正。',
    silent: '警告 router_demo: データなし、欠測 1 回目(JST 21:30 まで)。通知理由: 欠測。',
    'silent again': '重大 router_demo: データなし、欠測 2 回目(JST 22:00 まで)。通知理由: 2度目の欠測。',
    'samples again':
      '復旧 router_demo: 警報終了(samples are back: window 2026-06-22T01:00:00Z, p95 449 ms, 4 samples)。発報から1時間15分。通知理由: 終了。',
    gone: '重大 チャネル ops: 宛先が廃止されています(410)。設定を変更するか `obstream channels test ops` が成功するまで送信しません。',
    unauthorized: '重大 チャネル ops: 認証が拒否されました(401)。秘密情報を直すまで通知は届きません。',
    sampler_silent:
      '重大 サンプラー停止: 2026-06-22T22:55:00Z (06-23 07:55 JST) 以降ティックがありません。復旧まで判定できません。',
    sampler_back: '復旧 サンプラー停止(2026-06-22T22:55:00Z (06-23 07:55 JST) 以降): ティックが再開しました。',
    test: 'テスト チャネル ops(依頼者 ann)。異常はありません。',
  })
})

/** Those whose text depends on the zone at all. */
const changed = (one: Readonly<Record<string, string>>, other: Readonly<Record<string, string>>): object =>
  Object.fromEntries(Object.entries(one).filter(([name, text]) => text !== other[name]))

test('in English, a second time zone stands beside UTC and nothing else changes', () => {
  expect(changed(texts(inTokyo), texts(inEnglish))).toEqual({
    opened:
      'WARNING router_demo: p95 812 ms > 500 ms, 2nd hour running (20:00–22:00 UTC, 05:00–07:00 JST), n = 4/4. Why sent: 2 of 2.',
    escalated:
      'CRITICAL router_demo: p95 812 ms > 500 ms, 3rd hour running (20:00–23:00 UTC, 05:00–08:00 JST), n = 4/4/4. Why sent: 3 of 3.',
    resolved:
      'RESOLVED router_demo: p95 449 ms, 2nd good hour running (02:00–04:00 UTC, 11:00–13:00 JST), n = 4/4; was open for 2 h. Why sent: 2 of 2.',
    silent:
      'WARNING router_demo: no data, samples are missing: 2 expected slots without a sample since 2026-06-22T12:15:00Z (until 12:30 UTC, 21:30 JST). Why sent: silent.',
    'silent again':
      'CRITICAL router_demo: no data, samples are still missing: 2 expected slots without a sample since 2026-06-22T12:45:00Z (until 13:00 UTC, 22:00 JST). Why sent: silent for a second time.',
    sampler_silent:
      'CRITICAL sampler silent: no clock tick since 2026-06-22T22:55:00Z (06-23 07:55 JST); nothing is judged until it is back.',
    sampler_back: 'RESOLVED sampler silent since 2026-06-22T22:55:00Z (06-23 07:55 JST): ticks are back.',
  })
})

test('in Japanese without a second time zone, times are told in UTC and nothing else changes', () => {
  expect(changed(texts(japaneseInUtc), texts(inJapan))).toEqual({
    opened: '警告 router_demo: p95 812 ms > 500 ms が2時間連続(20:00–22:00 UTC)、サンプル 4/4。通知理由: 連続2回。',
    escalated:
      '重大 router_demo: p95 812 ms > 500 ms が3時間連続(20:00–23:00 UTC)、サンプル 4/4/4。通知理由: 連続3回。',
    resolved:
      '復旧 router_demo: p95 449 ms、正常が2時間連続(02:00–04:00 UTC)、サンプル 4/4。発報から2時間。通知理由: 正常連続2回。',
    silent: '警告 router_demo: データなし、欠測 1 回目(12:30 UTC まで)。通知理由: 欠測。',
    'silent again': '重大 router_demo: データなし、欠測 2 回目(13:00 UTC まで)。通知理由: 2度目の欠測。',
    sampler_silent: '重大 サンプラー停止: 2026-06-22T22:55:00Z 以降ティックがありません。復旧まで判定できません。',
    sampler_back: '復旧 サンプラー停止(2026-06-22T22:55:00Z 以降): ティックが再開しました。',
  })
})

describe('what is said besides', () => {
  const noted = (locale: 'en' | 'ja'): Notice => tellOf(transitions.opened, locale, { note: 'it flaps' })

  test('stands between the reason and the link', () => {
    expect(textOf(noted('en'), inEnglish)).toContain('Why sent: 2 of 2. it flaps. https://obs.example/alerts/')
    expect(textOf(noted('ja'), inJapan)).toContain('通知理由: 連続2回。it flaps。https://obs.example/alerts/')
  })

  test('a channel that answered nothing has no status to tell', () => {
    const silent: Notice = { ...others.gone, status: null }
    expect(textOf(silent, inEnglish)).toContain('its address is gone; nothing is sent')
    expect(textOf(silent, inJapan)).toContain('宛先が廃止されています。設定')
  })
})

describe('a link to the evidence', () => {
  test.each([
    ['no public address, no link', 'a/b', null, null],
    [
      'an id is one part of the path',
      'breach/r/ルータ 1/x?#',
      'https://o/p',
      'https://o/p/alerts/breach%2Fr%2F%E3%83%AB%E3%83%BC%E3%82%BF%201%2Fx%3F%23',
    ],
    ['half a surrogate pair is no reason to fail', '\ud83d', 'https://o', 'https://o/alerts/%EF%BF%BD'],
  ])('%s', (_, alertId, publicUrl, url) => {
    expect(evidenceUrl(alertId, { publicUrl })).toBe(url)
  })
})

test('a text is one line, whatever the names in it are', () => {
  const test = { ...others.test, channel: 'a\nb', by: 'ann\r\n\u2028<!channel>\ud83d' }
  expect(textOf(test, inEnglish)).toBe('TEST of channel a b, asked for by ann <!channel>\ufffd. Nothing is wrong.')
})
