import { openCodec, type TopicCodec } from '#lib/codec/avro.ts'
import type { EmbeddedLog } from '#lib/eventlog/embedded-log.ts'
import { openSqliteLog } from '#lib/eventlog/sqlite.ts'
import { openEmbeddedRegistry } from '#lib/registry/embedded.ts'
import { systemClock } from '#lib/runtime/clock.ts'
import { PlanStore } from '#lib/runtime/plan-store.ts'
import type { RunDependencies } from '#lib/runtime/run.ts'
import { catalogue, type TopicDefinition, topics } from '#lib/topics.ts'

/** A SQLite log with all that a service needs to run on it. */
export interface BenchLog extends RunDependencies {
  readonly log: EmbeddedLog
}

/** Opens the log at a path, with one partition; creates it when it is not there. */
export async function openBenchLog(path: string): Promise<BenchLog> {
  const log = openSqliteLog({ path, clock: systemClock, partitions: 1 })
  await log.topics.apply(catalogue)
  const registry = openEmbeddedRegistry(log.schemas)
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
