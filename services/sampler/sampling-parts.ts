import type { Config, CsvSource, HttpSource } from '#lib/config.ts'
import { partitionOf } from '#lib/partitioner.ts'
import type { Plan } from '#lib/plan.ts'
import type { Prober } from './adapters/probe-pool.ts'
import { CsvSources } from './csv-sources.ts'
import { GuardedClock } from './guarded-clock.ts'
import type { SamplerMemory } from './memory.ts'
import { OwnedPartition } from './owned-partition.ts'
import { planOf } from './plan.ts'
import type { SampleLogDependencies } from './sample-log.ts'
import { SampleLog } from './sample-log.ts'
import { ticksMissed } from './schedule.ts'

export interface SamplingDependencies extends Omit<SampleLogDependencies, 'guard' | 'maxAttempts' | 'signal'> {
  readonly config: Config
  readonly prober: Prober
}

/** What sampling in both ways, without end and once, is put together from. */
export class SamplingParts {
  readonly config: Config
  readonly guard: GuardedClock
  readonly csv: CsvSources
  readonly plan: Plan
  readonly log: SampleLog
  readonly #deps: SamplingDependencies
  #planHash = ''
  #partitionCount = 0

  constructor(deps: SamplingDependencies, patience: { readonly maxAttempts: number; readonly signal: AbortSignal }) {
    this.#deps = deps
    this.config = deps.config
    this.guard = new GuardedClock(deps.clock)
    this.csv = new CsvSources(deps.config, deps.logger, deps.counters)
    this.plan = planOf(deps.config)
    this.log = new SampleLog({ ...deps, ...patience, guard: this.guard })
  }

  /** sha256 of the plan; in the log once `prepare` has ended. */
  get planHash(): string {
    return this.#planHash
  }

  get partitionCount(): number {
    return this.#partitionCount
  }

  /** Refuses what must not be sampled, writes the plan, and learns how many partitions there are. @throws OBS_CONFIG_INVALID */
  async prepare(): Promise<void> {
    await this.csv.refuseOwnProjections()
    this.#planHash = await this.log.publishPlan(this.plan)
    this.#partitionCount = (await this.log.ends()).length
  }

  partitionOf(source: string): number {
    return partitionOf(source, this.#partitionCount)
  }

  httpSources(partition: number): readonly HttpSource[] {
    return this.config.sources.filter(
      (source): source is HttpSource => source.kind === 'http' && this.partitionOf(source.id) === partition,
    )
  }

  own(partition: number, memory: SamplerMemory): OwnedPartition {
    const tails = this.config.sources
      .filter((source): source is CsvSource => source.kind === 'csv' && this.partitionOf(source.id) === partition)
      .map((source) => this.csv.tail(source, memory.cursors.get(source.id)?.value ?? null))
    const { log, guard } = this
    return new OwnedPartition({ partition, memory, tails, log, guard, counters: this.#deps.counters })
  }

  /**
   * Writes the ticks that are owed up to the present, each behind the csv rows that are older. They name the plan of the
   * last tick, for that was in force while nobody sampled: a source added since was not expected then.
   *
   * @throws OBS_SAMPLER_CLOCK
   */
  async catchUp(partition: OwnedPartition): Promise<void> {
    await partition.greet()
    const { lastTickAt, lastPlan } = partition
    const now = this.guard.believed(lastTickAt)
    if (lastTickAt === null || lastPlan === null) return
    await partition.writeTicks(ticksMissed(lastTickAt, now - 1, this.plan.tickIntervalMs), () => lastPlan)
  }
}
