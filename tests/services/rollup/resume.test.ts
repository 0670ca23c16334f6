import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { logs } from './random-logs.ts'
import { Folding, restart, rollUp, type Said } from './rolling.ts'

const from = (said: readonly Said[], position: number): readonly Said[] =>
  said.filter(({ cause }) => cause[0]! >= position)

test('restarted at any record, rollup says from there on what it would have said without the restart', () => {
  fc.assert(
    fc.property(logs(), (log) => {
      const said = rollUp(log)
      const running = new Folding(log)
      for (let position = 0; position <= log.length; position++) {
        const again = restart(log, said, position, running)
        expect(again.fold(position, log.length).said).toEqual(from(said, position))
        if (position < log.length) running.fold(position, position + 1)
      }
    }),
    { numRuns: 200 },
  )
})

test('restarted again and again, rollup still says the same', () => {
  fc.assert(
    fc.property(logs(), fc.integer({ min: 1, max: 9 }), (log, distance) => {
      const said = rollUp(log)
      let running = new Folding(log, said)
      const heard: Said[] = []
      for (let position = 0; position < log.length; position += distance) {
        running = restart(log, said, position, running)
        const to = Math.min(position + distance, log.length)
        heard.push(...running.fold(position, to).said)
        running.said.length = 0
      }
      expect(heard).toEqual(said)
    }),
    { numRuns: 200 },
  )
})
