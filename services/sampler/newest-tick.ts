import type { TopicCodec } from '#lib/codec/avro.ts'
import { UnknownSchemaError } from '#lib/codec/avro.ts'
import { isObstreamError } from '#lib/errors.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import type { SampleFact } from '#lib/facts.ts'
import type { Instant } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'

/** The newest tick of any partition; `null`: the log has none. Reads only what the samplers' group has not folded. */
export async function newestTickAt(log: EventLog, codec: TopicCodec<SampleFact>): Promise<Instant | null> {
  const committed = await log.committed('sampler', topics.sample.name)
  let newestAt: Instant | null = null
  for (const { partition, earliest, end } of await log.offsets(topics.sample.name)) {
    const progress = committed.find((commit) => commit.partition === partition)
    newestAt = later(newestAt, progress?.reached ?? null)
    const from = Math.max(earliest, progress?.position[0] ?? earliest)
    for await (const batch of log.read(topics.sample.name, partition, from, end))
      for (const { value } of batch.records()) newestAt = later(newestAt, value && (await tickIn(value, codec)))
  }
  return newestAt
}

async function tickIn(value: Buffer, codec: TopicCodec<SampleFact>): Promise<Instant | null> {
  try {
    const fact = codec.decode(value)
    return fact.type === 'tick' ? fact.at : null
  } catch (error) {
    if (isObstreamError(error, 'OBS_RECORD_INVALID')) return null
    if (!(error instanceof UnknownSchemaError)) throw error
    await codec.learn(error.id)
    return tickIn(value, codec)
  }
}

function later(a: Instant | null, b: Instant | null): Instant | null {
  return a === null || (b !== null && b > a) ? b : a
}
