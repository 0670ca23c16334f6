import { describe, expect, test } from '@jest/globals'
import { noticeLine } from '#services/alerter/notice.ts'
import { alertsOf, at, gap, hours, inOrder, MONDAY, plan, rule, type Written, window } from './desk.ts'

const last = (facts: readonly Written[], locale: 'en' | 'ja' = 'en'): string =>
  noticeLine(alertsOf(facts).at(-1)!, locale)

describe('a line for people, in English', () => {
  test.each([
    [
      'opened',
      hours('B B', at('20:00')),
      'WARNING router_demo: p95 812 ms > 500 ms, 2nd window running (20:00–22:00 UTC), n = 4/4.',
    ],
    [
      'escalated',
      hours('B B B', at('20:00')),
      'CRITICAL router_demo: p95 812 ms > 500 ms, 3rd window running (20:00–23:00 UTC), n = 4/4/4.',
    ],
    [
      'by errors',
      hours('B E', at('20:00')),
      'WARNING router_demo: 3 errors, 2nd window running (20:00–22:00 UTC), n = 4/1.',
    ],
    [
      'over midnight',
      hours('B B B', at('22:00')),
      'CRITICAL router_demo: p95 812 ms > 500 ms, 3rd window running (06-22 22:00 – 06-23 01:00 UTC), n = 4/4/4.',
    ],
    [
      'up to midnight',
      hours('B B', at('22:00')),
      'WARNING router_demo: p95 812 ms > 500 ms, 2nd window running (22:00–00:00 UTC), n = 4/4.',
    ],
    [
      'resolved',
      hours('B B R R'),
      'RESOLVED router_demo: p95 449 ms, 2nd good window running (02:00–04:00 UTC), n = 4/4; was open for 2 h.',
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
      'WARNING router_demo: no data, samples are missing: 2 expected slots without a sample since 2026-06-22T12:15:00Z.',
    ],
    [
      'thin windows',
      hours('I I I I'),
      'WARNING router_demo: no data, 4 windows in a row with too few samples, up to 3 are let pass.',
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

  test('counts windows as English does', () => {
    const only = (count: number) => {
      const patient = plan({ rules: [rule({ warningAfter: count, criticalAfter: count + 1 })] })
      return last(hours(Array(count).fill('B').join(' '), MONDAY, { plan: patient }))
    }
    expect(
      [1, 2, 3, 4, 11, 12, 13, 21, 22, 23].map((count) => /\d+(st|nd|rd|th) window/.exec(only(count))?.[0]),
    ).toEqual([
      '1st window',
      '2nd window',
      '3rd window',
      '4th window',
      '11th window',
      '12th window',
      '13th window',
      '21st window',
      '22nd window',
      '23rd window',
    ])
  })

  test('an alert that a late revision of an earlier window opens still names the whole period', () => {
    const facts = [...hours('B I', at('20:00')), window('B', at('21:00'), { revision: 1, decidedAt: at('22:40') })]
    expect(last(facts)).toContain('(20:00–22:00 UTC)')
  })
})

describe('a line for people, in Japanese', () => {
  test.each([
    [
      'opened',
      hours('B B', at('20:00')),
      '警告 router_demo: p95 812 ms > 500 ms が2ウィンドウ連続(20:00–22:00 UTC)、サンプル 4/4。',
    ],
    [
      'escalated',
      hours('B B B', at('20:00')),
      '重大 router_demo: p95 812 ms > 500 ms が3ウィンドウ連続(20:00–23:00 UTC)、サンプル 4/4/4。',
    ],
    [
      'by errors',
      hours('E E', at('20:00')),
      '警告 router_demo: エラー 3 件 が2ウィンドウ連続(20:00–22:00 UTC)、サンプル 1/1。',
    ],
    [
      'resolved',
      hours('B B R R'),
      '復旧 router_demo: p95 449 ms、正常が2ウィンドウ連続(02:00–04:00 UTC)、サンプル 4/4。発報から2時間。',
    ],
    ['reminded', hours('B B B O O O O'), '重大 router_demo: 遅延の警報が5時間継続中。'],
    ['a gap', [gap(at('12:30')), gap(at('13:00'))], '重大 router_demo: データなし、欠測 2 回目(13:00 UTC まで)。'],
    [
      'thin windows',
      hours('I I I I'),
      '警告 router_demo: サンプル不足が4ウィンドウ連続(00:00–04:00 UTC)、サンプル 1/1/1/1。',
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
  expect(noticeLine(short, 'en')).toContain('(20:00–20:00:20 UTC)')
  expect(noticeLine({ ...short, kind: 'reminded' }, 'en')).toContain('still open after 40 s.')
  expect(noticeLine({ ...short, kind: 'reminded' }, 'ja')).toContain('40秒継続中')
})
