import type { TopicCodec } from '#lib/codec/avro.ts'
import type { Config } from '#lib/config.ts'
import { ObstreamError } from '#lib/errors.ts'
import type { EventLog, LogRecord, Offset, Subscription } from '#lib/eventlog/port.ts'
import type { PlanRecord, SampleFact } from '#lib/facts.ts'
import { partitionOf } from '#lib/partitioner.ts'
import type { Plan } from '#lib/plan.ts'
import { windowOf } from '#lib/plan.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import type { RunLogger } from '#lib/runtime/run.ts'
import type { Instant } from '#lib/time.ts'
import { formatInstantMs } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import type { ScannedRow } from './adapters/csv-scan.ts'
import { scanCsv } from './adapters/csv-scan.ts'
import { GuardedClock } from './guarded-clock.ts'
import type { SamplerCounters } from './metrics.ts'
import { newestTickAt } from './newest-tick.ts'
import { BATCH_BYTES, BATCH_RECORDS } from './owned-partition.ts'
import { planOfImport } from './plan.ts'
import { SampleLog } from './sample-log.ts'
import { tickAfter, tickAtOrBefore, ticksMissed } from './schedule.ts'

export interface ImportDependencies {
  readonly log: EventLog
  readonly codecs: { readonly sample: TopicCodec<SampleFact>; readonly plan: TopicCodec<PlanRecord> }
  readonly clock: Clock
  readonly config: Config
  readonly logger: RunLogger
  readonly counters: SamplerCounters
}

export interface ImportOptions {
  /** Absolute. */
  readonly file: string
  /** Whose rows they are when the file has no column `source`. */
  readonly source?: string
  readonly onProgress?: (progress: ImportProgress) => void
  /** Ends the import; what has been appended stays. */
  readonly signal?: AbortSignal
}

export interface ImportProgress {
  /** The file is read twice: nothing is appended before all of it has been checked. */
  readonly phase: 'checking' | 'importing'
  readonly bytesDone: number
  readonly bytesTotal: number
}

export interface ImportSummary {
  readonly rows: number
  readonly sources: number
  readonly firstAt: Instant
  readonly lastAt: Instant
  /** The newest tick written; every window that the rows lie in is closed then, unless it still runs. */
  readonly tickAt: Instant
}

const MAX_ATTEMPTS = 8

/**
 * Publishes the rows of a file as history: in order of time, each tick behind the rows that are older. Ticks go from the
 * first row to the end of the last row's window and its grace, at most to the present, so that every window closes. Their
 * plan expects no source; rules apply. The samplers' group is held meanwhile.
 *
 * The whole file is checked first: a fault, and nothing is appended. It need not be sorted, as long as no row stands more
 * than 20,000 rows behind later ones. Memory is bounded, however large the file.
 *
 * @throws OBS_INPUT_MISSING, OBS_INPUT_INVALID · OBS_IMPORT_TOO_OLD when the log has a tick later than the first row ·
 *   OBS_LOG_GROUP_HELD while a sampler runs
 */
export async function importRows(options: ImportOptions, deps: ImportDependencies): Promise<ImportSummary> {
  const found = await survey(options, deps)
  const hold = await holdGroup(deps.log)
  try {
    await refuseEarlierThanLog(found.firstAt, options.file, deps)
    return await publish(found, options, { ...deps, ends: hold.ends })
  } finally {
    await hold.subscription.stop()
  }
}

/** Sums over the rows of a file. */
interface Survey {
  readonly rows: number
  readonly sources: number
  readonly firstAt: Instant
  readonly lastAt: Instant
}

async function survey(options: ImportOptions, deps: ImportDependencies): Promise<Survey> {
  const sources = new Set<string>()
  let rows = 0
  let firstAt = Number.POSITIVE_INFINITY
  let lastAt = Number.NEGATIVE_INFINITY
  for await (const { source, sample } of scan('checking', options, deps)) {
    rows++
    sources.add(source)
    firstAt = Math.min(firstAt, sample.scheduledAt)
    lastAt = Math.max(lastAt, sample.scheduledAt)
  }
  if (rows === 0)
    throw new ObstreamError('OBS_INPUT_INVALID', `${options.file} has a header but no row; there is nothing to import`)
  return { rows, sources: sources.size, firstAt, lastAt }
}

async function* scan(
  phase: ImportProgress['phase'],
  options: ImportOptions,
  { clock }: ImportDependencies,
): AsyncGenerator<ScannedRow> {
  const rows = scanCsv({
    path: options.file,
    source: options.source ?? null,
    latestAt: clock.now(),
    onBytes: (bytesDone, bytesTotal) => options.onProgress?.({ phase, bytesDone, bytesTotal }),
  })
  for await (const row of rows) {
    options.signal?.throwIfAborted()
    yield row
  }
}

interface Hold {
  readonly subscription: Subscription
  readonly ends: readonly Offset[]
}

/** Takes every partition of the samplers' group, so that nobody else writes ticks. Nothing is read or committed. */
async function holdGroup(log: EventLog): Promise<Hold> {
  const ends = (await log.offsets(topics.sample.name)).map(({ end }) => end)
  const taken = ends.map(() => Promise.withResolvers<void>())
  const subscription = await log.subscribe(
    'sampler',
    topics.sample.name,
    {
      assigned: async (partition) => {
        taken[partition]!.resolve()
        return ends[partition]!
      },
      batch: async () => null,
      revoked: () => {},
    },
    { alone: true },
  )
  await Promise.race([Promise.all(taken.map(({ promise }) => promise)), subscription.ended])
  return { subscription, ends }
}

async function refuseEarlierThanLog(
  firstAt: Instant,
  file: string,
  { log, codecs }: ImportDependencies,
): Promise<void> {
  const newestAt = await newestTickAt(log, codecs.sample)
  if (newestAt === null || newestAt <= firstAt) return
  throw new ObstreamError(
    'OBS_IMPORT_TOO_OLD',
    `the first row of ${file} is of ${formatInstantMs(firstAt)}, but the time of the log is ${formatInstantMs(newestAt)}: ` +
      'windows of then are closed. Import into a fresh data directory (--data-dir), or bring both logs together with `obstream mirror`.',
  )
}

async function publish(
  found: Survey,
  options: ImportOptions,
  deps: ImportDependencies & Pick<Hold, 'ends'>,
): Promise<ImportSummary> {
  const { clock, config } = deps
  const plan = planOfImport(config)
  const signal = options.signal ?? new AbortController().signal
  const log = new SampleLog({ ...deps, guard: new GuardedClock(clock), maxAttempts: MAX_ATTEMPTS, signal })
  const writer = new HistoryWriter(log, deps.counters, {
    planHash: await log.publishPlan(plan),
    partitions: deps.ends.length,
  })
  const ticks = ticksMissed(
    found.firstAt - plan.tickIntervalMs,
    lastTick(found, plan, clock.now()),
    plan.tickIntervalMs,
  )
  let tick = ticks.next()
  for await (const row of scan('importing', options, deps)) {
    for (; !tick.done && tick.value <= row.sample.scheduledAt; tick = ticks.next()) await writer.tick(tick.value)
    await writer.row(row)
  }
  for (; !tick.done; tick = ticks.next()) await writer.tick(tick.value)
  await writer.flush()
  return { ...found, tickAt: writer.tickAt }
}

/** The regular tick that closes the window of the last row; the newest one there can be when that is still to come. */
function lastTick({ lastAt }: Survey, plan: Plan, now: Instant): Instant {
  const closesAt = windowOf(plan, lastAt) + plan.windowMs + plan.graceMs
  return Math.min(tickAfter(closesAt - 1, plan.tickIntervalMs), tickAtOrBefore(now, plan.tickIntervalMs))
}

/** Writes history into all partitions, in batches. */
class HistoryWriter {
  readonly #log: SampleLog
  readonly #counters: SamplerCounters
  readonly #planHash: string
  readonly #buffers: { records: LogRecord[]; bytes: number }[]
  /** How many rows of an instant each source has had. */
  readonly #ordinals = new Map<string, number>()
  #rowAt: Instant | null = null
  #tickAt: Instant = Number.NEGATIVE_INFINITY

  constructor(
    log: SampleLog,
    counters: SamplerCounters,
    place: { readonly planHash: string; readonly partitions: number },
  ) {
    this.#log = log
    this.#counters = counters
    this.#planHash = place.planHash
    this.#buffers = Array.from({ length: place.partitions }, () => ({ records: [], bytes: 0 }))
  }

  get tickAt(): Instant {
    return this.#tickAt
  }

  async tick(at: Instant): Promise<void> {
    const record = this.#log.recordOfTick({ at, plan: this.#planHash })
    for (const partition of this.#buffers.keys()) await this.#add(partition, record)
    this.#tickAt = at
    this.#counters.tick(at)
  }

  async row({ source, sample }: ScannedRow): Promise<void> {
    if (sample.scheduledAt !== this.#rowAt) this.#ordinals.clear()
    this.#rowAt = sample.scheduledAt
    const ordinal = this.#ordinals.get(source) ?? 0
    this.#ordinals.set(source, ordinal + 1)
    await this.#add(partitionOf(source, this.#buffers.length), this.#log.recordOfSample(source, { ...sample, ordinal }))
    this.#counters.sample(sample.outcome)
  }

  async flush(): Promise<void> {
    for (const partition of this.#buffers.keys()) await this.#flush(partition)
  }

  async #add(partition: number, record: LogRecord): Promise<void> {
    const buffer = this.#buffers[partition]!
    buffer.records.push(record)
    buffer.bytes += record.key.length + record.value.length
    if (buffer.records.length >= BATCH_RECORDS || buffer.bytes >= BATCH_BYTES) await this.#flush(partition)
  }

  async #flush(partition: number): Promise<void> {
    const buffer = this.#buffers[partition]!
    if (buffer.records.length === 0) return
    await this.#log.append(partition, buffer.records)
    this.#buffers[partition] = { records: [], bytes: 0 }
  }
}
