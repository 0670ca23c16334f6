import type { TopicCodec } from '#lib/codec/avro.ts'
import { planRecord } from '#lib/codec/plan-json.ts'
import { isObstreamError } from '#lib/errors.ts'
import type { EventLog, LogRecord, RecordHeader } from '#lib/eventlog/port.ts'
import type { PlanRecord, Probe, SampleFact, Tick } from '#lib/facts.ts'
import type { Plan } from '#lib/plan.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import type { RunLogger } from '#lib/runtime/run.ts'
import type { Milliseconds } from '#lib/time.ts'
import { SECOND_MS } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import type { GuardedClock } from './guarded-clock.ts'
import type { SamplerCounters } from './metrics.ts'

export interface SampleLogDependencies {
  readonly log: EventLog
  readonly codecs: {
    readonly sample: Pick<TopicCodec<SampleFact>, 'encode'>
    readonly plan: Pick<TopicCodec<PlanRecord>, 'encode'>
  }
  readonly clock: Clock
  readonly guard: GuardedClock
  readonly logger: RunLogger
  readonly counters: SamplerCounters
  /** How often a fault that may pass is met before it counts. */
  readonly maxAttempts: number
  /** Ends the waiting between two attempts. */
  readonly signal: AbortSignal
}

const FIRST_WAIT_MS: Milliseconds = 200
const LONGEST_WAIT_MS: Milliseconds = 5 * SECOND_MS
const TICK_KEY = Buffer.alloc(0)

/**
 * The log as the sampler writes it. A fault that may pass is tried again; after an unknown outcome the very same records
 * are appended again, since of two samples with one id, and of two equal ticks, the second changes nothing.
 */
export class SampleLog {
  readonly #deps: SampleLogDependencies

  constructor(deps: SampleLogDependencies) {
    this.#deps = deps
  }

  recordOfSample(source: string, sample: Probe, headers: readonly RecordHeader[] = []): LogRecord {
    return { key: Buffer.from(source), value: this.#deps.codecs.sample.encode(sample), headers }
  }

  recordOfTick(tick: Omit<Tick, 'type'>, headers: readonly RecordHeader[] = []): LogRecord {
    return { key: TICK_KEY, value: this.#deps.codecs.sample.encode({ type: 'tick', ...tick }), headers }
  }

  /** Appends one batch to `obs.sample.v1`. @throws what ended the last attempt */
  async append(partition: number, records: readonly LogRecord[]): Promise<void> {
    const { log, guard } = this.#deps
    await this.persist(() => guard.observe(() => log.append(topics.sample.name, partition, records)))
  }

  /** Writes the plan, if it is not in the log. @returns its hash */
  async publishPlan(plan: Plan): Promise<string> {
    const { log, guard, codecs } = this.#deps
    const { hash, record } = planRecord(plan)
    if (await this.persist(() => this.#hasPlan(hash))) return hash
    const value = codecs.plan.encode(record)
    await this.persist(() => guard.observe(() => log.append(topics.plan.name, 0, [{ key: Buffer.from(hash), value }])))
    return hash
  }

  /** The offset behind the last record of each partition of `obs.sample.v1`. */
  async ends(): Promise<readonly number[]> {
    const places = await this.persist(() => this.#deps.log.offsets(topics.sample.name))
    return places.map(({ end }) => end)
  }

  async #hasPlan(hash: string): Promise<boolean> {
    const { log } = this.#deps
    const [place] = await log.offsets(topics.plan.name)
    for await (const batch of log.read(topics.plan.name, 0, place!.earliest, place!.end))
      for (const { key } of batch.records()) if (key.toString() === hash) return true
    return false
  }

  /** Does something with the log until it succeeds, or fails for a reason that will not pass. */
  async persist<Answer>(action: () => Promise<Answer>): Promise<Answer> {
    const { clock, logger, counters, maxAttempts, signal } = this.#deps
    for (
      let attempt = 1, waitMs = 0;
      ;
      attempt++, waitMs = Math.min(Math.max(waitMs * 2, FIRST_WAIT_MS), LONGEST_WAIT_MS)
    )
      try {
        return await action()
      } catch (error) {
        if (!isObstreamError(error) || !error.retryable || attempt >= maxAttempts || signal.aborted) throw error
        counters.retry()
        logger.warn({ error, attempt }, `the sampler tries again: ${error.message}`)
        if (waitMs > 0) await clock.sleep(waitMs, signal)
      }
  }
}
