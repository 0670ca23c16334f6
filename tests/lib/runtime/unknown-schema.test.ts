import { afterEach, describe, expect, test } from '@jest/globals'
import { ObstreamError } from '#lib/errors.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import { JobTopic } from '#lib/jobs/job-topic.ts'
import { openConfluentRegistry } from '#lib/registry/confluent.ts'
import { openEmbeddedRegistry } from '#lib/registry/embedded.ts'
import { codecOf } from '#lib/runtime/environment.ts'
import type { RunningService } from '#lib/runtime/run.ts'
import { runToEnd } from '#lib/runtime/run-to-end.ts'
import { topics } from '#lib/topics.ts'
import { eventually } from '#tests/support/eventually.ts'
import { otherSampleSchema, type SceneOptions, SchemaScene, sampleSubject } from '#tests/support/schema-scene.ts'
import { tally } from '#tests/support/toy-folds.ts'

let running: RunningService | undefined
afterEach(async () => {
  await running?.stop()
  running = undefined
})

const openScene = (schemaWaitMs = Number.POSITIVE_INFINITY, options: SceneOptions = {}): Promise<SchemaScene> =>
  SchemaScene.open((log) => openEmbeddedRegistry(log.schemas, { schemaWaitMs }), options)

const garbage = { key: Buffer.from('a'), value: Buffer.from('garbage') }

describe('a record whose schema nobody knows yet', () => {
  test('is waited for where it stands: what came before it is said, what comes after it is not', async () => {
    const scene = await openScene()
    running = await scene.run()
    const unknown = scene.env.codecs.size + 1
    await scene.append(...scene.minute(1), garbage, ...scene.minute(2, unknown), ...scene.minute(3))
    await eventually(() => scene.env.registry.waitsFor?.includes(`id ${unknown}`))
    expect(await scene.said()).toEqual(['a/gap/1970-01-01T00:01:00Z'])

    expect(await scene.env.registry.register(sampleSubject, otherSampleSchema)).toBe(unknown)
    await eventually(async () => (await scene.said()).length === 3)
    expect(scene.env.registry.waitsFor).toBeNull()
    expect(await scene.said()).toEqual([1, 2, 3].map((minute) => `a/gap/1970-01-01T00:0${minute}:00Z`))
  })

  test('is no dead letter; one that is bad in itself is one, and one only, however often the batch is read', async () => {
    const scene = await openScene()
    running = await scene.run()
    const unknown = scene.env.codecs.size + 1
    await scene.append(...scene.minute(1), garbage, ...scene.minute(2, unknown))
    await eventually(() => scene.env.registry.waitsFor !== null)
    await scene.env.registry.register(sampleSubject, otherSampleSchema)
    await eventually(async () => (await scene.said()).length === 2)
    expect(await scene.deadLetters()).toBe(1)
    expect(await scene.env.metrics.metrics()).toContain(
      'obstream_dead_letters_total{service="tally",topic="obs.sample.v1"} 1',
    )
    expect(await scene.env.metrics.metrics()).not.toMatch(/^obstream_service_restarts_total\{/m)
  })

  test('does not keep other partitions from starting again after a failure', async () => {
    const scene = await openScene(Number.POSITIVE_INFINITY, { partitions: 2 })
    const failing = { isPlanted: true }
    running = await scene.run({}, whoseAppendsFail(scene.env.log, failing))
    await scene.append(...scene.minute(1, 99))
    await eventually(() => scene.env.registry.waitsFor !== null)
    await scene.appendTo(1, scene.minute(1))
    await eventually(() => running?.waitsFor?.includes('planted'))
    failing.isPlanted = false
    await eventually(async () => (await scene.said(1)).length === 1)
    await eventually(() => scene.env.registry.waitsFor !== null)
  })

  test('does not keep a service from stopping', async () => {
    const scene = await openScene()
    const service = await scene.run()
    await scene.append(...scene.minute(1, 99))
    await eventually(() => scene.env.registry.waitsFor !== null)
    await service.stop()
    expect(scene.env.registry.waitsFor).toBeNull()
  })

  test('does not keep an exporter from stopping, which reads jobs', async () => {
    const scene = await openScene()
    const value = Buffer.from([0, 0, 0, 0, 99, 0])
    await scene.env.log.append(topics.job.name, 0, [{ key: Buffer.from('latency'), value }])
    const jobs = new JobTopic(scene.env.log, codecOf(scene.env, topics.job))
    const reading = jobs.history('latency')
    await eventually(() => scene.env.registry.waitsFor !== null)
    jobs.stop()
    await expect(reading).rejects.toMatchObject({ code: 'OBS_LOG_UNAVAILABLE' })
    expect(scene.env.registry.waitsFor).toBeNull()
  })

  test('ends a command, which is not there to wait: nothing is dead-lettered, the next one finds it again', async () => {
    const scene = await openScene(0)
    await scene.append(...scene.minute(1), ...scene.minute(2, scene.env.codecs.size + 1))
    const inVain = { code: 'OBS_REGISTRY_UNAVAILABLE', exitCode: 69 }
    await expect(runToEnd(tally, scene.env)).rejects.toMatchObject(inVain)
    await expect(runToEnd(tally, scene.env)).rejects.toMatchObject(inVain)
    expect(await scene.said()).toEqual(['a/gap/1970-01-01T00:01:00Z'])
    expect(await scene.deadLetters()).toBe(0)

    await scene.env.registry.register(sampleSubject, otherSampleSchema)
    await runToEnd(tally, scene.env)
    expect(await scene.said()).toHaveLength(2)
  })
})

/** A log whose appends are refused for as long as it is planted. */
function whoseAppendsFail(log: EventLog, failing: { readonly isPlanted: boolean }): EventLog {
  return new Proxy(log, {
    get: (target, name) => {
      if (name === 'append' && failing.isPlanted)
        return () => Promise.reject(new ObstreamError('OBS_LOG_REFUSED', 'planted'))
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}

test('a start that waits for its registry ends when it is told to', async () => {
  const told = new AbortController()
  const reason = new Error('Ctrl-C')
  const away = openConfluentRegistry({
    url: 'http://127.0.0.1:9',
    prefix: '',
    ca: null,
    credentials: null,
    waitMs: 60_000,
    onWait: () => told.abort(reason),
  })
  await expect(SchemaScene.open(() => away, { interrupted: told.signal })).rejects.toBe(reason)
})
