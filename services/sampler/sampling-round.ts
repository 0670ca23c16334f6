import { ObstreamError } from '#lib/errors.ts'
import type { Outcome, Probe } from '#lib/facts.ts'
import type { PartitionObserver } from '#lib/runtime/run.ts'
import type { Instant, Milliseconds } from '#lib/time.ts'
import type { SamplerMemory } from './memory.ts'
import type { OwnedPartition } from './owned-partition.ts'
import { PartitionClaims } from './partition-claims.ts'
import type { SamplingDependencies } from './sampling-parts.ts'
import { SamplingParts } from './sampling-parts.ts'
import { SlotProber } from './slot-prober.ts'

/** What one round over all sources brought. */
export interface RoundSummary {
  readonly samplesWritten: number
  /** Instant of the tick that ended the round, the same in every partition. */
  readonly tickAt: Instant
  /** In the order of the configuration. */
  readonly sources: readonly SourceSummary[]
}

export type SourceSummary = HttpSummary | CsvSummary

export interface HttpSummary {
  readonly source: string
  readonly kind: 'http'
  /** `already_sampled`: the log had a sample of the slot. */
  readonly outcome: Outcome | 'already_sampled'
  readonly latencyMs: Milliseconds | null
  readonly errorCode: string | null
}

export interface CsvSummary {
  readonly source: string
  readonly kind: 'csv'
  /** Published in this round. */
  readonly rows: number
  /** Lines that could not be used; a file that could not be read counts as one. */
  readonly faults: number
}

/** So often a fault of the log that may pass is met, over 18 s, before the round fails with it. */
const MAX_ATTEMPTS = 8

/**
 * The edge of the sampler for commands that are not there to stay: one round over all sources.
 *
 * Give `observer` to `runService` together with `samplerService`; call `run` before or after.
 */
export class SamplingRound {
  readonly #parts: SamplingParts
  readonly #deps: SamplingDependencies
  readonly #claims: PartitionClaims
  readonly #stopping = new AbortController()
  readonly #stopped = Promise.withResolvers<never>()
  #round: Promise<unknown> = Promise.resolve()

  constructor(deps: SamplingDependencies) {
    this.#deps = deps
    this.#parts = SamplingParts.of(deps, { maxAttempts: MAX_ATTEMPTS, signal: this.#stopping.signal })
    this.#claims = new PartitionClaims(() => this.#parts.log.ends())
    this.#stopped.promise.catch(() => {})
  }

  get observer(): PartitionObserver<SamplerMemory> {
    return this.#claims
  }

  /**
   * Waits until all partitions are ours. Writes what was missed: the ticks that are owed, each behind the csv rows that are
   * older. Probes every http source for its current slot, unless the log has a sample of it. Ends with new csv rows and one
   * tick, now. Call it once.
   *
   * @throws OBS_CONFIG_INVALID, OBS_SAMPLER_CLOCK, the log's last fault; OBS_LOG_UNAVAILABLE when stopped
   */
  run(): Promise<RoundSummary> {
    const round = this.#run()
    this.#round = round.catch(() => {})
    return round
  }

  /** Ends waiting and probing at once, and lets an append that is under way end. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#stopped.reject(new ObstreamError('OBS_LOG_UNAVAILABLE', 'sampling was stopped before its round was complete'))
    this.#claims.close()
    await this.#round
  }

  async #run(): Promise<RoundSummary> {
    await this.#parts.prepare()
    const partitions = await this.#untilStopped(this.#ownAll())
    try {
      for (const partition of partitions) await this.#untilStopped(this.#parts.catchUp(partition))
      const probed = await this.#untilStopped(this.#probe(partitions))
      return this.#summary(partitions, probed, await this.#tick(partitions))
    } finally {
      for (const partition of partitions) await partition.close()
    }
  }

  #untilStopped<Value>(work: Promise<Value>): Promise<Value> {
    return Promise.race([work, this.#stopped.promise])
  }

  async #ownAll(): Promise<readonly OwnedPartition[]> {
    const owned = Array.from({ length: this.#parts.partitionCount }, () => Promise.withResolvers<OwnedPartition>())
    this.#claims.each(({ partition, caughtUp }) => {
      const { resolve, reject } = owned[partition]!
      caughtUp.then((memory) => memory && this.#parts.own(partition, memory).then(resolve)).catch(reject)
    })
    return await Promise.all(owned.map(({ promise }) => promise))
  }

  async #probe(partitions: readonly OwnedPartition[]): Promise<ReadonlyMap<string, Probe>> {
    const probed = new Map<string, Probe>()
    const take = (source: string, sample: Probe): void => {
      probed.set(source, sample)
      partitions[this.#parts.partitionOf(source)]!.put(source, sample)
    }
    const slots = new SlotProber({ prober: this.#deps.prober, now: () => this.#deps.clock.now(), take })
    for (const partition of partitions)
      for (const source of this.#parts.httpSources(partition.partition))
        slots.add(source, partition.lastSlotAt(source.id))
    await slots.probeDue()
    return probed
  }

  /** Now; or the newest tick once more, when the clock is a little behind it. The same in every partition. */
  async #tick(partitions: readonly OwnedPartition[]): Promise<Instant> {
    const { guard, planHash } = this.#parts
    const newestAt = Math.max(...partitions.map(({ lastTickAt }) => lastTickAt ?? Number.NEGATIVE_INFINITY))
    const tickAt = Math.max(newestAt, guard.believed(Number.isFinite(newestAt) ? newestAt : null))
    for (const partition of partitions) await this.#untilStopped(partition.writeTicks([tickAt], () => planHash))
    return tickAt
  }

  #summary(partitions: readonly OwnedPartition[], probed: ReadonlyMap<string, Probe>, tickAt: Instant): RoundSummary {
    const { config, csv } = this.#parts
    const sources = config.sources.map(({ id, kind }): SourceSummary => {
      const rows = partitions[this.#parts.partitionOf(id)]!.rowCount(id)
      if (kind === 'csv') return { source: id, kind, rows, faults: csv.faultCount(id) }
      const sample = probed.get(id)
      if (!sample) return { source: id, kind, outcome: 'already_sampled', latencyMs: null, errorCode: null }
      return { source: id, kind, outcome: sample.outcome, latencyMs: sample.latencyMs, errorCode: sample.errorCode }
    })
    return { samplesWritten: partitions.reduce((sum, { sampleCount }) => sum + sampleCount, 0), tickAt, sources }
  }
}
