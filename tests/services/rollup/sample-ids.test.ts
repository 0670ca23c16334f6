import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { SampleIds } from '#services/rollup/sample-ids.ts'
import { at } from './rolling.ts'

const START_AT = at('22:00')

function idsOf(samples: Iterable<readonly [offsetMs: number, ordinal: number]>): SampleIds {
  const ids = new SampleIds(START_AT)
  for (const [offsetMs, ordinal] of samples) ids.add(START_AT + offsetMs, ordinal)
  return ids
}

/** Instants mostly on a grid, some beside it, a few of another ordinal. */
const samples = fc.array(
  fc.tuple(
    fc.oneof(
      { weight: 4, arbitrary: fc.nat(300).map((slot) => slot * 1_000) },
      { weight: 1, arbitrary: fc.nat(3_599_999) },
    ),
    fc.constantFrom(0, 0, 0, 0, 1, 7),
  ),
  { maxLength: 900, size: 'max' },
)
const idOf = ([offsetMs, ordinal]: readonly [number, number]): string => `${offsetMs}.${ordinal}`

describe('a set of sample ids', () => {
  test('is exact: it takes each id once and knows what it holds', () => {
    fc.assert(
      fc.property(samples, samples, (added, asked) => {
        const plain = new Set<string>()
        const ids = new SampleIds(START_AT)
        for (const sample of added) {
          const isNew = !plain.has(idOf(sample))
          plain.add(idOf(sample))
          insist(ids.add(START_AT + sample[0], sample[1]) === isNew)
        }
        for (const sample of asked) insist(ids.has(START_AT + sample[0], sample[1]) === plain.has(idOf(sample)))
        const newest = Math.max(...added.map(([offsetMs]) => offsetMs))
        expect(ids.newestAt).toBe(added.length === 0 ? Number.NEGATIVE_INFINITY : START_AT + newest)
      }),
      { numRuns: 60 },
    )
  })

  test('writes runs that hold exactly its ids, the same for every order of adding', () => {
    fc.assert(
      fc.property(samples, (added) => {
        const runs = idsOf(added).runs()
        expect(idsOf(added.toSorted(([a], [b]) => a - b)).runs()).toEqual(runs)
        expect(idsOf(added.toReversed()).runs()).toEqual(runs)
        const written = runs.flatMap(({ firstAt, stepMs, count, ordinal }) =>
          Array.from({ length: count }, (_, i) => idOf([firstAt - START_AT + i * stepMs, ordinal])),
        )
        expect(written.toSorted()).toEqual([...new Set(added.map(idOf))].toSorted())
      }),
      { numRuns: 60 },
    )
  })

  test('is one run where slots are even, and two where one is missing', () => {
    const even = Array.from({ length: 3_600 }, (_, second) => [second * 1_000, 0] as const)
    expect(idsOf(even).runs()).toEqual([{ firstAt: START_AT, stepMs: 1_000, count: 3_600, ordinal: 0 }])
    expect(idsOf(even.filter(([offsetMs]) => offsetMs !== 7_000)).runs()).toEqual([
      { firstAt: START_AT, stepMs: 1_000, count: 7, ordinal: 0 },
      { firstAt: START_AT + 8_000, stepMs: 1_000, count: 3_592, ordinal: 0 },
    ])
  })

  test('gives a single id the step 0', () => {
    expect(idsOf([[5, 2]]).runs()).toEqual([{ firstAt: START_AT + 5, stepMs: 0, count: 1, ordinal: 2 }])
  })

  test('stays small and quick for a million ids in the worst order', () => {
    const ids = new SampleIds(START_AT)
    const size = 1_000_000
    for (let i = 0; i < size; i++) insist(ids.add(START_AT + ((i * 7_919) % 3_600_000), 0))
    for (let i = 0; i < size; i += 1_000) insist(!ids.add(START_AT + ((i * 7_919) % 3_600_000), 0))
  })
})

/** `expect` a million times would be all that takes time here. */
function insist(isTrue: boolean): void {
  if (!isTrue) throw new Error('the set and a plain one differ')
}
