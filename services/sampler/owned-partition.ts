import type { CsvSource } from '#lib/config.ts'
import type { LogRecord, RecordHeader } from '#lib/eventlog/port.ts'
import type { Probe } from '#lib/facts.ts'
import type { Instant } from '#lib/time.ts'
import type { CsvTail } from './adapters/csv-tail.ts'
import { type CsvCursor, cursorHeader } from './csv-cursor.ts'
import type { GuardedClock } from './guarded-clock.ts'
import type { SamplerMemory } from './memory.ts'
import { CURSOR_REPEAT_MS } from './memory.ts'
import type { SamplerCounters } from './metrics.ts'
import type { SampleLog } from './sample-log.ts'

/** How many cursors one tick repeats at most; the next tick repeats the others. */
const CURSORS_PER_TICK = 500

/** A batch goes out when it holds this much: what Kafka's client can group quickly, and half of what a batch may be. */
export const BATCH_RECORDS = 2_000
export const BATCH_BYTES = 524_288

export interface OwnedPartitionOptions {
  readonly partition: number
  /** What the log said when the partition was taken. */
  readonly memory: SamplerMemory
  readonly log: SampleLog
  readonly guard: GuardedClock
  readonly counters: SamplerCounters
}

interface TakenSample {
  readonly source: string
  readonly sample: Probe
}

/** Writes what belongs into one partition that this process owns: samples and ticks, in order. One call at a time. */
export class OwnedPartition {
  readonly partition: number
  readonly #options: OwnedPartitionOptions
  /** The latest slot of each source that is in the log, or on its way. */
  readonly #slots: Map<string, Instant>
  /** The tick with or before which a source's cursor was written last. */
  readonly #cursorAt: Map<string, Instant | null>
  readonly #rowCounts = new Map<string, number>()
  /** Where a file stands that nobody follows any more, or not yet. */
  readonly #cursors: Map<string, CsvCursor | null>
  #tails: readonly CsvTail[] = []
  #taken: TakenSample[] = []
  #batch: Batch = emptyBatch()
  #lastTick: { readonly at: Instant; readonly plan: string } | null
  #sampleCount = 0

  constructor(options: OwnedPartitionOptions) {
    const { partition, memory } = options
    this.partition = partition
    this.#options = options
    this.#slots = new Map([...memory.slots].map(([source, { value }]) => [source, value]))
    this.#cursorAt = new Map([...memory.cursors].map(([source, { tickAt }]) => [source, tickAt]))
    this.#cursors = new Map([...memory.cursors].map(([source, { value }]) => [source, value]))
    this.#lastTick = memory.lastTick
  }

  get lastTickAt(): Instant | null {
    return this.#lastTick?.at ?? null
  }

  /** The plan that the newest tick in the log named. */
  get lastPlan(): string | null {
    return this.#lastTick?.plan ?? null
  }

  /** Samples appended since the partition was taken. */
  get sampleCount(): number {
    return this.#sampleCount
  }

  /** Samples that wait to be appended. */
  get waitingCount(): number {
    return this.#taken.length
  }

  /** Rows of a csv source appended since the partition was taken. */
  rowCount(source: string): number {
    return this.#rowCounts.get(source) ?? 0
  }

  lastSlotAt(source: string): Instant | null {
    return this.#slots.get(source) ?? null
  }

  /**
   * Follows these files from now on, and no others. What the others still hold is appended first. A file that is followed
   * already goes on where it was.
   *
   * @param open follows the file of a source from where it was left; `null`: from its beginning
   */
  async follow(
    sources: readonly CsvSource[],
    open: (source: CsvSource, cursor: CsvCursor | null) => CsvTail,
  ): Promise<void> {
    const staying = this.#tails.filter((tail) =>
      sources.some(({ id, path }) => id === tail.source && path === tail.path),
    )
    const leaving = this.#tails.filter((tail) => !staying.includes(tail))
    for (const tail of leaving) await tail.refresh()
    await this.#addRows(Number.POSITIVE_INFINITY)
    await this.#flush()
    for (const tail of leaving) {
      this.#cursors.set(tail.source, await tail.cursor())
      await tail.close()
    }
    this.#tails = sources.map(
      (source) =>
        staying.find((tail) => tail.source === source.id) ?? open(source, this.#cursors.get(source.id) ?? null),
    )
  }

  /** Keeps a sample until the next `writeSamples` or `writeTicks`. */
  put(source: string, sample: Probe): void {
    this.#taken.push({ source, sample })
    this.#slots.set(source, Math.max(this.#slots.get(source) ?? sample.scheduledAt, sample.scheduledAt))
  }

  /**
   * Appends a copy of the last tick. It changes nothing, and tells the time of the log before the first tick that does.
   */
  async greet(): Promise<void> {
    if (this.#lastTick === null) return
    const { at, plan } = this.#lastTick
    await this.#options.log.append(this.partition, [this.#options.log.recordOfTick({ at, plan })])
  }

  /** Appends the samples that wait. */
  async writeSamples(): Promise<void> {
    while (this.#taken.length > 0) {
      const taken = this.#taken.splice(0, BATCH_RECORDS)
      for (const { source, sample } of taken) this.#add(this.#options.log.recordOfSample(source, sample), sample)
      await this.#flush()
    }
  }

  /**
   * Appends the samples that wait, then each tick behind every csv row that is older than it, then the newer rows.
   *
   * @param ticks in order, none before the last one written
   * @param planAt sha256 of the plan in force at a tick
   * @throws OBS_SAMPLER_CLOCK before a batch with ticks, when the clock cannot be believed
   */
  async writeTicks(ticks: Iterable<Instant>, planAt: (at: Instant) => string): Promise<void> {
    await this.writeSamples()
    let isFirst = true
    for (const at of ticks) {
      if (isFirst) for (const tail of this.#tails) await tail.refresh()
      isFirst = false
      await this.#addRows(at)
      await this.#addTick({ at, plan: planAt(at) })
    }
    if (isFirst) return
    await this.#addRows(Number.POSITIVE_INFINITY)
    await this.#flush()
  }

  async close(): Promise<void> {
    for (const tail of this.#tails) await tail.close()
  }

  async #addRows(before: Instant): Promise<void> {
    for (const tail of this.#tails)
      for (;;) {
        while (tail.needsMore) await tail.readMore()
        const row = tail.take(before)
        if (!row) break
        this.#add(this.#options.log.recordOfSample(tail.source, row.sample), row.sample)
        this.#batch.lastRows.set(tail, this.#batch.records.length - 1)
        this.#cursorAt.set(tail.source, this.#batch.ticks.at(-1)?.at ?? this.lastTickAt)
        this.#rowCounts.set(tail.source, this.rowCount(tail.source) + 1)
        if (isFull(this.#batch)) await this.#flush()
      }
  }

  async #addTick(tick: { readonly at: Instant; readonly plan: string }): Promise<void> {
    const headers: RecordHeader[] = []
    for (const tail of this.#tails) {
      if (headers.length === CURSORS_PER_TICK) break
      if (!this.#mustRepeatCursor(tail, tick.at)) continue
      const cursor = await tail.cursor()
      if (cursor) headers.push(cursorHeader(tail.source, cursor))
      if (cursor) this.#cursorAt.set(tail.source, tick.at)
    }
    this.#add(this.#options.log.recordOfTick(tick, headers))
    this.#batch.ticks.push(tick)
    if (isFull(this.#batch)) await this.#flush()
  }

  #mustRepeatCursor(tail: CsvTail, at: Instant): boolean {
    const cursorAt = this.#cursorAt.get(tail.source) ?? null
    if (cursorAt !== null) return at - cursorAt >= CURSOR_REPEAT_MS
    if (!this.#batch.lastRows.has(tail)) return true
    this.#cursorAt.set(tail.source, at)
    return false
  }

  #add(record: LogRecord, sample?: Probe): void {
    this.#batch.records.push(record)
    this.#batch.bytes += record.key.length + record.value.length
    for (const { value } of record.headers ?? []) this.#batch.bytes += value.length
    if (sample) this.#batch.samples.push(sample)
  }

  async #flush(): Promise<void> {
    const { records, ticks, samples, lastRows } = this.#batch
    if (records.length === 0) return
    for (const [tail, index] of lastRows) {
      const cursor = await tail.cursor()
      if (cursor) records[index] = { ...records[index]!, headers: [cursorHeader(tail.source, cursor)] }
    }
    if (ticks.length > 0) this.#options.guard.believed(this.lastTickAt)
    await this.#options.log.append(this.partition, records)
    this.#batch = emptyBatch()
    this.#lastTick = ticks.at(-1) ?? this.#lastTick
    this.#sampleCount += samples.length
    for (const { outcome } of samples) this.#options.counters.sample(outcome)
    for (const { at } of ticks) this.#options.counters.tick(at)
  }
}

interface Batch {
  readonly records: LogRecord[]
  readonly samples: Probe[]
  readonly ticks: { readonly at: Instant; readonly plan: string }[]
  /** Where the last row of each tail stands; it carries the tail's cursor. */
  readonly lastRows: Map<CsvTail, number>
  bytes: number
}

function emptyBatch(): Batch {
  return { records: [], samples: [], ticks: [], lastRows: new Map(), bytes: 0 }
}

function isFull({ records, bytes }: Batch): boolean {
  return records.length >= BATCH_RECORDS || bytes >= BATCH_BYTES
}
