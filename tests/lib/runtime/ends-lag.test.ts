import { expect, test } from '@jest/globals'
import { openEmbeddedRegistry } from '#lib/registry/embedded.ts'
import { runToEnd } from '#lib/runtime/run-to-end.ts'
import { topics } from '#lib/topics.ts'
import { behindDeposedLeader } from '#tests/support/deposed-leader.ts'
import { eventually } from '#tests/support/eventually.ts'
import { SchemaScene } from '#tests/support/schema-scene.ts'
import { tally } from '#tests/support/toy-folds.ts'

/** A fold that has said something of what the log holds, and starts again. */
async function startAgain(leader: { readonly lies: number; readonly endsLagMs: number }) {
  const scene = await SchemaScene.open((log) => openEmbeddedRegistry(log.schemas))
  await scene.append(...scene.minute(1))
  await runToEnd(tally, scene.env)
  const log = behindDeposedLeader(scene.env.log, { topic: topics.sample.name, ...leader })
  const service = await scene.run({ once: true }, log)
  await scene.append(...scene.minute(2))
  return { scene, service }
}

test('an end that a deposed leader told is no sign of another history', async () => {
  const { scene, service } = await startAgain({ lies: 2, endsLagMs: 60_000 })
  await eventually(async () => (await scene.said()).length === 2)
  await service.stop()
  await service.ended
})

test('an end that stays before what was said of it is one', async () => {
  const { service } = await startAgain({ lies: 1_000, endsLagMs: 300 })
  await expect(service.ended).rejects.toMatchObject({ code: 'OBS_LOG_HISTORY_CHANGED' })
})
