import { loadTopicSchema, subjectOf } from '#lib/codec/avro-schema.ts'
import type { Config } from '#lib/config.ts'
import { type MemoryLog, openMemoryLog } from '#lib/eventlog/memory.ts'
import type { LogRecord } from '#lib/eventlog/port.ts'
import type { AvroSchema, SchemaRegistry } from '#lib/registry/port.ts'
import { systemClock } from '#lib/runtime/clock.ts'
import { codecOf, type Environment, environmentOn } from '#lib/runtime/environment.ts'
import { createMetricsRegistry } from '#lib/runtime/metrics.ts'
import { type RunningService, type RunOptions, runService } from '#lib/runtime/run.ts'
import { topics } from '#lib/topics.ts'
import { recordsOf } from './facts-of.ts'
import { probeOf, tickAt } from './play.ts'
import { tally } from './toy-folds.ts'

/** Writes what ours writes and is another schema all the same, as one of another build would be. */
export const otherSampleSchema: AvroSchema = { ...loadTopicSchema(topics.sample), aliases: ['Reading'] }
export const sampleSubject = subjectOf(topics.sample)

export interface SceneOptions {
  readonly interrupted?: AbortSignal
  readonly partitions?: number
}

/** A log in memory, a registry, and a fold that says `source/gap/<instant>` at each tick for what it has counted. */
export class SchemaScene {
  readonly env: Environment

  private constructor(env: Environment) {
    this.env = env
  }

  /** @param options `interrupted` ends it when it waits for the registry */
  static async open(
    makeRegistry: (log: MemoryLog) => SchemaRegistry,
    { interrupted = new AbortController().signal, partitions = 1 }: SceneOptions = {},
  ): Promise<SchemaScene> {
    const log = openMemoryLog({ clock: systemClock, partitions })
    const env = await environmentOn(log, makeRegistry(log), {
      config: { dataDir: '/nowhere', log: 'memory:' } as Config,
      clock: systemClock,
      ids: { next: () => 'no chance here' },
      logger: { info: () => {}, warn: () => {} },
      metrics: createMetricsRegistry(),
      interrupted,
    })
    return new SchemaScene(env)
  }

  /** @param log another connection to the log */
  run(options: RunOptions = {}, log = this.env.log): Promise<RunningService> {
    return runService(tally, { ...this.env, log }, undefined, options)
  }

  /** A sample of `a` and the tick that makes the fold say so; under the id of another schema if one is given. */
  minute(minute: number, schemaId?: number): readonly LogRecord[] {
    const at = minute * 60_000
    return [probeOf('a', at, 0, 1), tickAt(at, 'p')].map(([key, fact]) => {
      const value = codecOf(this.env, topics.sample).encode(fact)
      if (schemaId !== undefined) value.writeUInt32BE(schemaId, 1)
      return { key: Buffer.from(key), value }
    })
  }

  /** As one batch, to partition 0. */
  append(...records: readonly LogRecord[]): Promise<void> {
    return this.appendTo(0, records)
  }

  async appendTo(partition: number, records: readonly LogRecord[]): Promise<void> {
    await this.env.log.append(topics.sample.name, partition, records)
  }

  /** Keys of what the fold has said in a partition, in order. */
  async said(partition = 0): Promise<readonly string[]> {
    const records = await recordsOf(this.env.log, topics.window, this.env.codecs.get(topics.window)!, partition)
    return records.map(({ key }) => key)
  }

  async deadLetters(): Promise<number> {
    return (await this.env.log.offsets(topics.deadLetter.name))[0]!.end
  }
}
