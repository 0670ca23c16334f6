import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openCodec } from '#lib/codec/avro.ts'
import type { Config, CsvSource, HttpSource, SourceConfig } from '#lib/config.ts'
import type { MemoryLog } from '#lib/eventlog/memory.ts'
import { openMemoryLog } from '#lib/eventlog/memory.ts'
import { plainKafka } from '#lib/eventlog/open.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import type { Probe, SampleFact } from '#lib/facts.ts'
import { openEmbeddedRegistry } from '#lib/registry/embedded.ts'
import { PlanStore } from '#lib/runtime/plan-store.ts'
import type { RunDependencies, RunningService } from '#lib/runtime/run.ts'
import { runService } from '#lib/runtime/run.ts'
import type { Instant } from '#lib/time.ts'
import { formatInstantMs, HOUR_MS, MINUTE_MS, parseInstant, SECOND_MS } from '#lib/time.ts'
import { catalogue, topics } from '#lib/topics.ts'
import type { HttpTarget } from '#services/sampler/adapters/http-probe.ts'
import type { Prober } from '#services/sampler/adapters/probe-pool.ts'
import type { ImportDependencies } from '#services/sampler/import.ts'
import type { ProbeResult } from '#services/sampler/sample.ts'
import { Sampling } from '#services/sampler/sampling.ts'
import type { SamplingDependencies } from '#services/sampler/sampling-parts.ts'
import type { RoundSummary } from '#services/sampler/sampling-round.ts'
import { SamplingRound } from '#services/sampler/sampling-round.ts'
import { samplerService } from '#services/sampler/service.ts'
import { ManualClock } from '#tests/support/manual-clock.ts'

/** `2026-06-27T…Z` from `22:00` or `22:00:00.125`. */
export function at(time: string, day = '2026-06-27'): Instant {
  const [clock, fraction] = time.split('.') as [string, string?]
  const full = `${day}T${clock.length === 5 ? `${clock}:00` : clock}${fraction ? `.${fraction}` : ''}Z`
  return parseInstant(full)!
}

export function http(id: string, more: Partial<HttpSource> = {}): HttpSource {
  return {
    id,
    kind: 'http',
    url: 'http://127.0.0.1:1/',
    method: 'GET',
    headers: {},
    timeoutMs: 10 * SECOND_MS,
    expectedStatus: [200],
    intervalMs: 15 * MINUTE_MS,
    phaseMs: 0,
    labels: {},
    ...more,
  }
}

export function csv(id: string, path: string, more: Partial<CsvSource> = {}): CsvSource {
  return { id, kind: 'csv', path, intervalMs: 15 * MINUTE_MS, phaseMs: 0, labels: {}, ...more }
}

export function configOf(sources: readonly SourceConfig[], dataDir = '/nowhere'): Config {
  return {
    dataDir,
    env: 'test',
    locale: 'en',
    displayTimeZone: 'UTC',
    log: 'memory:',
    kafka: plainKafka,
    registry: null,
    publicUrl: null,
    sources,
    window: { lengthMs: HOUR_MS, graceMs: 10 * MINUTE_MS, latenessMs: 14 * 24 * HOUR_MS },
    partitions: 1,
    rules: [],
    calendar: { kind: 'always', holidays: [] },
    week: 'iso-week',
    datasetRows: {},
    jobs: {
      latency: {
        everyMs: 15 * MINUTE_MS,
        rawRetentionDays: 14,
        rollupRetentionDays: 90,
        rollupOutput: 'ops/signal_latency_rollup.csv',
      },
    },
    bind: { host: '127.0.0.1', port: 0 },
    ...withoutChannels,
  }
}

/** A desk that tells nobody. */
export const withoutChannels: Pick<Config, 'channels' | 'routes' | 'delivery'> = {
  channels: [],
  routes: { info: [], warning: [], critical: [], weekly: [], unacknowledged: [], owner: [] },
  delivery: {
    maxRetries: 3,
    retryWaitMs: 10 * SECOND_MS,
    fallbackAfter: 2,
    fallback: null,
    ackWithinMs: 30 * MINUTE_MS,
    flapping: { changes: 4, withinMs: 12 * HOUR_MS },
    allowHosts: [],
    proxy: { https: null, http: null, none: null },
  },
}

/** A prober without a network: answers each probe as the test says, and remembers what it was asked. */
export class ScriptedProber implements Prober {
  readonly asked: string[] = []
  /** What the next probes give; a promise is a probe that runs. */
  answer: (target: HttpTarget) => ProbeResult | Promise<ProbeResult> = () => ({
    kind: 'answered',
    elapsedMs: 12,
    lagMs: 0,
  })

  async probe(target: HttpTarget): Promise<ProbeResult> {
    this.asked.push(target.url)
    return await this.answer(target)
  }

  async close(): Promise<void> {}
}

export interface Written {
  readonly partition: number
  readonly offset: number
  readonly key: string
  readonly value: SampleFact
  readonly cursors: readonly string[]
}

/** A log in memory with everything that a sampler needs, and a folder for its files. */
export class Desk {
  readonly log: MemoryLog
  readonly clock: ManualClock
  readonly dir: string
  readonly prober = new ScriptedProber()
  readonly warnings: string[] = []
  readonly #codecs: ImportDependencies['codecs']
  readonly #running: { stop(): Promise<void> }[] = []

  private constructor(
    log: MemoryLog,
    clock: ManualClock,
    parts: { dir: string; codecs: ImportDependencies['codecs'] },
  ) {
    this.log = log
    this.clock = clock
    this.dir = parts.dir
    this.#codecs = parts.codecs
  }

  static async open(startAt: Instant, partitions = 1): Promise<Desk> {
    const clock = new ManualClock(startAt)
    const log = openMemoryLog({ clock, partitions })
    await log.topics.apply(catalogue)
    const registry = openEmbeddedRegistry(log.schemas)
    const codecs = { sample: await openCodec(topics.sample, registry), plan: await openCodec(topics.plan, registry) }
    return new Desk(log, clock, { dir: await mkdtemp(join(tmpdir(), 'sampler-')), codecs })
  }

  file(name = 'latency.csv'): string {
    return join(this.dir, name)
  }

  dependencies(sources: readonly SourceConfig[], log: EventLog = this.log): SamplingDependencies & ImportDependencies {
    return {
      log,
      codecs: this.#codecs,
      clock: this.clock,
      config: configOf(sources, this.dir),
      prober: this.prober,
      logger: { info: () => {}, warn: (_fields, message) => void this.warnings.push(message) },
      counters: { sample: () => {}, tick: () => {}, csvFault: () => {}, retry: () => {} },
    }
  }

  /** Samples without end, as `serve` does. */
  async sample(sources: readonly SourceConfig[], log?: EventLog): Promise<Sampling> {
    const sampling = new Sampling(this.dependencies(sources, log))
    const service = await this.#serve(sampling.observer)
    this.#running.push(sampling, service)
    await sampling.start()
    return sampling
  }

  /** One round in a process of its own, as a one-shot command does. */
  async round(sources: readonly SourceConfig[], log?: EventLog): Promise<RoundSummary> {
    const round = new SamplingRound(this.dependencies(sources, log))
    const service = await this.#serve(round.observer)
    try {
      return await round.run()
    } finally {
      await round.stop()
      await service.stop()
    }
  }

  /** Everything that runs ends, as a process does; the log stays. */
  async stop(): Promise<void> {
    for (const running of this.#running.splice(0)) await running.stop()
  }

  async close(): Promise<void> {
    await this.stop()
    await this.log.close()
    await rm(this.dir, { recursive: true, force: true })
  }

  async written(): Promise<readonly Written[]> {
    const written: Written[] = []
    for (const { partition, earliest, end } of await this.log.offsets(topics.sample.name))
      for await (const batch of this.log.read(topics.sample.name, partition, earliest, end))
        for (const record of batch.records())
          written.push({
            partition,
            offset: record.offset,
            key: record.key.toString(),
            value: this.#codecs.sample.decode(record.value!),
            cursors: record.headers
              .filter(({ name }) => name === 'obs-csv-cursor')
              .map(({ value }) => Buffer.from(value).toString()),
          })
    return written
  }

  async samples(): Promise<readonly (Probe & { source: string })[]> {
    return (await this.written()).flatMap(({ key, value }) =>
      value.type === 'probe' ? [{ ...value, source: key }] : [],
    )
  }

  /** The log as a reader would tell it: `tick 22:00:00.000`, `a 22:00:00.000 ok 12`. */
  async story(): Promise<readonly string[]> {
    const time = (instant: Instant): string => formatInstantMs(instant).slice(11, 23)
    return (await this.written()).map(({ key, value }) =>
      value.type === 'tick'
        ? `tick ${time(value.at)}`
        : `${key} ${time(value.scheduledAt)} ${value.outcome} ${value.latencyMs ?? value.errorCode}`,
    )
  }

  async planKeys(): Promise<readonly string[]> {
    const [place] = await this.log.offsets(topics.plan.name)
    const keys: string[] = []
    for await (const batch of this.log.read(topics.plan.name, 0, place!.earliest, place!.end))
      for (const { key } of batch.records()) keys.push(key.toString())
    return keys
  }

  #serve(observer: Sampling['observer']): Promise<RunningService> {
    const deps: RunDependencies = {
      log: this.log,
      plans: new PlanStore(this.log, this.#codecs.plan),
      codecs: new Map(),
      clock: this.clock,
      logger: { info: () => {}, warn: () => {} },
      counters: { batch: () => {}, deadLetter: () => {}, restart: () => {} },
    }
    return runService(samplerService(this.#codecs.sample), deps, observer)
  }
}

/** The id that later readers drop copies by. */
export function idOf({
  source,
  scheduledAt,
  ordinal,
}: {
  source: string
  scheduledAt: Instant
  ordinal: number
}): string {
  return `${source}/${formatInstantMs(scheduledAt)}/${ordinal}`
}

const DEADLINE_MS = 10_000

/** Waits for a fact. */
export async function eventually<Value>(
  look: () => Promise<Value>,
  isThere: (value: Value) => boolean,
): Promise<Value> {
  const startedMs = performance.now()
  for (;;) {
    const value = await look()
    if (isThere(value)) return value
    if (performance.now() - startedMs > DEADLINE_MS)
      throw new Error(`waited in vain; last seen: ${JSON.stringify(value)}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
