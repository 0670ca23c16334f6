import type { HttpSource } from '#lib/config.ts'
import type { Probe } from '#lib/facts.ts'
import { slotOf } from '#lib/plan.ts'
import type { Instant } from '#lib/time.ts'
import type { Prober } from './adapters/probe-pool.ts'
import { sampleOf, skippedSample } from './sample.ts'
import { slotAfter, slotsDue } from './schedule.ts'

export interface SlotProberOptions {
  readonly prober: Prober
  readonly now: () => Instant
  /** Takes every sample, in the order in which probes end. */
  readonly take: (source: string, sample: Probe) => void
}

interface ProbedSource {
  config: HttpSource
  /** The latest slot that was probed, skipped or found in the log. */
  slotAt: Instant | null
  isRunning: boolean
}

/**
 * Probes each source once for each of its slots, as time passes.
 *
 * A slot that comes while the probe of an earlier one still runs is `skipped`. A slot that passed while nobody looked is
 * not made up: only the newest is probed, late, and the others are missing.
 */
export class SlotProber {
  readonly #options: SlotProberOptions
  readonly #sources = new Map<string, ProbedSource>()

  constructor(options: SlotProberOptions) {
    this.#options = options
  }

  /**
   * Probes a source from now on; one that is probed already, by this configuration, without probing a slot again.
   *
   * @param slotAt the latest slot that has a sample already; `null`: none
   */
  add(config: HttpSource, slotAt: Instant | null): void {
    const known = this.#sources.get(config.id)
    if (!known) this.#sources.set(config.id, { config, slotAt, isRunning: false })
    else Object.assign(known, { config, slotAt: latest(known.slotAt, slotAt) })
  }

  remove(source: string): void {
    this.#sources.delete(source)
  }

  /** When the next slot begins; `null`: there is no source. */
  nextSlotAt(now: Instant): Instant | null {
    let earliest: Instant | null = null
    for (const { config } of this.#sources.values()) {
      const at = slotAfter(config, now)
      if (earliest === null || at < earliest) earliest = at
    }
    return earliest
  }

  /** Begins the probes that are due. @returns a promise of the end of all of them */
  probeDue(): Promise<unknown> {
    const now = this.#options.now()
    const begun: Promise<void>[] = []
    for (const source of this.#sources.values()) {
      const { config, slotAt, isRunning } = source
      const newestAt = slotOf(config, now)
      if (slotAt !== null && newestAt <= slotAt) continue
      if (isRunning && slotAt !== null) this.#skip(config, slotAt, now)
      source.slotAt = newestAt
      if (!isRunning) begun.push(this.#probe(source, newestAt, now))
    }
    return Promise.all(begun)
  }

  #skip(config: HttpSource, after: Instant, now: Instant): void {
    for (const missedAt of slotsDue(config, after, now)) this.#options.take(config.id, skippedSample(missedAt, now))
  }

  async #probe(source: ProbedSource, scheduledAt: Instant, measuredAt: Instant): Promise<void> {
    const { id, timeoutMs } = source.config
    source.isRunning = true
    const result = await this.#options.prober.probe(source.config)
    source.isRunning = false
    this.#options.take(id, sampleOf({ scheduledAt, measuredAt, timeoutMs }, result))
  }
}

function latest(a: Instant | null, b: Instant | null): Instant | null {
  if (a === null || b === null) return a ?? b
  return Math.max(a, b)
}
