import { expect, test } from '@jest/globals'
import { SourceNames } from '#services/rollup/source-names.ts'

/** The number of a key, looked for in the middle of other bytes. */
function numberOf(names: SourceNames, key: string): number {
  const bytes = Buffer.from(`<${key}>`)
  return names.numberOf(bytes, 1, bytes.length - 2)
}

test('names get numbers from 1 and keep them, however many follow', () => {
  const names = new SourceNames()
  const keys = Array.from({ length: 20_000 }, (_, i) => (i % 3 === 0 ? `α${i}` : `router_${i}`))
  expect(keys.map((key) => numberOf(names, key))).toEqual(keys.map((_, i) => i + 1))
  expect(keys.map((key) => names.idOf(numberOf(names, key)))).toEqual(keys)
})

test('a key that is no source has a number and no id', () => {
  const names = new SourceNames()
  expect(names.idOf(numberOf(names, 'a/b'))).toBeNull()
  expect(names.idOf(numberOf(names, 'a'))).toBe('a')
  expect(numberOf(names, 'a/b')).toBe(1)
})

test('keys that are never seen again take no memory for ever: at the 65,536th all get new numbers', () => {
  const names = new SourceNames()
  const numbers = Array.from({ length: 200_000 }, (_, i) => numberOf(names, `k${i}`))
  expect(Math.max(...numbers.slice(0, 1_000))).toBe(1_000)
  expect(numbers.reduce((most, number) => Math.max(most, number), 0)).toBe(65_536)
  expect(names.idOf(numberOf(names, 'k199999'))).toBe('k199999')
  expect(names.idOf(numberOf(names, 'k0'))).toBe('k0')
})
