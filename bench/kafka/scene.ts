import type { TopicCodec } from '#lib/codec/avro.ts'
import { planRecord } from '#lib/codec/plan-json.ts'
import type { LogRecord } from '#lib/eventlog/port.ts'
import type { SampleFact } from '#lib/facts.ts'
import { partitionOf } from '#lib/partitioner.ts'
import { topics } from '#lib/topics.ts'
import { openBenchKafka } from '../bench-log.ts'
import { recordOf, type SceneSize } from '../rollup/generate.ts'
import { generate, planFor } from '../rollup/samples.ts'

/** Records an append, about 100 KB: what a producer with a linger of some milliseconds sends. */
const BATCH = 2_000

export interface KafkaScene {
  readonly brokers: readonly string[]
  readonly partitions: number
  readonly sourceCount: number
  readonly samples: number
}

/** Writes the samples to the topics of a cluster: each source to its partition, every tick to all of them. */
export async function writeKafkaScene(scene: KafkaScene): Promise<SceneSize> {
  const { log, codecs } = await openBenchKafka(scene.brokers, scene.partitions)
  const codec = codecs.get(topics.sample) as TopicCodec<SampleFact>
  const { hash, record } = planRecord(planFor(scene.sourceCount))
  await log.append(topics.plan.name, 0, [{ key: Buffer.from(hash), value: codecs.get(topics.plan)!.encode(record) }])
  const pending = Array.from({ length: scene.partitions }, (): LogRecord[] => [])
  const send = async (partition: number): Promise<void> => {
    await log.append(topics.sample.name, partition, pending[partition]!.splice(0))
  }
  const size = { samples: 0, ticks: 0 }
  for (const step of generate(scene.sourceCount, scene.samples)) {
    const made = recordOf(step, hash, codec)
    const to = step.type === 'tick' ? pending.keys() : [partitionOf(step.sample.source, scene.partitions)]
    if (step.type === 'tick') size.ticks++
    else size.samples++
    for (const partition of to) if (pending[partition]!.push(made) === BATCH) await send(partition)
  }
  for (const [partition, records] of pending.entries()) if (records.length > 0) await send(partition)
  await log.close()
  return size
}
