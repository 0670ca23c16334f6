import { describe, expect, test } from '@jest/globals'
import { HOUR_MS, MINUTE_MS } from '#lib/time.ts'
import { noticeLine } from '#services/alerter/messages/notice-line.ts'
import { alertsOf, at, gap, hours, inOrder, MONDAY, plan, rule, type Written, window } from '../desk.ts'

const last = (facts: readonly Written[], locale: 'en' | 'ja' = 'en'): string =>
  noticeLine(alertsOf(facts).at(-1)!, { locale, timeZone: 'UTC' })

describe('a line for people, in English', () => {
  test.each([
    [
      'opened',
      hours('B B', at('20:00')),
      'WARNING router_demo: p95 812 ms > 500 ms, 2nd hour running (20:00–22:00 UTC), n = 4/4.',
    ],
    [
      'escalated',
      hours('B B B', at('20:00')),
      'CRITICAL router_demo: p95 812 ms > 500 ms, 3rd hour running (20:00–23:00 UTC), n = 4/4/4.',
    ],
    [
      'by errors',
      hours('B E', at('20:00')),
      'WARNING router_demo: 3 errors, 2nd hour running (20:00–22:00 UTC), n = 4/1.',
    ],
    [
      'over midnight',
      hours('B B B', at('22:00')),
      'CRITICAL router_demo: p95 812 ms > 500 ms, 3rd hour running (06-22 22:00 – 06-23 01:00 UTC), n = 4/4/4.',
    ],
    [
      'up to midnight',
      hours('B B', at('22:00')),
      'WARNING router_demo: p95 812 ms > 500 ms, 2nd hour running (22:00–00:00 UTC), n = 4/4.',
    ],
    [
      'resolved',
      hours('B B R R'),
      'RESOLVED router_demo: p95 449 ms, 2nd good hour running (02:00–04:00 UTC), n = 4/4; was open for 2 h.',
    ],
    ['retired', hours('B B X'), 'RESOLVED router_demo: the source is no longer in the plan; was open for 1 h.'],
    [
      'reminded',
      hours('B B B O O O O'),
      'CRITICAL router_demo: p95 above 500 ms or too many errors, still open after 5 h.',
    ],
    [
      'a gap',
      [gap(at('12:30'))],
      'WARNING router_demo: no data, samples are missing: 2 expected slots without a sample since 2026-06-22T12:15:00Z (until 12:30 UTC).',
    ],
    [
      'thin windows',
      hours('I I I I'),
      'WARNING router_demo: no data, 4 windows in a row with too few samples, up to 3 are let pass (until 04:00 UTC).',
    ],
    [
      'samples again',
      inOrder(gap(at('00:30')), hours('. R')),
      'RESOLVED router_demo: samples are back: window 2026-06-22T01:00:00Z, p95 449 ms, 4 samples; was open for 1 h 15 min.',
    ],
    [
      'annotated',
      [...hours('B B B'), window('O', MONDAY, { revision: 1, decidedAt: at('03:30') })],
      'NOTE router_demo: window 2026-06-22T00:00:00Z was breach, is ok since late samples (r1): p95 450 ms, 4 samples.',
    ],
  ])('%s', (_, facts, line) => {
    expect(last(facts)).toBe(line)
  })

  test('counts as English does', () => {
    const only = (count: number) => {
      const patient = plan({ rules: [rule({ warningAfter: count, criticalAfter: count + 1 })] })
      return last(hours(Array(count).fill('B').join(' '), MONDAY, { plan: patient }))
    }
    expect(
      [1, 2, 3, 4, 11, 12, 13, 21, 22, 23, 101, 111, 112, 113].map(
        (count) => /\d+(st|nd|rd|th) hour/.exec(only(count))?.[0],
      ),
    ).toEqual([
      '1st hour',
      '2nd hour',
      '3rd hour',
      '4th hour',
      '11th hour',
      '12th hour',
      '13th hour',
      '21st hour',
      '22nd hour',
      '23rd hour',
      '101st hour',
      '111th hour',
      '112th hour',
      '113th hour',
    ])
  })

  test('an alert that a late revision of an earlier window opens still names the whole period', () => {
    const facts = [...hours('B I', at('20:00')), window('B', at('21:00'), { revision: 1, decidedAt: at('22:40') })]
    expect(last(facts)).toContain('(20:00–22:00 UTC)')
  })

  test('a value that is not above the threshold is not told as if it were, and one error is one', () => {
    const [alert] = alertsOf(hours('E E', at('20:00'))).slice(-1)
    const withNewest = (more: object): string => {
      const evidence = alert!.evidence.map((one, i) => (i === 1 ? { ...one, ...more } : one))
      return noticeLine({ ...alert!, evidence }, { locale: 'en', timeZone: 'UTC' })
    }
    expect(withNewest({ p95Ms: 500 })).toContain('router_demo: 3 errors, 2nd hour')
    expect(withNewest({ p95Ms: 501 })).toContain('router_demo: p95 501 ms > 500 ms, 2nd hour')
    expect(withNewest({ p95Ms: null, errorCount: 1 })).toContain('router_demo: 1 error, 2nd hour')
  })
})

describe('a line for people, in Japanese', () => {
  test.each([
    [
      'opened',
      hours('B B', at('20:00')),
      '警告 router_demo: p95 812 ms > 500 ms が2時間連続(20:00–22:00 UTC)、サンプル 4/4。',
    ],
    [
      'escalated',
      hours('B B B', at('20:00')),
      '重大 router_demo: p95 812 ms > 500 ms が3時間連続(20:00–23:00 UTC)、サンプル 4/4/4。',
    ],
    [
      'by errors',
      hours('E E', at('20:00')),
      '警告 router_demo: エラー 3 件 が2時間連続(20:00–22:00 UTC)、サンプル 1/1。',
    ],
    [
      'resolved',
      hours('B B R R'),
      '復旧 router_demo: p95 449 ms、正常が2時間連続(02:00–04:00 UTC)、サンプル 4/4。発報から2時間。',
    ],
    ['reminded', hours('B B B O O O O'), '重大 router_demo: 遅延の警報が5時間継続中。'],
    ['a gap', [gap(at('12:30')), gap(at('13:00'))], '重大 router_demo: データなし、欠測 2 回目(13:00 UTC まで)。'],
    [
      'thin windows',
      hours('I I I I'),
      '警告 router_demo: サンプル不足が4時間連続(00:00–04:00 UTC)、サンプル 1/1/1/1。',
    ],
    ['retired', hours('B B X'), '復旧 router_demo: 警報終了(the source is no longer in the plan)。発報から1時間。'],
    [
      'annotated',
      [...hours('B B B'), window('O', MONDAY, { revision: 1, decidedAt: at('03:30') })],
      '注記 router_demo: 遅れて届いたサンプルによる訂正(window 2026-06-22T00:00:00Z was breach, is ok since late samples (r1): p95 450 ms, 4 samples)。',
    ],
  ])('%s', (_, facts, line) => {
    expect(last(facts, 'ja')).toBe(line)
  })
})

test('windows and episodes shorter than a minute are told with seconds', () => {
  const [opened] = alertsOf(hours('B B', at('20:00')))
  const short = {
    ...opened!,
    openedAt: at('20:00') + 22_000,
    decidedAt: at('20:00') + 62_000,
    eventAt: at('20:00') + 20_000,
    evidence: opened!.evidence.map((one, i) => ({ ...one, key: `router_demo/2026-06-22T20:00:${i}0Z/r0` })),
  }
  expect(noticeLine(short, { locale: 'en', timeZone: 'UTC' })).toContain('(20:00:00–20:00:20 UTC)')
  expect(noticeLine({ ...short, kind: 'reminded' }, { locale: 'en', timeZone: 'UTC' })).toContain(
    'still open after 40 s.',
  )
  expect(noticeLine({ ...short, kind: 'reminded' }, { locale: 'ja', timeZone: 'UTC' })).toContain('40秒継続中')
})

test.each([
  [59_999, '59 s', '59秒'],
  [60_000, '1 min', '1分'],
  [119_999, '1 min', '1分'],
  [3_599_999, '59 min', '59分'],
  [3_600_000, '1 h', '1時間'],
  [3_659_999, '1 h', '1時間'],
  [7_259_000, '2 h', '2時間'],
  [91_860_000, '25 h 31 min', '25時間31分'],
])('%i ms are told as %s: what is not over is not counted', (ms, inEnglish, inJapanese) => {
  const [opened] = alertsOf(hours('B B', at('20:00')))
  const reminded = { ...opened!, kind: 'reminded' as const, decidedAt: opened!.openedAt + ms }
  expect(noticeLine(reminded, { locale: 'en', timeZone: 'UTC' })).toContain(`still open after ${inEnglish}.`)
  expect(noticeLine(reminded, { locale: 'ja', timeZone: 'UTC' })).toContain(`警報が${inJapanese}継続中。`)
})

test('a reminder says whether it is values or their lack that goes on', () => {
  const [silent] = alertsOf([gap(at('12:30'))])
  const reminded = { ...silent!, kind: 'reminded' as const, decidedAt: silent!.openedAt + 4 * HOUR_MS }
  expect(noticeLine(reminded, { locale: 'en', timeZone: 'UTC' })).toBe(
    'WARNING router_demo: no data, still open after 4 h.',
  )
  expect(noticeLine(reminded, { locale: 'ja', timeZone: 'UTC' })).toBe(
    '警告 router_demo: データなしの警報が4時間継続中。',
  )
})

test('windows of another length than an hour are counted as windows', () => {
  const halfHours = ['B', 'B', 'R', 'R'].map((letter, i) =>
    window(letter, at('20:00') + i * 30 * MINUTE_MS, { lengthMs: 30 * MINUTE_MS }),
  )
  const lines = (locale: 'en' | 'ja') =>
    alertsOf(halfHours).map((alert) => noticeLine(alert, { locale, timeZone: 'UTC' }))
  expect(lines('en')).toEqual([
    'WARNING router_demo: p95 812 ms > 500 ms, 2nd window running (20:00–21:00 UTC), n = 4/4.',
    'RESOLVED router_demo: p95 449 ms, 2nd good window running (21:00–22:00 UTC), n = 4/4; was open for 1 h.',
  ])
  expect(lines('ja')).toEqual([
    '警告 router_demo: p95 812 ms > 500 ms が2ウィンドウ連続(20:00–21:00 UTC)、サンプル 4/4。',
    '復旧 router_demo: p95 449 ms、正常が2ウィンドウ連続(21:00–22:00 UTC)、サンプル 4/4。発報から1時間。',
  ])
})

describe('the time of a reader elsewhere', () => {
  const [alert] = alertsOf(hours('B B B', at('20:00'))).slice(-1)
  const line = (locale: 'en' | 'ja', timeZone: string): string => noticeLine(alert!, { locale, timeZone })

  test('stands beside UTC in English, and in its place in Japanese', () => {
    expect(line('en', 'Asia/Tokyo')).toContain('3rd hour running (20:00–23:00 UTC, 05:00–08:00 JST), n = 4/4/4.')
    expect(line('ja', 'Asia/Tokyo')).toContain('が3時間連続(JST 05:00–08:00)、サンプル 4/4/4。')
  })

  test('that ends a period at midnight names no day', () => {
    const upToMidnight = alertsOf(hours('B B', at('13:00'))).at(-1)!
    const told = noticeLine(upToMidnight, { locale: 'en', timeZone: 'Asia/Tokyo' })
    expect(told).toContain('(13:00–15:00 UTC, 22:00–00:00 JST)')
  })

  test('names the days when they differ, and the offset where a zone has no name', () => {
    expect(line('en', 'Asia/Kathmandu')).toContain('01:45–04:45 +0545')
    expect(line('en', 'America/New_York')).toContain('16:00–19:00 EDT')
    expect(line('en', 'Europe/Berlin')).toContain('06-22 22:00 – 06-23 01:00 CEST'.replace(' – ', '–'))
  })
})
