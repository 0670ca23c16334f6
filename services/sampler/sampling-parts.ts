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

/** What every configuration of one sampler shares. */
interface SamplingTools {
  readonly guard: GuardedClock
  readonly log: SampleLog
}

/** What sampling in both ways, without end and once, is put together from. */
export class SamplingParts implements SamplingTools {
  readonly config: Config
  readonly guard: GuardedClock
  readonly csv: CsvSources
  readonly plan: Plan
  readonly log: SampleLog
  readonly #deps: SamplingDependencies
  #planHash = ''
  #partitionCount = 0

  static of(
    deps: SamplingDependencies,
    patience: { readonly maxAttempts: number; readonly signal: AbortSignal },
  ): SamplingParts {
    const guard = new GuardedClock(deps.clock)
    return new SamplingParts(deps, { guard, log: new SampleLog({ ...deps, ...patience, guard }) })
  }

  private constructor(deps: SamplingDependencies, { guard, log }: SamplingTools) {
    this.#deps = deps
    this.config = deps.config
    this.guard = guard
    this.log = log
    this.csv = new CsvSources(deps.config, deps.logger, deps.counters)
    this.plan = planOf(deps.config)
  }

  /** The same by another configuration. `prepare` it before use. */
  with(config: Config): SamplingParts {
    return new SamplingParts({ ...this.#deps, config }, this)
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

  async own(partition: number, memory: SamplerMemory): Promise<OwnedPartition> {
    const { log, guard } = this
    const owned = new OwnedPartition({ partition, memory, log, guard, counters: this.#deps.counters })
    await this.follow(owned)
    return owned
  }

  /** Lets a partition follow the csv files of this configuration, and no others. */
  async follow(owned: OwnedPartition): Promise<void> {
    const sources = this.config.sources.filter(
      (source): source is CsvSource => source.kind === 'csv' && this.partitionOf(source.id) === owned.partition,
    )
    await owned.follow(sources, (source, cursor) => this.csv.tail(source, cursor))
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
