import { join } from 'node:path'
import { openCodec, type ValueOf } from '#lib/codec/avro.ts'
import { openSqliteLog } from '#lib/eventlog/sqlite.ts'
import { openEmbeddedRegistry } from '#lib/registry/embedded.ts'
import { systemClock } from '#lib/runtime/clock.ts'
import { decodeOwn } from '#lib/runtime/own-records.ts'
import { catalogue, type TopicDefinition } from '#lib/topics.ts'

export const LOG_FILE = 'log/obstream.db'

/** A record of a desk's log. */
export interface DeskFact<Value> {
  readonly partition: number
  readonly offset: number
  readonly key: string
  readonly value: Value
}

/** Everything that a topic of a desk's log holds, in order, by partition. */
export async function factsOf<Topic extends TopicDefinition>(
  dataDir: string,
  topic: Topic,
): Promise<readonly DeskFact<ValueOf<Topic>>[]> {
  const log = openDeskLog(dataDir)
  try {
    const codec = await openCodec(topic, openEmbeddedRegistry(log.schemas))
    const facts: DeskFact<ValueOf<Topic>>[] = []
    for (const { partition, earliest, end } of await log.offsets(topic.name))
      for await (const batch of log.read(topic.name, partition, earliest, end))
        for (const { offset, key, value } of batch.records())
          facts.push({ partition, offset, key: key.toString(), value: await decodeOwn(codec, value!) })
    return facts
  } finally {
    await log.close()
  }
}

/** Every byte of every record, topic by topic, as text. */
export async function recordsOf(
  dataDir: string,
  of: (topic: TopicDefinition) => boolean = () => true,
): Promise<readonly string[]> {
  const log = openDeskLog(dataDir)
  try {
    const lines: string[] = []
    for (const topic of catalogue.filter(of))
      for (const { partition, earliest, end } of await log.offsets(topic.name)) {
        lines.push(`${topic.name}/${partition}: ${earliest} to ${end}`)
        for await (const batch of log.read(topic.name, partition, earliest, end))
          for (const { offset, key, value, headers } of batch.records())
            lines.push(
              [
                offset,
                batch.appendedAtMs,
                key.toString('hex'),
                value?.toString('hex'),
                ...headers.map(({ name, value: header }) => `${name}=${Buffer.from(header).toString('hex')}`),
              ].join(' '),
            )
      }
    return lines
  } finally {
    await log.close()
  }
}

/** What every group has committed. */
export async function commitsOf(dataDir: string): Promise<readonly string[]> {
  const log = openDeskLog(dataDir)
  try {
    const lines: string[] = []
    for (const topic of catalogue)
      for (const group of ['sampler', 'rollup', 'alerter'])
        for (const commit of await log.committed(group, topic.name)) lines.push(`${group} ${JSON.stringify(commit)}`)
    return lines
  } finally {
    await log.close()
  }
}

/** The log of a desk, as another process would open it. */
export function openDeskLog(dataDir: string) {
  return openSqliteLog({ path: join(dataDir, LOG_FILE), clock: systemClock, partitions: 1 })
}
