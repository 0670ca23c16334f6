import type { TopicCodec } from '#lib/codec/avro.ts'
import { isObstreamError } from '#lib/errors.ts'
import type { Offset, PartitionOffsets } from '#lib/eventlog/port.ts'
import type { SampleFact } from '#lib/facts.ts'
import { readFacts, type Stretch } from '#lib/jobs/read-facts.ts'
import { formatInstant, type Instant, MINUTE_MS, type Milliseconds, SECOND_MS } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import type { House, HouseDependencies } from './house.ts'
import { parseSamplerSubject, samplerSubject } from './house-subjects.ts'

const LEAST_SILENCE_MS = MINUTE_MS
const LOOK_EVERY_MS = 5 * SECOND_MS
/** Records from the end in which a tick is sought first, and how much longer each stretch before them is. */
const FIRST_SPAN = 1_000
const SPAN_GROWTH = 10

export interface SamplerWatchDependencies extends Pick<HouseDependencies, 'log' | 'clock' | 'logger' | 'config'> {
  readonly samples: TopicCodec<SampleFact>
  readonly house: House
}

/** What is known of the ticks of one partition. */
interface Ticks {
  /** What comes from here on has not been read. */
  next: Offset
  /** `null`: none is in the log. */
  newestAt: Instant | null
  /** When one came while we listened; `null`: none yet. */
  heardAt: Instant | null
}

/**
 * Says that the sampler is silent when no tick has come for two of the shortest intervals, at least a minute, and that it
 * is back. By its own clock and outside the folds, for whose time stands still meanwhile. Ticks go to every partition, and
 * each has a writer of its own: one that hangs is a silence, and it is over when all are heard again. A partition without
 * any tick is not silent: its sampler has never begun.
 */
export class SamplerWatch {
  readonly #deps: SamplerWatchDependencies
  readonly #stopping = new AbortController()
  /** By partition. */
  #ticks: Ticks[] = []
  /** Silence is counted from here where nothing was heard since. */
  #listensSince: Instant
  #lookedAt: Instant
  /** The last tick before a silence that people were told of, and were not told the end of. */
  #silentSinceAt: Instant | null = null

  constructor(deps: SamplerWatchDependencies) {
    this.#deps = deps
    this.#listensSince = deps.clock.now()
    this.#lookedAt = this.#listensSince
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
        if (!isCured(error)) throw error
      }
      await this.#deps.clock.sleep(LOOK_EVERY_MS, signal)
    }
  }

  stop(): void {
    this.#stopping.abort()
  }

  async #begin(): Promise<void> {
    await this.#deps.house.resume()
    this.#silentSinceAt = await this.#untoldEnd()
    const ticks: Ticks[] = []
    for (const place of await this.#offsets()) {
      const newestAt = await this.#seekNewest(place)
      ticks.push({ next: place.end, newestAt, heardAt: null })
    }
    this.#ticks = ticks
  }

  /** From the end backwards: a tick comes every minute at least, so the newest is hardly ever far from it. */
  async #seekNewest({ partition, earliest, end }: PartitionOffsets): Promise<Instant | null> {
    for (let to = end, span = FIRST_SPAN; to > earliest; span *= SPAN_GROWTH) {
      const from = Math.max(to - span, earliest)
      const newestAt = await this.#newestTick({ partition, from, to })
      if (newestAt !== null) return newestAt
      to = from
    }
    return null
  }

  async #look(): Promise<void> {
    await this.#listen()
    const now = this.#deps.clock.now()
    const silenceMs = this.#silenceMs()
    // A machine that slept, or a log that was away, has kept us from listening: the sampler is given its time anew.
    if (now - this.#lookedAt > silenceMs) this.#listensSince = now
    this.#lookedAt = now
    const begun = this.#ticks.filter(({ newestAt }) => newestAt !== null)
    if (begun.length === 0) return
    const sinceAt = Math.min(...begun.map(({ newestAt }) => newestAt!))
    const isSilent = (heardAt: Instant): boolean => now - heardAt > silenceMs
    const since = this.#silentSinceAt
    if (since === null) {
      if (begun.some(({ heardAt }) => isSilent(Math.max(heardAt ?? 0, this.#listensSince))))
        await this.#tellSilence(sinceAt, now)
    } else if (sinceAt > since && begun.every(({ heardAt }) => heardAt !== null && !isSilent(heardAt)))
      await this.#tellReturn(since, now)
  }

  /** Reads what has come since the last look. */
  async #listen(): Promise<void> {
    for (const { partition, earliest, end } of await this.#offsets()) {
      this.#ticks[partition] ??= { next: earliest, newestAt: null, heardAt: null }
      const ticks = this.#ticks[partition]
      if (end <= ticks.next) continue
      const newestAt = await this.#newestTick({ partition, from: Math.max(ticks.next, earliest), to: end })
      ticks.next = end
      if (newestAt === null) continue
      ticks.newestAt = Math.max(ticks.newestAt ?? newestAt, newestAt)
      ticks.heardAt = this.#deps.clock.now()
    }
  }

  async #tellSilence(newestAt: Instant, at: Instant): Promise<void> {
    const { house, config, logger } = this.#deps
    // Another courier may have told of it already, by a tick of a partition that has come back meanwhile.
    const sinceAt = (await this.#untoldEnd()) ?? newestAt
    const reason = `no tick since ${formatInstant(sinceAt)}`
    logger.warn({ since: formatInstant(sinceAt) }, `the sampler is silent: ${reason}`)
    const notice = { kind: 'sampler_silent', sinceAt, at } as const
    await house.tell(samplerSubject(sinceAt, 'silent'), notice, config().routes.critical, reason)
    this.#silentSinceAt = sinceAt
  }

  async #tellReturn(sinceAt: Instant, at: Instant): Promise<void> {
    const { house } = this.#deps
    const notice = { kind: 'sampler_back', sinceAt, at } as const
    await house.tellEnd(samplerSubject(sinceAt, 'silent'), notice, 'ticks are back')
    this.#silentSinceAt = null
  }

  async #untoldEnd(): Promise<Instant | null> {
    return unended((await this.#deps.house.messages()).map(({ decision }) => decision.subject))
  }

  /** `null`: there is none in this stretch. */
  async #newestTick(stretch: Stretch): Promise<Instant | null> {
    const { log, samples } = this.#deps
    let newestAt: Instant | null = null
    for await (const { value } of readFacts(log, samples, stretch, this.#stopping.signal))
      if (value.type === 'tick') newestAt = Math.max(newestAt ?? value.at, value.at)
    return newestAt
  }

  #offsets(): Promise<readonly PartitionOffsets[]> {
    return this.#deps.log.offsets(topics.sample.name)
  }

  #silenceMs(): Milliseconds {
    const shortest = Math.min(...this.#deps.config().sources.map(({ intervalMs }) => intervalMs))
    return Math.max(LEAST_SILENCE_MS, Number.isFinite(shortest) ? 2 * shortest : 0)
  }
}

/** By the next look: what is transient, and records that ran out under our hands. */
function isCured(error: unknown): boolean {
  return isObstreamError(error) && (error.retryable || error.code === 'OBS_LOG_OFFSET_EXPIRED')
}

/** The beginning of the newest silence whose end was not told. */
function unended(subjects: readonly string[]): Instant | null {
  const silences = subjects.map((subject) => parseSamplerSubject(subject)).filter((known) => known !== undefined)
  const ended = new Set(silences.filter(({ what }) => what === 'back').map(({ sinceAt }) => sinceAt))
  const open = silences.filter(({ what, sinceAt }) => what === 'silent' && !ended.has(sinceAt))
  return open.length === 0 ? null : Math.max(...open.map(({ sinceAt }) => sinceAt))
}
