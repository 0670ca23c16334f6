import type { Config } from '#lib/config.ts'
import type { Probe } from '#lib/facts.ts'
import type { PartitionObserver } from '#lib/runtime/run.ts'
import type { Instant } from '#lib/time.ts'
import { MINUTE_MS } from '#lib/time.ts'
import { Alarm } from './alarm.ts'
import type { SamplerMemory } from './memory.ts'
import type { OwnedPartition } from './owned-partition.ts'
import type { PartitionClaim } from './partition-claims.ts'
import { PartitionClaims } from './partition-claims.ts'
import type { SamplingDependencies } from './sampling-parts.ts'
import { SamplingParts } from './sampling-parts.ts'
import { tickAfter, ticksMissed } from './schedule.ts'
import { SlotProber } from './slot-prober.ts'

/** With so many samples waiting for the log, no more are taken: the log is away, and memory is not endless. */
const MAX_WAITING_SAMPLES = 100_000

/** How long the prober sleeps when there is nothing to probe. */
const IDLE_MS = MINUTE_MS

interface Owned {
  readonly partition: OwnedPartition
  /** By which it is sampled. */
  parts: SamplingParts
  /** Wakes the loop that writes the partition. */
  readonly alarm: Alarm
}

/**
 * The edge of the sampler: probes, reads csv files, and writes samples and ticks of the partitions that this process owns,
 * until it is stopped.
 *
 * Give `observer` to `runService` together with `samplerService`; call `start` before or after.
 */
export class Sampling {
  /** Resolves after `stop`. Rejects with OBS_SAMPLER_CLOCK, or a fault of the log that will not pass; all has stopped then. */
  readonly ended: Promise<void>
  #parts: SamplingParts
  readonly #deps: SamplingDependencies
  readonly #claims: PartitionClaims
  readonly #slots: SlotProber
  readonly #probing: Alarm
  readonly #stopping = new AbortController()
  readonly #end = Promise.withResolvers<void>()
  readonly #owned = new Map<number, Owned>()
  readonly #loops = new Set<Promise<void>>()

  constructor(deps: SamplingDependencies) {
    this.#deps = deps
    this.#parts = SamplingParts.of(deps, { maxAttempts: Number.POSITIVE_INFINITY, signal: this.#stopping.signal })
    this.#claims = new PartitionClaims(() => this.#parts.log.ends())
    this.#slots = new SlotProber({
      prober: deps.prober,
      now: () => deps.clock.now(),
      take: (source, sample) => this.#take(source, sample),
    })
    this.#probing = new Alarm(deps.clock)
    this.ended = this.#end.promise
    this.ended.catch(() => {})
  }

  get observer(): PartitionObserver<SamplerMemory> {
    return this.#claims
  }

  /** The newest tick that every owned partition has; `null`: none is owned, or one has no tick yet. */
  get lastTickAt(): Instant | null {
    const ticks = [...this.#owned.values()].map(({ partition }) => partition.lastTickAt ?? Number.NEGATIVE_INFINITY)
    const oldest = Math.min(...ticks)
    return Number.isFinite(oldest) ? oldest : null
  }

  /**
   * Samples until `stop`; in each partition, what was missed comes first.
   *
   * @throws OBS_CONFIG_INVALID
   */
  async start(): Promise<void> {
    await this.#parts.prepare()
    this.#keep(this.#probe())
    this.#claims.each((claim) => this.#keep(this.#serve(claim)))
  }

  /**
   * Samples by another configuration from now on. Its plan is in the log when this resolves, and each partition's next tick
   * names it. No slot is lost on the way: ticks that are owed come before, under the plan of before; what stands in files
   * that are left is published; a source that stays is not probed twice for a slot; probes under way end.
   *
   * @throws OBS_CONFIG_INVALID, and the old configuration stays in force
   */
  async reload(config: Config): Promise<void> {
    const parts = this.#parts.with(config)
    await parts.prepare()
    this.#parts = parts
    for (const { alarm } of this.#owned.values()) alarm.wake()
  }

  /**
   * Ends sleeping and waiting at once, lets an append that is under way end, and appends what has been sampled. Probes
   * under way are given up. Idempotent.
   */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#claims.close()
    while (this.#loops.size > 0) await Promise.all(this.#loops)
    this.#end.resolve()
  }

  /** A fault in one loop ends all. */
  #keep(loop: Promise<void>): void {
    const kept = loop
      .catch((error: unknown) => {
        if (this.#stopping.signal.aborted) return
        this.#end.reject(error)
        this.#stopping.abort()
        this.#claims.close()
      })
      .finally(() => this.#loops.delete(kept))
    this.#loops.add(kept)
  }

  async #probe(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      if (!this.#isBackedUp()) void this.#slots.probeDue()
      const now = this.#deps.clock.now()
      await this.#probing.sleep((this.#slots.nextSlotAt(now) ?? now + IDLE_MS) - now, signal)
    }
  }

  #isBackedUp(): boolean {
    return [...this.#owned.values()].some(({ partition }) => partition.waitingCount >= MAX_WAITING_SAMPLES)
  }

  async #serve(claim: PartitionClaim): Promise<void> {
    const memory = await claim.caughtUp
    if (!memory || this.#stopping.signal.aborted) return
    const parts = this.#parts
    const owned: Owned = {
      partition: await parts.own(claim.partition, memory),
      parts,
      alarm: new Alarm(this.#deps.clock),
    }
    this.#owned.set(claim.partition, owned)
    this.#deps.logger.info({ partition: claim.partition }, `the sampler writes partition ${claim.partition}`)
    try {
      this.#probeFor(owned)
      await parts.catchUp(owned.partition)
      await this.#tick(owned, AbortSignal.any([this.#stopping.signal, claim.revoked]))
    } finally {
      this.#release(owned)
      await owned.partition.close()
    }
    await owned.partition.writeSamples()
  }

  #probeFor({ partition, parts }: Owned): void {
    for (const source of parts.httpSources(partition.partition))
      this.#slots.add(source, partition.lastSlotAt(source.id))
    this.#probing.wake()
  }

  /** From one configuration to the next. */
  async #takeOver(owned: Owned): Promise<void> {
    const before = owned.parts.httpSources(owned.partition.partition)
    owned.parts = this.#parts
    await owned.parts.follow(owned.partition)
    const after = owned.parts.httpSources(owned.partition.partition)
    for (const { id } of before) if (!after.some((source) => source.id === id)) this.#slots.remove(id)
    this.#probeFor(owned)
  }

  /** Unless the partition has been taken again already. */
  #release(owned: Owned): void {
    const { partition } = owned.partition
    if (this.#owned.get(partition) !== owned) return
    this.#owned.delete(partition)
    for (const { id } of owned.parts.httpSources(partition)) this.#slots.remove(id)
  }

  async #tick(owned: Owned, signal: AbortSignal): Promise<void> {
    const { partition, alarm } = owned
    while (!signal.aborted) {
      const { guard, plan, planHash } = owned.parts
      const now = guard.believed(partition.lastTickAt)
      await partition.writeTicks(ticksMissed(partition.lastTickAt, now, plan.tickIntervalMs), () => planHash)
      if (partition.waitingCount > 0) continue
      const nextAt = tickAfter(now, plan.tickIntervalMs)
      if (owned.parts !== this.#parts) await this.#takeOver(owned)
      else await alarm.sleep(Math.max(0, nextAt - guard.now()), signal)
    }
  }

  /** A sample whose partition is no longer ours is written all the same: samples may come from anybody. */
  #take(source: string, sample: Probe): void {
    if (this.#stopping.signal.aborted) return
    const index = this.#parts.partitionOf(source)
    const owned = this.#owned.get(index)
    owned?.partition.put(source, sample)
    owned?.alarm.wake()
    const { log } = this.#parts
    if (!owned) this.#keep(log.append(index, [log.recordOfSample(source, sample)]))
  }
}
