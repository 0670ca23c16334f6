import { describe, expect, test } from '@jest/globals'
import type { EventLog } from '#lib/eventlog/port.ts'
import { readFactSet, readFacts } from '#lib/jobs/read-facts.ts'
import { Scene } from '#tests/services/exporter/scene.ts'

const HOURS = ['2026-06-27T10:00:00Z', '2026-06-27T11:00:00Z', '2026-06-27T12:00:00Z'] as const

async function all<T>(facts: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const fact of facts) list.push(fact)
  return list
}

describe('reading a stretch', () => {
  test('gives what lies in it, in order, also where a batch begins before it or ends behind it', async () => {
    const scene = await Scene.open()
    const value = scene.codecs.sample.encode({ type: 'tick', at: 0, plan: 'p' })
    const records = ['a', 'b', 'c', 'd'].map((key) => ({ key: Buffer.from(key), value }))
    await scene.log.append('obs.sample.v1', 0, records)
    const facts = await all(readFacts(scene.log, scene.codecs.sample, { partition: 0, from: 1, to: 3 }))
    expect(facts.map(({ key, offset }) => [key, offset])).toEqual([
      ['b', 1],
      ['c', 2],
    ])
  })

  test('never takes a stretch that was cut short by a stop for a whole one', async () => {
    const scene = await Scene.open()
    await scene.tick(HOURS[0])
    await scene.tick(HOURS[1])
    const stopping = new AbortController()
    const log: EventLog = {
      ...scene.process().log,
      async *read(...where) {
        for await (const batch of scene.log.read(...where)) {
          yield batch
          stopping.abort(new Error('stopping'))
          return
        }
      },
    }
    await expect(
      all(readFacts(log, scene.codecs.sample, { partition: 0, from: 0, to: 2 }, stopping.signal)),
    ).rejects.toThrow('stopping')
  })
})

describe('reading a set', () => {
  test('gives one record a key, in order of cause, whatever the order in the log', async () => {
    const scene = await Scene.open()
    await scene.window('a', HOURS[2], {}, [30, 0])
    await scene.window('a', HOURS[0], {}, [10, 1])
    await scene.window('a', HOURS[2], {}, [30, 0])
    await scene.window('a', HOURS[1], {}, [10, 2])
    await scene.window('a', HOURS[0], {}, [10, 1])
    const facts = await readFactSet(scene.log, scene.codecs.window)
    expect(facts.map(({ key }) => key)).toEqual(HOURS.map((start) => `a/${start}/r0`))
  })

  test('two values of one key are a fault, and it is named', async () => {
    const scene = await Scene.open()
    await scene.window('a', HOURS[0], { count: 1 })
    await scene.window('a', HOURS[0], { count: 2 })
    await expect(readFactSet(scene.log, scene.codecs.window)).rejects.toMatchObject({
      code: 'OBS_LOG_FACT_CHANGED',
      exitCode: 70,
      message: expect.stringContaining('a/2026-06-27T10:00:00Z/r0'),
    })
  })

  test('a record that cannot be read is left out', async () => {
    const scene = await Scene.open()
    await scene.window('a', HOURS[0])
    await scene.log.append('obs.window.v1', 0, [{ key: Buffer.from('stranger'), value: Buffer.from('?') }])
    expect(await readFactSet(scene.log, scene.codecs.window)).toHaveLength(1)
  })
})
