import type { TopicCodec } from '#lib/codec/avro.ts'
import { isObstreamError } from '#lib/errors.ts'
import type { Offset, PartitionOffsets } from '#lib/eventlog/port.ts'
import type { SampleFact } from '#lib/facts.ts'
import { readFacts } from '#lib/jobs/read-facts.ts'
import { formatInstant, type Instant, MINUTE_MS, type Milliseconds, SECOND_MS } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import type { House, HouseDependencies } from './house.ts'
import { parseSamplerSubject, samplerSubject } from './house-subjects.ts'

const LEAST_SILENCE_MS = MINUTE_MS
const LOOK_EVERY_MS = 5 * SECOND_MS
/** Ticks go to every partition; one is enough to hear them. */
const PARTITION = 0
/** Records from the end in which a tick is sought first. */
const FIRST_SPAN = 1_000

export interface SamplerWatchDependencies extends Pick<HouseDependencies, 'log' | 'clock' | 'logger' | 'config'> {
  readonly samples: TopicCodec<SampleFact>
  readonly house: House
}

/**
 * Says that the sampler is silent when no tick has come for two of the shortest intervals, at least a minute, and that it
 * is back. By its own clock and outside the folds, for whose time stands still meanwhile. A log without any tick is not
 * silent: its sampler has never begun.
 */
export class SamplerWatch {
  readonly #deps: SamplerWatchDependencies
  readonly #stopping = new AbortController()
  #next: Offset = 0
  /** The newest tick, and when it was heard; before the first one that comes, when this courier began to listen. */
  #newestAt: Instant | null = null
  #heardAt: Instant
  #lookedAt: Instant
  /** The last tick before a silence that people were told of, and were not told the end of. */
  #silentSinceAt: Instant | null = null

  constructor(deps: SamplerWatchDependencies) {
    this.#deps = deps
    this.#heardAt = deps.clock.now()
    this.#lookedAt = this.#heardAt
  }

  /** Watches until it is stopped. @throws what no new try can cure */
  async run(): Promise<void> {
    const { signal } = this.#stopping
    let isBegun = false
    while (!signal.aborted) {
      try {
        if (!isBegun) await this.#begin()
        isBegun = true
        await this.#look()
      } catch (error) {
        if (signal.aborted) return
        if (!isObstreamError(error) || !error.retryable) throw error
      }
      await this.#deps.clock.sleep(LOOK_EVERY_MS, signal)
    }
  }

  stop(): void {
    this.#stopping.abort()
  }

  async #begin(): Promise<void> {
    await this.#deps.house.resume()
    this.#silentSinceAt = unended((await this.#deps.house.messages()).map(({ decision }) => decision.subject))
    const { earliest, end } = await this.#place()
    // A tick comes every minute at least: the newest is hardly ever far from the end.
    for (let span = FIRST_SPAN; this.#newestAt === null && this.#next > earliest; span *= 10) {
      this.#next = Math.max(end - span, earliest)
      this.#newestAt = await this.#newestTick()
    }
  }

  async #look(): Promise<void> {
    const { clock, house } = this.#deps
    const newestAt = await this.#newestTick()
    const now = clock.now()
    // A machine that slept, or a log that was away, has kept us from listening: the sampler is given its time anew.
    const wasDeaf = now - this.#lookedAt > this.#silenceMs()
    this.#lookedAt = now
    if (wasDeaf || (newestAt !== null && newestAt !== this.#newestAt)) this.#heardAt = now
    this.#newestAt = newestAt ?? this.#newestAt
    const since = this.#silentSinceAt
    if (since !== null && this.#newestAt !== null && this.#newestAt > since) {
      const notice = { kind: 'sampler_back', sinceAt: since, at: now } as const
      await house.tellEnd(samplerSubject(since, 'silent'), notice, 'ticks are back')
      this.#silentSinceAt = null
    }
    if (this.#silentSinceAt === null && this.#newestAt !== null && now - this.#heardAt > this.#silenceMs())
      await this.#tellSilence(this.#newestAt, now)
  }

  async #tellSilence(sinceAt: Instant, at: Instant): Promise<void> {
    const { house, config, logger } = this.#deps
    const reason = `no tick since ${formatInstant(sinceAt)}`
    logger.warn({ since: formatInstant(sinceAt) }, `the sampler is silent: ${reason}`)
    const notice = { kind: 'sampler_silent', sinceAt, at } as const
    await house.tell(samplerSubject(sinceAt, 'silent'), notice, config().routes.critical, reason)
    this.#silentSinceAt = sinceAt
  }

  /** The newest tick among the records that came since the last look; `null`: none came. */
  async #newestTick(): Promise<Instant | null> {
    const { log, samples } = this.#deps
    const { earliest, end } = await this.#place()
    const stretch = { partition: PARTITION, from: Math.max(this.#next, earliest), to: end }
    let newestAt: Instant | null = null
    for await (const { value } of readFacts(log, samples, stretch, this.#stopping.signal))
      if (value.type === 'tick') newestAt = Math.max(newestAt ?? value.at, value.at)
    this.#next = Math.max(end, stretch.from)
    return newestAt
  }

  async #place(): Promise<PartitionOffsets> {
    return (await this.#deps.log.offsets(topics.sample.name))[PARTITION]!
  }

  #silenceMs(): Milliseconds {
    const shortest = Math.min(...this.#deps.config().sources.map(({ intervalMs }) => intervalMs))
    return Math.max(LEAST_SILENCE_MS, Number.isFinite(shortest) ? 2 * shortest : 0)
  }
}

/** The beginning of the newest silence whose end was not told. */
function unended(subjects: readonly string[]): Instant | null {
  const silences = subjects.map((subject) => parseSamplerSubject(subject)).filter((known) => known !== undefined)
  const ended = new Set(silences.filter(({ what }) => what === 'back').map(({ sinceAt }) => sinceAt))
  const open = silences.filter(({ what, sinceAt }) => what === 'silent' && !ended.has(sinceAt))
  return open.length === 0 ? null : Math.max(...open.map(({ sinceAt }) => sinceAt))
}
