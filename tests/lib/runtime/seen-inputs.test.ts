import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { type Cause, compareCauses } from '#lib/cause.ts'
import { SeenInputs } from '#lib/runtime/seen-inputs.ts'

interface Input {
  readonly cause: Cause
  readonly offset: number
}

/** Causes ascend; offsets mostly do, but compaction has moved some records. */
const inputs: fc.Arbitrary<readonly Input[]> = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 0, max: 9 })), { minLength: 1, maxLength: 60 })
  .map((steps) => {
    let tick = 0
    return steps.map(([distance, moved], i) => {
      tick += distance
      return { cause: [tick, 0], offset: moved === 9 ? i + 30 : i }
    })
  })

test.each([
  { most: 4, what: 'when there are many, starts at or before the mark with the floor and the offset of that place' },
  { most: 1_000, what: 'when there are few, starts at the mark exactly' },
])('a restart, $what', ({ most }) => {
  fc.assert(
    fc.property(inputs, fc.nat(), (all, place) => {
      const seen = new SeenInputs([0, 0], most)
      for (const { cause, offset } of all) seen.add(cause, offset)
      const needed = all[place % all.length]!.cause
      const mark = seen.forgetBefore(needed)
      expect(compareCauses(mark, needed)).toBeLessThanOrEqual(0)
      if (most >= all.length) expect(mark).toEqual(needed)
      const before = all.filter(({ cause }) => compareCauses(cause, mark) < 0)
      const from = all.filter(({ cause }) => compareCauses(cause, mark) >= 0)
      expect(seen.floor).toEqual(before.at(-1)?.cause ?? [0, 0])
      expect(seen.offset(1_000)).toBe(Math.min(...from.map(({ offset }) => offset)))
    }),
    { numRuns: 300 },
  )
})

test('of a million inputs it starts no more than a few hundred too early', () => {
  const seen = new SeenInputs(null)
  for (let i = 0; i < 1_000_000; i++) seen.add([i, 0], i)
  const [start] = seen.forgetBefore([600_000, 0])
  expect(start).toBeGreaterThan(600_000 - 300)
  expect(seen.offset(1_000_000)).toBe(start)
})

test('when all is before the mark, the newest cause is the floor and reading goes on at the next offset', () => {
  const seen = new SeenInputs(null)
  seen.add([1, 0], 5)
  expect(seen.forgetBefore([2, 0])).toEqual([2, 0])
  expect(seen.floor).toEqual([1, 0])
  expect(seen.offset(6)).toBe(6)
})
