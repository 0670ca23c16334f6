import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { timeOrderedId } from '#lib/runtime/ids.ts'

test('the id of a command is a UUID of version 7 that begins with its instant', () => {
  expect(timeOrderedId(0x0192_3456_789a)).toMatch(/^01923456-789a-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
})

test('ids sort by their instant and never come twice', () => {
  const instants = fc.integer({ min: 0, max: 2 ** 48 - 1 })
  fc.assert(
    fc.property(instants, instants, (a, b) => {
      fc.pre(a < b)
      expect(timeOrderedId(a) < timeOrderedId(b)).toBe(true)
    }),
  )
  expect(new Set(Array.from({ length: 1_000 }, () => timeOrderedId(1))).size).toBe(1_000)
})
