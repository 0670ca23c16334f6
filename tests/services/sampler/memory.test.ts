import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { SampleFact } from '#lib/facts.ts'
import { HOUR_MS, MINUTE_MS } from '#lib/time.ts'
import type { CsvCursor } from '#services/sampler/csv-cursor.ts'
import { cursorHeader, cursorsIn } from '#services/sampler/csv-cursor.ts'
import type { OwnRecord, SamplerMemory } from '#services/sampler/memory.ts'
import { copyMemory, emptyMemory, oldestNeeded, remember } from '#services/sampler/memory.ts'
import { skippedSample } from '#services/sampler/sample.ts'
import { at } from './desk.ts'

const cursor: CsvCursor = { offset: 120, line: 3, print: 'abc', newest: { at: 5, count: 2 } }
const tick = (instant: number): Pick<OwnRecord, 'key' | 'value'> => ({
  key: '',
  value: { type: 'tick', at: instant, plan: 'p' } satisfies SampleFact,
})
const sample = (source: string, slotAt: number): Pick<OwnRecord, 'key' | 'value'> => ({
  key: source,
  value: skippedSample(slotAt, slotAt),
})

function fold(
  records: readonly (Pick<OwnRecord, 'key' | 'value'> & Partial<OwnRecord>)[],
  from = 0,
  memory = emptyMemory(),
): SamplerMemory {
  for (const [i, record] of records.entries()) if (i >= from) remember(memory, { offset: i, cursors: [], ...record })
  return memory
}

describe('the memory of the sampler', () => {
  test('holds the largest tick, the latest slot of each source and the cursors', () => {
    const memory = fold([
      tick(at('22:00')),
      sample('a', at('22:00')),
      { ...sample('b', at('21:00')), cursors: [['b', cursor]] },
      sample('a', at('21:45')),
      tick(at('21:59')),
    ])
    expect(memory.lastTick).toEqual({ at: at('22:00'), plan: 'p', offset: 0 })
    expect(memory.slots.get('a')?.value).toBe(at('22:00'))
    expect(memory.cursors.get('b')?.value).toEqual(cursor)
    expect(oldestNeeded(memory)).toBe(0)
  })

  test('rests on nothing when it is empty, and on a copy of the last tick rather than on the tick', () => {
    expect(oldestNeeded(emptyMemory())).toBeNull()
    expect(oldestNeeded(fold([tick(at('22:00')), tick(at('22:00'))]))).toBe(1)
  })

  test('forgets what nothing has repeated for 25 hours, so that the mark moves on', () => {
    const records = [tick(at('22:00')), { ...sample('gone', at('22:00')), cursors: [['gone', cursor] as const] }]
    const ticks = Array.from({ length: 27 * 60 }, (_, i) => tick(at('22:00') + (i + 1) * MINUTE_MS))
    expect(fold([...records, ...ticks.slice(0, 24 * 60)]).cursors.size).toBe(1)
    const memory = fold([...records, ...ticks])
    expect([memory.slots.size, memory.cursors.size, oldestNeeded(memory)]).toEqual([0, 0, 27 * 60 + 1])
  })

  test('does not forget what was written before the first tick ever', () => {
    const memory = fold([
      { ...sample('a', at('21:59')), cursors: [['a', cursor]] },
      tick(at('22:59')),
      tick(at('23:00')),
    ])
    expect([...memory.cursors.keys()]).toEqual(['a'])
  })

  test('a copy stays as it is', () => {
    const memory = fold([tick(at('22:00')), sample('a', at('22:00'))])
    const copy = copyMemory(memory)
    fold([tick(at('23:00')), sample('b', at('23:00'))], 0, memory)
    expect([copy.lastTick?.at, copy.slots.size]).toEqual([at('22:00'), 1])
  })

  test('restored from its mark at any point, it is the same as folded from the start', () => {
    const step = fc.record({
      minutes: fc.integer({ min: 0, max: 300 }),
      source: fc.constantFrom('a', 'b', 'c', ''),
      hasCursor: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.nat(60), (steps, cut) => {
        let now = at('00:00')
        const records = steps.map(({ minutes, source, hasCursor }, i) => {
          if (source === '') now += minutes * MINUTE_MS
          const record = source === '' ? tick(now) : sample(source, now - (now % HOUR_MS))
          return { ...record, cursors: hasCursor ? [['b', { ...cursor, offset: i }] as const] : [] }
        })
        const before = fold(records.slice(0, cut))
        const restored = fold(records, oldestNeeded(before) ?? 0)
        expect(facts(restored)).toEqual(facts(fold(records)))
      }),
    )
  })
})

/** What decides anything; when something was repeated last may be known less exactly after a restart. */
function facts({ lastTick, slots, cursors }: SamplerMemory): unknown {
  const values = (known: ReadonlyMap<string, { value: unknown; offset: number }>) =>
    [...known].map(([source, { value, offset }]) => [source, value, offset]).toSorted()
  return { lastTick, slots: values(slots), cursors: values(cursors) }
}

describe('the header of a cursor', () => {
  test('gives back what was written', () => {
    expect([...cursorsIn([cursorHeader('口座_α', cursor), { name: 'other', value: Buffer.from('x') }])]).toEqual([
      ['口座_α', cursor],
    ])
  })

  test.each([
    '',
    'x',
    '[]',
    'null',
    '{"source":"a"}',
    '{"source":"a","offset":-1,"line":0,"print":"","newest":null}',
    '{"source":"a","offset":1,"line":0,"print":"","newest":{"at":"x","count":1}}',
  ])('that cannot be read is left out: %s', (text) => {
    expect([...cursorsIn([{ name: 'obs-csv-cursor', value: Buffer.from(text) }])]).toEqual([])
  })
})
