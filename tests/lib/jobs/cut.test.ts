import { describe, expect, test } from '@jest/globals'
import type { Progress } from '#lib/eventlog/port.ts'
import { awaitCut, chooseCut } from '#lib/jobs/cut.ts'
import { at, Scene } from '#tests/services/exporter/scene.ts'

const [TEN, ELEVEN, TWELVE] = ['2026-06-27T10:00:00Z', '2026-06-27T11:00:00Z', '2026-06-27T12:00:00Z']
const progress = (partition: number, fields: Partial<Progress>) => ({
  ...{ partition, offset: 0, mark: [0], position: [0], floor: null, done: null, reached: null },
  ...fields,
})

describe('choosing a cut', () => {
  test('is the newest tick that every partition has, with its plan', async () => {
    const scene = await Scene.open(2)
    await scene.tick(TEN)
    await scene.tick(ELEVEN)
    await scene.tick(TWELVE, [1])
    expect(await chooseCut(scene.log, scene.codecs.sample)).toMatchObject({
      cutTickAt: at(ELEVEN),
      plan: `plan of ${ELEVEN}`,
    })
  })

  test('finds the tick behind any number of samples', async () => {
    const scene = await Scene.open()
    await scene.tick(TEN)
    const value = scene.codecs.sample.encode({
      type: 'probe',
      outcome: 'skipped',
      scheduledAt: 0,
      ordinal: 0,
      latencyMs: null,
      measuredAt: 0,
      lagMs: null,
      errorCode: null,
    })
    await scene.log.append(
      'obs.sample.v1',
      0,
      Array.from({ length: 2_000 }, () => ({ key: Buffer.from('a'), value })),
    )
    expect(await chooseCut(scene.log, scene.codecs.sample)).toMatchObject({ cutTickAt: at(TEN) })
  })

  test('a partition without a tick is an error that may pass, and names it', async () => {
    const scene = await Scene.open(2)
    await scene.tick(TEN, [0])
    await expect(chooseCut(scene.log, scene.codecs.sample)).rejects.toMatchObject({
      code: 'OBS_JOB_NO_TICK',
      message: expect.stringContaining('obs.sample.v1/1'),
    })
  })

  test('names the last key of each topic with one partition that has records, jobs and dead letters excepted', async () => {
    const scene = await Scene.open()
    await scene.tick(TEN)
    const append = (topic: string, ...keys: string[]) =>
      scene.log.append(
        topic,
        0,
        keys.map((key) => ({ key: Buffer.from(key), value: Buffer.from('x') })),
      )
    await append('obs.command.v1', 'c1', 'c2')
    await append('obs.job.v1', 'j')
    await append('obs.dead-letter.v1', 'd')
    expect((await chooseCut(scene.log, scene.codecs.sample)).cutLastKeys).toEqual({ 'obs.command.v1': 'c2' })
  })
})

describe('waiting for the others to come to the cut', () => {
  async function waiting(reached: readonly (string | null)[], done: readonly number[] | null) {
    const scene = await Scene.open(reached.length)
    await scene.window('a', TEN, {}, [4, 0])
    const commits = { reached: [...reached], done }
    scene.committed = async (group) =>
      group === 'rollup'
        ? commits.reached.flatMap((time, partition) =>
            time === null ? [] : [progress(partition, { reached: at(time) })],
          )
        : commits.done === null
          ? []
          : [progress(0, { done: commits.done })]
    const { log, clock } = scene.process()
    let ended: unknown = 'still waiting'
    void awaitCut(log, at(ELEVEN), { clock, waitMs: 1_000 }).then(
      () => (ended = 'done'),
      (error) => (ended = error),
    )
    const wait = async (ms: number): Promise<unknown> => {
      for (let passed = 0; passed < ms; passed += 100) {
        await settle()
        scene.clock.advance(100)
      }
      await settle()
      return ended
    }
    return { commits, wait }
  }
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
  }

  test('nobody is behind: at once', async () => {
    const { wait } = await waiting([ELEVEN, TWELVE], [4, 0])
    expect(await wait(0)).toBe('done')
  })

  test('rollup is waited for in every partition', async () => {
    const { commits, wait } = await waiting([ELEVEN, TEN], [4, 0])
    expect(await wait(500)).toBe('still waiting')
    commits.reached[1] = ELEVEN
    expect(await wait(100)).toBe('done')
  })

  test('when the time is up it says where rollup is behind', async () => {
    const { wait } = await waiting([ELEVEN, TEN], [4, 0])
    expect(await wait(900)).toBe('still waiting')
    expect(await wait(200)).toMatchObject({
      code: 'OBS_JOB_BEHIND',
      exitCode: 75,
      message: expect.stringContaining(
        'rollup has come to 2026-06-27T10:00:00Z in obs.sample.v1/1, the cut is at 2026-06-27T11:00:00Z',
      ),
    })
  })

  test('a rollup that never committed is behind', async () => {
    const { wait } = await waiting([null], [4, 0])
    expect(await wait(1_100)).toMatchObject({
      message: expect.stringContaining('rollup has folded no tick in obs.sample.v1/0'),
    })
  })

  test('the alerter is waited for up to what rollup had written', async () => {
    const { commits, wait } = await waiting([ELEVEN], null)
    expect(await wait(300)).toBe('still waiting')
    commits.done = [3, 9]
    expect(await wait(300)).toBe('still waiting')
    commits.done = [4, 0]
    expect(await wait(100)).toBe('done')
  })

  test('when the time is up it says that the alerter is behind', async () => {
    const { wait } = await waiting([ELEVEN], [3, 9])
    expect(await wait(1_100)).toMatchObject({
      code: 'OBS_JOB_BEHIND',
      message: expect.stringContaining('the alerter has not read obs.window.v1/0'),
    })
  })
})
