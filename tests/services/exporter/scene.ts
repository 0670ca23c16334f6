import { openMemoryArtefacts } from '#lib/artefacts/memory.ts'
import type { ArtefactStore } from '#lib/artefacts/port.ts'
import type { Cause } from '#lib/cause.ts'
import { openCodec, type TopicCodec } from '#lib/codec/avro.ts'
import { openMemoryLog } from '#lib/eventlog/memory.ts'
import type { EventLog, Progress } from '#lib/eventlog/port.ts'
import type { Alert, JobFact, JobFinished, Probe, SampleFact, Window, WindowFact } from '#lib/facts.ts'
import { JobTopic } from '#lib/jobs/job-topic.ts'
import { alertKey, windowKey } from '#lib/keys.ts'
import { openEmbeddedRegistry } from '#lib/registry/embedded.ts'
import { derivedHeaders } from '#lib/runtime/record-headers.ts'
import type { RunLogger } from '#lib/runtime/run.ts'
import { catalogue, type TopicDefinition, topics } from '#lib/topics.ts'
import type { JobLock } from '#services/exporter/adapters/job-lock.ts'
import type { LatencyJobDependencies } from '#services/exporter/adapters/latency-job.ts'
import { type LatencyOutcome, runLatencyOnce } from '#services/exporter/adapters/latency-once.ts'
import type { LatencyRequest } from '#services/exporter/latency-start.ts'
import { ManualClock } from '#tests/support/manual-clock.ts'

export const at = (time: string): number => Date.parse(time)

export const options = { rawRetentionDays: 14, rollupRetentionDays: 90, rollupOutput: 'ops/signal_latency_rollup.csv' }

interface Codecs {
  readonly sample: TopicCodec<SampleFact>
  readonly window: TopicCodec<WindowFact>
  readonly alert: TopicCodec<Alert>
  readonly job: TopicCodec<JobFact>
}

type Committed = Awaited<ReturnType<EventLog['committed']>>

/** Ends a process at one of its steps: before or after a record is appended, a file written or removed. */
export class Steps {
  #left: number

  constructor(left = Number.POSITIVE_INFINITY) {
    this.#left = left
  }

  get isDead(): boolean {
    return this.#left <= 0
  }

  async around<T>(work: () => Promise<T>): Promise<T> {
    this.#step()
    const result = await work()
    this.#step()
    return result
  }

  #step(): void {
    this.#left -= 1
    if (this.isDead) throw new Error('this process is dead')
  }
}

/** A log in memory with facts written by hand in place of the other services, and an exporter on it. */
export class Scene {
  readonly log: EventLog
  readonly codecs: Codecs
  /** Gives records their append times. */
  readonly logClock: ManualClock
  readonly clock = new ManualClock(at('2026-06-27T12:00:00Z'))
  readonly warnings: string[] = []
  readonly partitions: number
  store: ArtefactStore = openMemoryArtefacts()
  /** How far the others have come; default: everything. */
  committed: (group: string, topic: string) => Promise<Committed> = (group, topic) => this.everything(group, topic)
  #runs = 0
  #places = 0
  #isLocked = false

  static async open(partitions = 1): Promise<Scene> {
    const logClock = new ManualClock(0)
    const log = openMemoryLog({ clock: logClock, partitions })
    await log.topics.apply(catalogue)
    const registry = openEmbeddedRegistry(log.schemas)
    const codecs = {
      sample: await openCodec(topics.sample, registry),
      window: await openCodec(topics.window, registry),
      alert: await openCodec(topics.alert, registry),
      job: await openCodec(topics.job, registry),
    }
    return new Scene(log, codecs, logClock, partitions)
  }

  constructor(log: EventLog, codecs: Codecs, logClock: ManualClock, partitions: number) {
    this.log = log
    this.logClock = logClock
    this.codecs = codecs
    this.partitions = partitions
  }

  async tick(time: string, partitions = [...Array(this.partitions).keys()]): Promise<void> {
    const value = this.codecs.sample.encode({ type: 'tick', at: at(time), plan: `plan of ${time}` })
    for (const partition of partitions)
      await this.log.append(topics.sample.name, partition, [{ key: Buffer.alloc(0), value }])
  }

  async sample(
    source: string,
    time: string,
    fields: Partial<Probe> & { readonly partition?: number } = {},
  ): Promise<void> {
    const { partition = 0, ...probe } = fields
    const value = this.codecs.sample.encode({
      type: 'probe',
      outcome: 'ok',
      scheduledAt: at(time),
      ordinal: 0,
      latencyMs: 100,
      measuredAt: at(time),
      lagMs: 0,
      errorCode: null,
      ...probe,
    })
    await this.log.append(topics.sample.name, partition, [{ key: Buffer.from(source), value }])
  }

  async window(
    source: string,
    start: string,
    fields: Partial<Window> = {},
    cause: Cause = [this.#places++, 0],
  ): Promise<void> {
    const window: Window = {
      type: 'window',
      source,
      startAt: at(start),
      endAt: at(start) + 3_600_000,
      revision: 0,
      decidedAt: at(start) + 4_200_000,
      late: false,
      verdict: 'ok',
      reason: null,
      count: 1,
      errorCount: 0,
      timeoutCount: 0,
      skippedCount: 0,
      expectedCount: 4,
      p50Ms: 100,
      p95Ms: 100,
      maxMs: 100,
      thresholdMs: 500,
      ruleId: 'p95',
      plan: 'p',
      latencies: [{ ms: 100, count: 1 }],
      sampleIds: [],
      sealed: false,
      ...fields,
    }
    const key = windowKey(source, window.startAt, window.revision)
    await this.#derived(topics.window, { key, value: this.codecs.window.encode(window) }, cause)
  }

  async alert(alertId: string, decided: string, kind: Alert['kind'], sequence = 0): Promise<void> {
    const value = this.codecs.alert.encode({
      alertId,
      sequence,
      kind,
      about: 'breach',
      severity: 'warning',
      ruleId: 'p95',
      source: 'a',
      decidedAt: at(decided),
      eventAt: at(decided),
      openedAt: at(decided),
      reason: 'r',
      streak: 1,
      thresholdMs: 1,
      plan: 'p',
      evidence: [],
    })
    await this.#derived(topics.alert, { key: alertKey(alertId, sequence), value }, [this.#places++, 0, 0])
  }

  async #derived(
    topic: TopicDefinition,
    record: { readonly key: string; readonly value: Buffer },
    cause: Cause,
  ): Promise<void> {
    const headers = derivedHeaders(cause, { offset: 0, crc: '00000000' })
    await this.log.append(topic.name, 0, [{ key: Buffer.from(record.key), value: record.value, headers }])
  }

  /** What the groups would have committed had they read all there is. */
  async everything(_group: string, topic: string): Promise<Committed> {
    const far: Progress = {
      offset: 0,
      mark: [0],
      position: [0],
      floor: null,
      done: [Number.MAX_SAFE_INTEGER],
      reached: Number.MAX_SAFE_INTEGER,
    }
    return (await this.log.offsets(topic)).map(({ partition }) => ({ partition, ...far }))
  }

  /** What a new process would have. */
  process(steps = new Steps()): LatencyJobDependencies {
    const log = this.#logOf(steps)
    const { store } = this
    const logger: RunLogger = { info: () => {}, warn: (_fields, message) => this.warnings.push(message) }
    return {
      log,
      codecs: this.codecs,
      jobs: new JobTopic(log, this.codecs.job),
      store: {
        ...store,
        write: (path, bytes) => steps.around(() => store.write(path, bytes)),
        extend: (path, bytes) => steps.around(() => store.extend(path, bytes)),
        rename: (from, to) => steps.around(() => store.rename(from, to)),
        remove: (path) => steps.around(() => store.remove(path)),
      },
      clock: this.clock,
      logger,
      waitMs: 5_000,
    }
  }

  #logOf(steps: Steps): EventLog {
    const { log } = this
    return {
      endsLagMs: log.endsLagMs,
      append: (topic, partition, records) => steps.around(() => log.append(topic, partition, records)),
      read: (topic, partition, from, to, signal) => log.read(topic, partition, from, to, signal),
      follow: (topic, partition, from, signal) => log.follow(topic, partition, from, signal),
      offsets: (topic, atMs) => log.offsets(topic, atMs),
      subscribe: (group, topic, handler) => log.subscribe(group, topic, handler),
      committed: (group, topic) => this.committed(group, topic),
      topics: log.topics,
      close: async () => {},
    }
  }

  request(slot: string, fields: Partial<LatencyRequest> = {}): LatencyRequest {
    this.#runs += 1
    return {
      slotAt: at(slot),
      runId: `run-${this.#runs}`,
      nextRunAt: at(slot) + 900_000,
      options,
      command: ['obstream', 'latency'],
      commitSha: null,
      dryRun: false,
      ...fields,
    }
  }

  /** As a lock that ends with its process. */
  lockOf(steps?: Steps): JobLock {
    return () => {
      if (this.#isLocked) return null
      this.#isLocked = true
      const release = (): void => {
        this.#isLocked = false
      }
      return { release: steps ? () => void (steps.isDead || release()) : release }
    }
  }

  /** The process that held the lock is dead. */
  freeLock(): void {
    this.#isLocked = false
  }

  run(slot: string, fields: Partial<LatencyRequest> = {}): Promise<LatencyOutcome> {
    return runLatencyOnce(this.process(), this.request(slot, fields), this.lockOf())
  }

  /** Every end of a job that counts. */
  async finished(): Promise<readonly JobFinished[]> {
    return await this.process().jobs.finished()
  }

  async file(path: string): Promise<string | null> {
    const bytes = await this.store.read(path)
    return bytes && Buffer.from(bytes).toString()
  }

  /** All files below a folder with their content. */
  async files(folder = 'ops'): Promise<Record<string, string>> {
    const paths = await this.store.list(folder)
    return Object.fromEntries(await Promise.all(paths.map(async (path) => [path, await this.file(path)])))
  }

  /** The files that are a function of log and cut. */
  async artefacts(): Promise<Record<string, string>> {
    const files = Object.entries(await this.files())
    return Object.fromEntries(files.filter(([path]) => path.startsWith('ops/signal_latency')))
  }
}
