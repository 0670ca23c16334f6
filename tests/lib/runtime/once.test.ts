import { expect, test } from '@jest/globals'
import { ObstreamError } from '#lib/errors.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import { openEmbeddedRegistry } from '#lib/registry/embedded.ts'
import { runToEnd } from '#lib/runtime/run-to-end.ts'
import { SchemaScene } from '#tests/support/schema-scene.ts'
import { tally } from '#tests/support/toy-folds.ts'

const gone = new ObstreamError('OBS_LOG_UNAVAILABLE', 'no broker answers')

/** A log that is lost at its first append; `returns` when it is looked for again. */
function lostAtAppend(log: EventLog, returns: boolean): EventLog {
  let isLost = false
  return new Proxy(log, {
    get(target, name) {
      if (name === 'append' && !isLost)
        return () => {
          isLost = true
          return Promise.reject(gone)
        }
      if (name === 'subscribe' && isLost && !returns) return () => Promise.reject(gone)
      const value = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

const openScene = async (): Promise<SchemaScene> => {
  const scene = await SchemaScene.open((log) => openEmbeddedRegistry(log.schemas))
  await scene.append(...scene.minute(1))
  return scene
}

test('a command goes on when the log was away for a moment', async () => {
  const scene = await openScene()
  await runToEnd(tally, { ...scene.env, log: lostAtAppend(scene.env.log, true) })
  expect(await scene.said()).toHaveLength(1)
})

test('a command ends when the log is still away at the second look, where a service would wait', async () => {
  const scene = await openScene()
  const running = runToEnd(tally, { ...scene.env, log: lostAtAppend(scene.env.log, false) })
  await expect(running).rejects.toMatchObject({ code: 'OBS_LOG_UNAVAILABLE', exitCode: 69 })
})
