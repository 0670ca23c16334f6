import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { type Due, DueQueue } from '#services/rollup/due-queue.ts'

const times = fc.oneof(fc.nat(40), fc.constant(Number.POSITIVE_INFINITY))
const moves = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), item: fc.nat(9), dueAt: times }),
  fc.record({ kind: fc.constant('take' as const), throughAt: fc.nat(40) }),
)

test('takes out what is due by the time that was set last, once, the earliest first', () => {
  fc.assert(
    fc.property(fc.array(moves, { maxLength: 200 }), (all) => {
      const queue = new DueQueue<Due>()
      const items: Due[] = Array.from({ length: 10 }, () => ({ dueAt: Number.POSITIVE_INFINITY }))
      const due = new Map<Due, number>()
      for (const move of all)
        if (move.kind === 'set') {
          queue.set(items[move.item]!, move.dueAt)
          due.set(items[move.item]!, move.dueAt)
        } else {
          const taken = queue.take(move.throughAt)
          const expected = [...due].filter(([, at]) => at <= move.throughAt)
          expect(new Set(taken)).toEqual(new Set(expected.map(([item]) => item)))
          expect(taken).toHaveLength(expected.length)
          expect(taken.map((item) => due.get(item))).toEqual(expected.map(([, at]) => at).sort((a, b) => a - b))
          for (const item of taken) due.delete(item)
        }
    }),
  )
})
