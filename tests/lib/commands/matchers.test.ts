import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { formatMatchers, MAX_MATCHERS_CHARACTERS, parseMatchers } from '#lib/commands/matchers.ts'
import { isObstreamError } from '#lib/errors.ts'
import type { Matcher, MatchOp } from '#lib/facts.ts'
import { alertmanagerCases } from './alertmanager-cases.ts'

const m = (name: string, op: MatchOp, value: string): Matcher => ({ name, op, value })

const QUOTE = `She said: "Hi, ladies! That's gender-neutral…"`

function messageOf(text: string): string {
  try {
    parseMatchers(text)
  } catch (error) {
    if (isObstreamError(error, 'OBS_MATCHER_INVALID')) return error.message
    throw error
  }
  throw new Error(`${text} was read`)
}

describe("Alertmanager's own cases", () => {
  test.each(alertmanagerCases)('%j is read as there, or refused: never as something else', (text, there) => {
    let here: readonly Matcher[] | null = null
    try {
      here = parseMatchers(text)
    } catch (error) {
      if (!isObstreamError(error, 'OBS_MATCHER_INVALID')) throw error
    }
    if (here !== null) expect(here).toEqual(there)
  })

  const bums = [m('foo', 'equal', 'bar'), m('dings', 'not_equal', 'bums')]
  test.each([
    ['{foo = "bar", dings != "bums", }', bums],
    ['foo=bar,dings!=bums', bums],
    ['foo=bar, dings!=bums', bums],
    [`{quote="She said: \\"Hi, ladies! That's gender-neutral…\\""}`, [m('quote', 'equal', QUOTE)]],
    ['statuscode=~"5.."', [m('statuscode', 'regex', '5..')]],
  ])('%j of its documentation is read', (text, matchers) => {
    expect(parseMatchers(text)).toEqual(matchers)
  })
})

describe('several matchers', () => {
  const two = [m('source', 'regex', 'router.*'), m('severity', 'equal', 'critical')]
  test.each([
    'source=~"router.*",severity="critical"',
    'source=~router.* severity=critical',
    'source =~ "router.*" , severity = critical',
    '{source=~router.*,severity=critical}',
    ' { source=~"router.*" severity="critical" , } ',
    'source=~router.*\n\tseverity=critical',
  ])('%j', (text) => {
    expect(parseMatchers(text)).toEqual(two)
  })

  test('a space ends a bare value, not one in quotes', () => {
    expect(parseMatchers('desk="fx spot" about=no_data')).toEqual([
      m('desk', 'equal', 'fx spot'),
      m('about', 'equal', 'no_data'),
    ])
  })

  test('an empty value stands for a label that is not there', () => {
    expect(parseMatchers('desk=,team="" x!=')).toEqual([
      m('desk', 'equal', ''),
      m('team', 'equal', ''),
      m('x', 'not_equal', ''),
    ])
  })
})

describe('what cannot be read says where, what, and what to write instead', () => {
  test.each([
    ['', 1, 'there is no matcher; write for example source=~"router.*"'],
    ['{}', 3, 'there is no matcher'],
    ['{source=a} b=c', 12, 'nothing may follow the closing brace'],
    ['{source=a', 10, 'the brace is not closed; write }'],
    ['source', 7, 'source has no operator; write source="…"'],
    ['source=a critical', 18, 'critical has no operator; write critical="…", or quotes around a value with spaces'],
    ['my-desk=fx', 3, 'my is not followed by an operator; names hold letters, digits, _ and : only'],
    ['=a', 1, 'a label name should begin here'],
    ['"source"=a', 1, 'a label name should begin here'],
    ['口座=a', 1, 'a label name should begin here'],
    ['a=b,,c=d', 5, 'a label name should begin here'],
    [',', 1, 'a label name should begin here'],
    ['source==a', 7, '== is no operator; write source="…"'],
    ['source~a', 7, '~ is no operator; write source=~"…"'],
    ['source<>a', 7, '<> is no operator; write source!="…"'],
    ['source=~~a', 7, '=~~ is no operator; write one of = != =~ !~'],
    ['source="a', 8, 'the quotes are not closed; write source="a"'],
    ['{source=~"a.*}', 10, 'the quotes are not closed; write source=~"a.*"'],
    ['source="a"b', 11, 'the value ends before this; write a comma or a space between matchers'],
    ["source='a'", 8, `' may not stand in a value without quotes; write source="a"`],
    ['source=a"b', 9, '" may not stand in a value without quotes; write source="a\\"b"'],
    ['source=~a{2}', 10, '{ may not stand in a value without quotes; write source=~"a{2}"'],
    ['source=a}', 9, '} may not stand in a value without quotes; write source="a}"'],
    ['source= desk=fx', 13, '= may not stand in a value without quotes; write source="desk=fx"'],
    ['desk="😂" source=~"["', 18, '"[" is no regular expression that RE2 reads (missing closing ]: `[`)'],
    ['source=~"a(?=b)"', 9, 'there are no lookarounds and no back references'],
    ['source!~(a)\\1', 9, '"(a)\\\\1" is no regular expression that RE2 reads'],
    ['source=~"(a{1000}){1000}"', 9, 'invalid repeat count'],
    ['source=~"(.{1000})(.{1000})(.{1000})(.{1000})(.{1000})"', 9, 'its counts make 50'],
  ])('%j at %i', (text, place, words) => {
    const message = messageOf(text)
    expect(message).toContain(`in the matchers \`${text}\`, character ${place}: `)
    expect(message).toContain(words)
  })

  test('of long text it shows what lies around the place', () => {
    const names = (prefix: string): string => Array.from({ length: 40 }, (_, i) => `${prefix}${i}=x`).join(' ')
    const message = messageOf(`${names('a')} b==c ${names('d')}`)
    expect(message).toMatch(/^in the matchers `….* a39=x b==c d0=x .*…`, character 232: == is no operator/)
    expect(message.length).toBeLessThan(300)
  })

  test('text beyond all measure is refused unread', () => {
    const longest = `a="${'x'.repeat(MAX_MATCHERS_CHARACTERS - 4)}"`
    expect(parseMatchers(longest)).toHaveLength(1)
    expect(messageOf(`${longest} `)).toBe(`the matchers have 4097 characters; at most 4096 are read`)
  })
})

describe('properties', () => {
  const anyMatcher: fc.Arbitrary<Matcher> = fc.oneof(
    fc.record({
      name: fc.stringMatching(/^[a-zA-Z_:][a-zA-Z0-9_:]{0,10}$/),
      op: fc.constantFrom<MatchOp>('equal', 'not_equal'),
      value: fc.oneof(fc.string({ unit: 'binary', maxLength: 20 }), fc.stringMatching(/^["\\n,{}=~! ]{0,12}$/)),
    }),
    fc.record({
      name: fc.constantFrom('source', 'rule', 'constructor'),
      op: fc.constantFrom<MatchOp>('regex', 'not_regex'),
      value: fc.constantFrom('router.*', 'a|b', '', '\\w+\\\\', '(?i)x"y', 'a{2,3}', '口座_.'),
    }),
  )

  test('what is written is read back', () => {
    fc.assert(
      fc.property(fc.array(anyMatcher, { minLength: 1, maxLength: 5 }), (matchers) => {
        expect(parseMatchers(formatMatchers(matchers))).toEqual(matchers)
        expect(parseMatchers(`{${formatMatchers(matchers)},}`)).toEqual(matchers)
      }),
    )
  })

  test('any text is read or refused with a place, and quickly', () => {
    const pieces = fc.constantFrom(
      'a',
      'source',
      '=',
      '!=',
      '=~',
      '!~',
      '"',
      '\\',
      ',',
      ' ',
      '{',
      '}',
      '(',
      '*',
      "'",
      '1',
    )
    const texts = fc.oneof(
      fc.array(pieces, { maxLength: 30 }).map((all) => all.join('')),
      fc.string({ unit: 'binary' }),
    )
    fc.assert(
      fc.property(texts, (text) => {
        try {
          expect(parseMatchers(text).length).toBeGreaterThan(0)
        } catch (error) {
          if (!isObstreamError(error, 'OBS_MATCHER_INVALID')) throw error
          expect(error.message).toMatch(/, character \d+: /)
        }
      }),
      { numRuns: 2_000 },
    )
  })
})
