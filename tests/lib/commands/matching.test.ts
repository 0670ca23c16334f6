import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { parseMatchers } from '#lib/commands/matchers.ts'
import { alertLabels, compileMatchers, type Labels, refuseAllMatching } from '#lib/commands/matching.ts'

const fits = (text: string, labels: Labels): boolean => compileMatchers(parseMatchers(text))(labels)

const alert: Labels = alertLabels(
  {
    alertId: 'breach/p95/router_demo/2026',
    about: 'breach',
    severity: 'critical',
    ruleId: 'p95',
    source: 'router_demo',
  },
  { desk: 'fx', team: '', source: 'hidden' },
)

describe('an alert', () => {
  test('shows the labels of its source, and its own before them', () => {
    expect(alert).toEqual({
      ...{ desk: 'fx', team: '', source: 'router_demo', rule: 'p95', severity: 'critical', about: 'breach' },
      alert_id: 'breach/p95/router_demo/2026',
    })
  })

  test.each([
    ['source=router_demo', true],
    ['source=router', false],
    ['source!=router', true],
    ['source!=router_demo', false],
    ['source=~router.*', true],
    ['source=~router', false],
    ['source=~"outer_demo"', false],
    ['source=~"a|router_demo|b"', true],
    ['source=~"x|router"', false],
    ['source=~"(?i)ROUTER_DEMO"', true],
    ['source!~router.*', false],
    ['source!~router', true],
    ['rule=p95 severity=critical about=breach desk=fx', true],
    ['rule=p95 severity=warning', false],
    ['alert_id=~"breach/.*"', true],
  ])('%s: %s', (text, expected) => {
    expect(fits(text, alert)).toBe(expected)
  })
})

test.each([
  ['region=', true],
  ['region!=""', false],
  ['region=~".*"', true],
  ['region=~".+"', false],
  ['region!=tokyo', true],
  ['region!~tokyo', true],
  ['team=', true],
  ['constructor=', true],
  ['__proto__=""', true],
  ['toString=~".+"', false],
])('a label that is not there is the empty string: %s: %s', (text, expected) => {
  expect(fits(text, alert)).toBe(expected)
})

test('a dot is any character but a line feed, and the end is the end', () => {
  expect(fits('desk=~"a.b"', { desk: 'a\nb' })).toBe(false)
  expect(fits('desk=~"a$"', { desk: 'a\n' })).toBe(false)
  expect(fits('desk=~"."', { desk: '😂' })).toBe(true)
})

test('no expression hangs the process, whatever it is compared with', () => {
  const label = `${'a'.repeat(100_000)}!`
  const started = performance.now()
  for (const expression of ['(a+)+', '(a|aa)+', '(a*)*b', '(.*.*.*.*.*)x', '(a?){500}a{500}'])
    expect(compileMatchers([{ name: 'desk', op: 'regex', value: expression }])({ desk: label })).toBe(false)
  expect(performance.now() - started).toBeLessThan(5_000)
})

test('matchers that cannot be understood hold back nothing, and neither do none', () => {
  const unreadable = { name: 'source', op: 'not_regex', value: '(' } as const
  expect(compileMatchers([unreadable])(alert)).toBe(false)
  expect(compileMatchers([{ name: 'source', op: 'equal', value: 'router_demo' }, unreadable])(alert)).toBe(false)
  const tooLarge = { name: 'source', op: 'not_regex', value: '(.{1000})'.repeat(6) } as const
  expect(compileMatchers([tooLarge])(alert)).toBe(false)
  expect(compileMatchers([])(alert)).toBe(false)
})

describe('what would silence everything', () => {
  test.each(['source=~".*"', 'severity!=critical', 'source=~"x?" desk!~"a"', 'region='])('%s is refused', (text) => {
    expect(() => refuseAllMatching(parseMatchers(text), text)).toThrow(
      expect.objectContaining({ code: 'OBS_MATCHER_INVALID', message: expect.stringContaining(`source=~".+"`) }),
    )
  })

  test.each(['source=~".+"', 'severity!=critical source=a', 'source=a'])('%s is not', (text) => {
    expect(() => refuseAllMatching(parseMatchers(text), text)).not.toThrow()
  })
})

test('= and != are opposites, =~ and !~ too, and equality is a regular expression without signs', () => {
  const word = fc.stringMatching(/^[a-z_]{0,4}$/)
  fc.assert(
    fc.property(word, word, (value, actual) => {
      const one = (op: 'equal' | 'not_equal' | 'regex' | 'not_regex'): boolean =>
        compileMatchers([{ name: 'desk', op, value }])({ desk: actual })
      expect(one('equal')).toBe(value === actual)
      expect([one('not_equal'), one('regex'), one('not_regex')]).toEqual([
        value !== actual,
        value === actual,
        value !== actual,
      ])
    }),
  )
})
