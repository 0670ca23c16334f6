import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { canonicalJson } from '#lib/codec/canonical-json.ts'
import { parseJson } from '#lib/codec/parse-json.ts'

/** RFC 8785, appendix B: the bits of a double and its text. */
const numbers: readonly [string, string][] = [
  ['0000000000000000', '0'],
  ['8000000000000000', '0'],
  ['0000000000000001', '5e-324'],
  ['8000000000000001', '-5e-324'],
  ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
  ['3eb0c6f7a0b5ed8d', '0.000001'],
  ['41b3de4355555553', '333333333.3333332'],
  ['41b3de4355555554', '333333333.33333325'],
  ['41b3de4355555555', '333333333.3333333'],
  ['41b3de4355555556', '333333333.3333334'],
  ['41b3de4355555557', '333333333.33333343'],
  ['becbf647612f3696', '-0.0000033333333333333333'],
  ['43143ff3c1cb0959', '1424953923781206.2'],
]

/** The rest of that table: integers beyond 2^53, which we refuse, and what is no number. */
const refusedNumbers: readonly string[] = [
  '7fefffffffffffff',
  'ffefffffffffffff',
  '4340000000000000',
  'c340000000000000',
  '4430000000000000',
  '44b52d02c7e14af5',
  '44b52d02c7e14af6',
  '44b52d02c7e14af7',
  '444b1ae4d6e2ef4e',
  '444b1ae4d6e2ef4f',
  '444b1ae4d6e2ef50',
  '7fffffffffffffff',
  '7ff0000000000000',
]

function double(bits: string): number {
  return Buffer.from(bits, 'hex').readDoubleBE()
}

describe('the vectors of RFC 8785', () => {
  test.each(numbers)('the double %s is %s', (bits, text) => {
    expect(canonicalJson(double(bits))).toBe(text)
  })

  test.each(refusedNumbers)('the double %s has no exact integer or is no number: refused', (bits) => {
    expect(() => canonicalJson(double(bits))).toThrow(TypeError)
  })

  test('section 3.2.2: literals, numbers and strings, but for its 1E30', () => {
    const input = String.raw`{
      "numbers": [333333333.33333329, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }`
    expect(canonicalJson(parseJson(input))).toBe(
      String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
    )
  })

  test('section 3.2.3: members sorted by UTF-16 code units', () => {
    const input = String.raw`{
      "\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One",
      "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control", "\u00f6": "Latin Small Letter O With Diaeresis"
    }`
    expect(Object.values(JSON.parse(canonicalJson(parseJson(input))))).toEqual([
      // `1` comes first here because JSON.parse puts integer names first.
      'One',
      'Carriage Return',
      'Control',
      'Latin Small Letter O With Diaeresis',
      'Euro Sign',
      'Emoji: Grinning Face',
      'Hebrew Letter Dalet With Dagesh',
    ])
    expect(canonicalJson(parseJson(input)).startsWith('{"\\r":"Carriage Return","1":"One"')).toBe(true)
  })

  const published: readonly [string, string, string][] = [
    ['arrays', '[56, {"d": true, "10": null, "1": [ ]}]', '[56,{"1":[],"10":null,"d":true}]'],
    [
      'structures',
      '{"1": {"f": {"f": "hi","F": 5} ,"\\n": 56.0}, "10": { }, "": "empty", "a": { }, "111": [ { } ], "A": { }}',
      '{"":"empty","1":{"\\n":56,"f":{"F":5,"f":"hi"}},"10":{},"111":[{}],"A":{},"a":{}}',
    ],
    ['unicode, not normalised', '{"Unnormalized Unicode":"A\\u030a"}', '{"Unnormalized Unicode":"A\u030a"}'],
    ['french, no locale', '{"pêche": 1, "péché": 2, "peach": 3, "sin": 4}', '{"peach":3,"péché":2,"pêche":1,"sin":4}'],
    [
      'weird',
      '{"\\u20ac": 1, "1": 2, "\\u0080": "Control\\u007f", "\\ud83d\\ude02": 3, "\\u00f6": 4, "\\ufb33": 5, "</script>": 6}',
      '{"1":2,"</script>":6,"\u0080":"Control\u007f","ö":4,"€":1,"😂":3,"\ufb33":5}',
    ],
  ]

  test.each(published)('the reference test data: %s', (_, input, output) => {
    expect(canonicalJson(parseJson(input))).toBe(output)
  })
})

describe('what has no exact JSON is refused, and the message names the place', () => {
  const circle: { self?: unknown } = {}
  circle.self = circle
  const cases: readonly [string, unknown, string][] = [
    ['NaN', { a: [1, Number.NaN] }, 'a.1: NaN'],
    ['infinity', Number.NEGATIVE_INFINITY, 'the value: -Infinity'],
    ['2^53, which 2^53 + 1 also reads as', { n: 2 ** 53 }, 'n: 9007199254740992 is an integer beyond 2^53'],
    ['a lone surrogate', ['\ud800'], '0: "\\ud800" holds a lone surrogate'],
    ['a lone surrogate in a name', { a: { '\udfff': 1 } }, 'a: "\\udfff"'],
    ['undefined', { a: undefined }, 'a: undefined'],
    ['a hole', new Array(2), '0: undefined'],
    ['a function', { a: () => 1 }, 'a: function'],
    ['a bigint', 1n, 'the value: bigint'],
    ['a symbol', { a: Symbol('a') }, 'a: symbol'],
    ['a date', { a: new Date(0) }, 'a: Date is not a plain object'],
    ['a map', new Map(), 'Map is not'],
    ['a buffer', { a: Buffer.from('a') }, 'is not a plain object'],
    ['a circle', circle, 'nested deeper than 512, or in a circle'],
  ]

  test.each(cases)('%s', (_, value, message) => {
    expect(() => canonicalJson(value)).toThrow(TypeError)
    expect(() => canonicalJson(value)).toThrow(message)
  })

  test('the largest exact integers are not', () => {
    expect(canonicalJson([2 ** 53 - 1, 1 - 2 ** 53])).toBe('[9007199254740991,-9007199254740991]')
  })
})

test('the order of members makes no difference, and reading it back gives the value', () => {
  const value = fc.jsonValue({ maxDepth: 4, depthSize: 'small' }).filter(isExact)
  fc.assert(
    fc.property(value, (json) => {
      const text = canonicalJson(json)
      expect(canonicalJson(reversed(json))).toBe(text)
      expect(canonicalJson(parseJson(text))).toBe(text)
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(json)))
    }),
  )
})

/** Without the integers and names that we refuse. */
function isExact(value: unknown): boolean {
  if (typeof value === 'number') return !Number.isInteger(value) || Number.isSafeInteger(value)
  if (typeof value !== 'object' || value === null) return true
  return Object.entries(value).every(([name, member]) => name !== '__proto__' && isExact(member))
}

function reversed(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(reversed)
  const members = Object.entries(value).map(([name, member]) => [name, reversed(member)])
  return Object.fromEntries(members.toReversed())
}
