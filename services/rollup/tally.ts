import type { Probe, Window } from '#lib/facts.ts'
import type { Instant } from '#lib/time.ts'
import { LatencyCounts } from './percentiles.ts'
import { SampleIds } from './sample-ids.ts'

/** What rollup reads of a probe. */
export type Sample = Pick<Probe, 'type' | 'outcome' | 'scheduledAt' | 'ordinal' | 'latencyMs'>

/**
 * What became of a sample: `refused` when the window has as many different latencies as it may. It is remembered all the
 * same, so that a copy of it is a `copy`.
 */
export type Added = 'counted' | 'copy' | 'refused'

/** What has been counted in one window. The order of counting leaves no trace, unless samples are refused. */
export class Tally {
  readonly ids: SampleIds
  /** Of ok and timeout: a timeout counts as the time after which it was given up. */
  readonly latencies = new LatencyCounts()
  #errors = 0
  #timeouts = 0
  #skipped = 0
  #hasRefused = false

  /** @param startAt of the window */
  constructor(startAt: Instant) {
    this.ids = new SampleIds(startAt)
  }

  /** What a window record holds, to count on. Not for a sealed one, which does not name its samples. */
  static of(window: Window): Tally {
    const tally = new Tally(window.startAt)
    for (const { firstAt, stepMs, count, ordinal } of window.sampleIds)
      for (let i = 0; i < count; i++) tally.ids.add(firstAt + i * stepMs, ordinal)
    for (const { ms, count } of window.latencies) tally.latencies.add(ms, count)
    tally.#timeouts = window.timeoutCount
    tally.#errors = window.errorCount - window.timeoutCount
    tally.#skipped = window.skippedCount
    return tally
  }

  add(sample: Sample): Added {
    if (!this.ids.add(sample.scheduledAt, sample.ordinal)) return 'copy'
    switch (sample.outcome) {
      case 'ok':
        return this.#addLatency(sample)
      case 'timeout':
        if (this.#addLatency(sample) === 'refused') return 'refused'
        this.#timeouts++
        break
      case 'error':
        this.#errors++
        break
      case 'skipped':
        this.#skipped++
    }
    return 'counted'
  }

  #addLatency({ latencyMs }: Sample): Added {
    if (this.latencies.add(latencyMs!)) return 'counted'
    this.#hasRefused = true
    return 'refused'
  }

  /** Then `ids` holds samples that are not counted. */
  get hasRefused(): boolean {
    return this.#hasRefused
  }

  /** ok + timeout. */
  get count(): number {
    return this.latencies.total
  }

  /** error + timeout. */
  get errorCount(): number {
    return this.#errors + this.#timeouts
  }

  get timeoutCount(): number {
    return this.#timeouts
  }

  get skippedCount(): number {
    return this.#skipped
  }
}
