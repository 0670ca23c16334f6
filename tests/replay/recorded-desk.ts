import { currentFolds, type Folds } from '#cli/replay/refold.ts'
import { canonicalJson } from '#lib/codec/canonical-json.ts'
import { factJson } from '#lib/codec/fact-json.ts'
import { planRecord } from '#lib/codec/plan-json.ts'
import { sha256Hex } from '#lib/codec/sha256.ts'
import type { Config } from '#lib/config.ts'
import type { EmbeddedLog } from '#lib/eventlog/embedded-log.ts'
import { openMemoryLog } from '#lib/eventlog/memory.ts'
import type { OpenedLog } from '#lib/eventlog/open.ts'
import type { LogRecord } from '#lib/eventlog/port.ts'
import { partitionOf } from '#lib/partitioner.ts'
import type { Plan } from '#lib/plan.ts'
import { openEmbeddedRegistry } from '#lib/registry/embedded.ts'
import { MemorySchemaStore } from '#lib/registry/memory-store.ts'
import { codecOf, type Environment, environmentOn } from '#lib/runtime/environment.ts'
import { createMetricsRegistry } from '#lib/runtime/metrics.ts'
import { decodeOwn } from '#lib/runtime/own-records.ts'
import { HOUR_MS, type Instant } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { runLatencyOnce } from '#services/exporter/adapters/latency-once.ts'
import type { LatencyRequest } from '#services/exporter/latency-start.ts'
import { exporterDependencies } from '#services/exporter/service.ts'
import { ManualClock } from '#tests/support/manual-clock.ts'
import type { Sample } from '#tests/support/play.ts'
import type { Step } from './scenario.ts'

export const derivedTopics = [topics.window, topics.breach, topics.alert] as const

const options = { rawRetentionDays: 1, rollupRetentionDays: 2, rollupOutput: 'ops/signal_latency_rollup.csv' }

/** A log with the folds and the latency job of this build on it, under a clock that the test moves. */
export class RecordedDesk {
  readonly env: Environment
  readonly clock: ManualClock
  readonly #folds: Folds
  #runs = 0

  /** @param log closed with the environment; default one in memory */
  static async open(
    clock: ManualClock,
    parts: {
      readonly dataDir: string
      readonly partitions?: number
      readonly log?: OpenedLog
      readonly folds?: Folds
    },
  ): Promise<RecordedDesk> {
    const { partitions = 1, log = openMemoryLog({ clock, partitions }), folds = currentFolds } = parts
    return new RecordedDesk(await environmentOf(log, clock, parts.dataDir), clock, folds)
  }

  constructor(env: Environment, clock: ManualClock, folds: Folds) {
    this.env = env
    this.clock = clock
    this.#folds = folds
  }

  async publish(...plans: readonly Plan[]): Promise<void> {
    const codec = codecOf(this.env, topics.plan)
    for (const { hash, record } of plans.map(planRecord))
      await this.env.log.append(topics.plan.name, 0, [{ key: Buffer.from(hash), value: codec.encode(record) }])
  }

  /** @param batchSize how many samples an append holds at most */
  async play(steps: readonly Step[], batchSize = 500): Promise<void> {
    let samples: Sample[] = []
    for (const step of steps) {
      if (step.type === 'sample') samples.push(step.sample)
      if (samples.length < batchSize && step.type === 'sample') continue
      await this.append(samples)
      samples = []
      if (step.type === 'latency') await this.latency(step.slotAt)
    }
    await this.append(samples)
    await this.fold()
  }

  /** Each source to its partition, ticks to all of them, in one batch a partition. */
  async append(samples: readonly Sample[]): Promise<void> {
    const { log } = this.env
    const codec = codecOf(this.env, topics.sample)
    const count = (await log.offsets(topics.sample.name)).length
    const batches = Array.from({ length: count }, (): LogRecord[] => [])
    for (const [key, fact] of samples) {
      if (fact.type === 'tick' && fact.at > this.clock.now()) this.clock.advance(fact.at - this.clock.now())
      const record = { key: Buffer.from(key), value: codec.encode(fact) }
      if (fact.type === 'tick') for (const batch of batches) batch.push(record)
      else batches[partitionOf(key, count)]!.push(record)
    }
    for (const [partition, batch] of batches.entries())
      if (batch.length > 0) await log.append(topics.sample.name, partition, batch)
  }

  async fold(): Promise<void> {
    for (const fold of this.#folds) await fold(this.env, () => {})
  }

  request(slotAt: Instant): LatencyRequest {
    this.#runs++
    const runId = `run-${this.#runs}`
    return {
      slotAt,
      nextRunAt: slotAt + HOUR_MS,
      runId,
      options,
      command: ['obstream', 'latency'],
      commitSha: null,
      dryRun: false,
    }
  }

  async latency(slotAt: Instant): Promise<void> {
    await this.fold()
    const deps = exporterDependencies(this.env)
    const { finished } = await runLatencyOnce(deps, this.request(slotAt), () => ({ release: () => {} }))
    if (finished.status !== 'ok') throw new Error(`${finished.jobId} failed: ${finished.errorMessage}`)
  }
}

/** An environment without a configuration file. */
export function environmentOf(log: OpenedLog, clock: ManualClock, dataDir: string): Promise<Environment> {
  return environmentOn(log, openEmbeddedRegistry(log.schemas ?? new MemorySchemaStore()), {
    config: { dataDir, log: 'memory:' } as Config,
    clock,
    ids: { next: () => 'no chance here' },
    logger: { info: () => {}, warn: () => {} },
    metrics: createMetricsRegistry(),
  })
}

/** An empty log for a replay; its append times lie after everything. */
export function scratchLog(partitions: number): EmbeddedLog {
  return openMemoryLog({ clock: new ManualClock(Date.UTC(2100, 0, 1)), partitions, compactEveryMs: HOUR_MS })
}

/** Of a derived topic every fact once, as `key canonical JSON`, sorted; where it stands in the log does not matter. */
export async function factLines(
  { log, codecs }: Environment,
  topic: (typeof derivedTopics)[number],
): Promise<string[]> {
  const codec = codecOf({ codecs }, topic)
  const lines = new Map<string, string>()
  for (const { partition, earliest, end } of await log.offsets(topic.name))
    for await (const batch of log.read(topic.name, partition, earliest, end))
      for (const { key, value } of batch.records()) {
        const line = `${key.toString()} ${canonicalJson(factJson(await decodeOwn<object>(codec, value!)))}`
        if ((lines.get(key.toString()) ?? line) !== line)
          throw new Error(`${key.toString()} was said twice, differently`)
        lines.set(key.toString(), line)
      }
  return [...lines.values()].toSorted()
}

export interface TopicDigest {
  readonly count: number
  readonly sha256: string
}

/** How many facts each derived topic holds, and the sha256 of all of them. */
export async function digests(env: Environment): Promise<Readonly<Record<string, TopicDigest>>> {
  const found: Record<string, TopicDigest> = {}
  for (const topic of derivedTopics) {
    const lines = await factLines(env, topic)
    found[topic.name] = { count: lines.length, sha256: sha256Hex(lines.join('\n')) }
  }
  return found
}
