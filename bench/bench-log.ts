import { openCodec, type TopicCodec } from '#lib/codec/avro.ts'
import type { EmbeddedLog } from '#lib/eventlog/embedded-log.ts'
import { openKafkaLog } from '#lib/eventlog/kafka/kafka-log.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import { openSqliteLog } from '#lib/eventlog/sqlite.ts'
import { openEmbeddedRegistry } from '#lib/registry/embedded.ts'
import { MemorySchemaStore } from '#lib/registry/memory-store.ts'
import type { SchemaStore } from '#lib/registry/port.ts'
import { systemClock } from '#lib/runtime/clock.ts'
import { PlanStore } from '#lib/runtime/plan-store.ts'
import type { RunDependencies } from '#lib/runtime/run.ts'
import { catalogue, type TopicDefinition, topics } from '#lib/topics.ts'

/** A log with all that a service needs to run on it. */
export interface BenchLog<Log extends EventLog = EventLog> extends RunDependencies {
  readonly log: Log
}

/** Opens the SQLite log at a path, with one partition; creates it when it is not there. */
export async function openBenchLog(path: string): Promise<BenchLog<EmbeddedLog>> {
  const log = openSqliteLog({ path, clock: systemClock, partitions: 1 })
  return { ...(await benchOn(log, log.schemas)), log }
}

/** Opens the log on a cluster. Every process numbers the schemas in the same order, so none needs a registry. */
export async function openBenchKafka(brokers: readonly string[], partitions: number): Promise<BenchLog> {
  const log = await openKafkaLog({ brokers, prefix: '', clock: systemClock, partitions, clientId: 'bench' })
  return benchOn(log, new MemorySchemaStore())
}

async function benchOn(log: EventLog, schemas: SchemaStore): Promise<BenchLog> {
  await log.topics.apply(catalogue)
  const registry = openEmbeddedRegistry(schemas)
  const codecs = new Map<TopicDefinition, TopicCodec<object>>()
  for (const topic of catalogue)
    if (topic.schema !== null) codecs.set(topic, (await openCodec(topic, registry)) as TopicCodec<object>)
  return {
    log,
    codecs,
    plans: new PlanStore(log, await openCodec(topics.plan, registry)),
    clock: systemClock,
    logger: { info: () => {}, warn: (fields, message) => console.error(message, fields) },
    counters: { batch: () => {}, deadLetter: () => {}, restart: () => {} },
  }
}
