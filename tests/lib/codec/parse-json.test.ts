import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { canonicalJson } from '#lib/codec/canonical-json.ts'
import { parseJson } from '#lib/codec/parse-json.ts'

function faultOf(text: string): string {
  try {
    parseJson(text, 'a.json')
  } catch (error) {
    expect(error).toMatchObject({ code: 'OBS_INPUT_INVALID' })
    return (error as Error).message
  }
  throw new Error(`${text} was read`)
}

test('what the platform reads, it reads alike', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 5 }), fc.constantFrom(undefined, 1, '\t'), (compact, indent) => {
      const text = JSON.stringify(JSON.parse(compact), null, indent)
      let value: unknown
      try {
        value = parseJson(text)
      } catch (error) {
        expect((error as Error).message).toMatch(/beyond 2\^53|__proto__/)
        return
      }
      expect(value).toEqual(JSON.parse(text))
      expect(() => canonicalJson(value)).not.toThrow()
    }),
  )
})

test('what the platform refuses, it refuses', () => {
  const pieces = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"a"',
    '"',
    '1',
    '-',
    '01',
    '1.',
    '.5',
    '1e',
    'true',
    'nul',
    ' ',
    '\\',
  )
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 8 }), (parts) => {
      const text = parts.join('')
      const refused = throws(() => JSON.parse(text))
      // The only things in this alphabet that we alone refuse.
      if (refused) expect(throws(() => parseJson(text))).toBe(true)
      else if (throws(() => parseJson(text))) expect(faultOf(text)).toMatch(/occurs twice|beyond 2\^53/)
    }),
    { numRuns: 3000 },
  )
})

function throws(action: () => unknown): boolean {
  try {
    action()
    return false
  } catch {
    return true
  }
}

describe('faults are named with line and column', () => {
  const faults: readonly [string, string, string][] = [
    ['a name twice', '{\n  "a": 1,\n  "b": 2,\n  "a": 3\n}', 'a.json, line 4, column 3: the name "a" occurs twice'],
    ['a name twice, once escaped', '{"a":1,"\\u0061":2}', 'line 1, column 8: the name "a" occurs twice'],
    ['__proto__', '{"a": {"__proto__": {"admin": true}}}', 'line 1, column 8: the name "__proto__" is not allowed'],
    ['__proto__, escaped', '{"__pro\\u0074o__": 1}', 'line 1, column 2: the name "__proto__"'],
    ['a lone surrogate', '["ok",\r\n "\\ud800"]', 'line 2, column 2: a string with a lone surrogate'],
    ['a lone surrogate in a name', '{"\\udc00": 1}', 'line 1, column 2: a string with a lone surrogate'],
    [
      'an integer beyond 2^53',
      '{"id": 9007199254740993}',
      'line 1, column 8: the number 9007199254740993 is beyond 2^53',
    ],
    ['a number beyond all', '[-1e999]', 'line 1, column 2: the number -1e999'],
    ['a missing comma', '{"a": 1 "b": 2}', 'line 1, column 9: expected "," or "}", found "\\""'],
    ['a comma too many', '[1,]', 'line 1, column 4: expected a value, found "]"'],
    ['a comma too many in an object', '{"a":1,}', 'line 1, column 8: expected a name in double quotes, found "}"'],
    ['a missing colon', '{"a" 1}', 'line 1, column 6: expected ":", found "1"'],
    ['an array that does not end', '[1,\n2', 'line 2, column 2: expected "," or "]", found the end'],
    ['a string that does not end', '{"a": "b', 'line 1, column 7: a string without its closing quote'],
    ['a string that ends in a backslash', '"\\"', 'line 1, column 1: a string without its closing quote'],
    ['a raw line break in a string', '["a\nb"]', 'line 1, column 2: a string with an escape'],
    ['a wrong escape', '["\\x41"]', 'line 1, column 2: a string with an escape'],
    ['a byte order mark', '\ufeff{}', 'line 1, column 1: expected a value'],
    ['a comment', '{} // end', 'line 1, column 4: "/" after the end of the value'],
    ['nothing', '', 'line 1, column 1: expected a value, found the end'],
    ['NaN', '[NaN]', 'line 1, column 2: expected a value, found "N"'],
    ['a leading zero', '01', 'line 1, column 2: "1" after the end'],
  ]

  test.each(faults)('%s', (_, text, message) => {
    expect(faultOf(text)).toContain(message)
  })

  test('nesting that would exhaust the stack', () => {
    expect(faultOf('['.repeat(100_000))).toContain('line 1, column 513: nested deeper than 512')
    expect(() => parseJson(`${'['.repeat(512)}${']'.repeat(512)}`)).not.toThrow()
    expect(parseJson(`[${'[],'.repeat(999)}[]]`)).toHaveLength(1000)
  })
})

test('names that objects inherit are names like any other', () => {
  const value = parseJson('{"constructor": 1, "toString": 2, "hasOwnProperty": 3}')
  expect(Object.entries(value as object)).toEqual([
    ['constructor', 1],
    ['toString', 2],
    ['hasOwnProperty', 3],
  ])
})

test('a megabyte in one string is read', () => {
  const long = 'ä"\\'.repeat(300_000)
  expect(parseJson(JSON.stringify({ long }))).toEqual({ long })
})
