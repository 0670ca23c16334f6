import { expect, test } from '@jest/globals'
import type { EventLog, PartitionOffsets } from '#lib/eventlog/port.ts'
import { openEmbeddedRegistry } from '#lib/registry/embedded.ts'
import { runToEnd } from '#lib/runtime/run-to-end.ts'
import { topics } from '#lib/topics.ts'
import { eventually } from '#tests/support/eventually.ts'
import { SchemaScene } from '#tests/support/schema-scene.ts'
import { tally } from '#tests/support/toy-folds.ts'

/** Asked for the ends of the samples, it tells so often the one of an empty topic, as a leader that was deposed may do. */
function deposedLeader(log: EventLog, { lies, endsLagMs }: { readonly lies: number; readonly endsLagMs: number }) {
  let left = lies
  const offsets = async (topic: string, at?: number): Promise<readonly PartitionOffsets[]> => {
    const places = await log.offsets(topic, at)
    return topic === topics.sample.name && left-- > 0 ? places.map((place) => ({ ...place, end: 0 })) : places
  }
  return new Proxy(log, {
    get(target, name) {
      if (name === 'offsets') return offsets
      if (name === 'endsLagMs') return endsLagMs
      const value = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** A fold that has said something of what the log holds, and starts again. */
async function startAgain(leader: { readonly lies: number; readonly endsLagMs: number }) {
  const scene = await SchemaScene.open((log) => openEmbeddedRegistry(log.schemas))
  await scene.append(...scene.minute(1))
  await runToEnd(tally, scene.env)
  const service = await scene.run({ once: true }, deposedLeader(scene.env.log, leader))
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
