import type { TopicCodec } from '#lib/codec/avro.ts'
import type { EventLog, PartitionOffsets } from '#lib/eventlog/port.ts'
import type { Alert, JobStarted, SampleFact, Window, WindowFact } from '#lib/facts.ts'
import type { JobHistory } from '#lib/jobs/job-history.ts'
import { readFactSet, readFacts } from '#lib/jobs/read-facts.ts'
import { firstTick, offsetBeforeTick } from '#lib/jobs/tick-search.ts'
import { HOUR_MS, type Instant } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { catalogueAfter } from '../archive-catalogue.ts'
import type { LatencyRow } from '../latency-csv.ts'
import type { LatencyFacts } from '../latency-projection.ts'
import type { RotationBase } from '../rotation.ts'
import { SampleCuts } from '../sample-cuts.ts'
import { findShortcut, isProven, lastOkBefore, midnightOf } from '../shortcut.ts'

export interface LatencyCodecs {
  readonly sample: TopicCodec<SampleFact>
  readonly window: TopicCodec<WindowFact>
  readonly alert: TopicCodec<Alert>
}

/** A start of the latency job, and the history that it stands in. */
export interface RecordedJob {
  readonly history: JobHistory
  readonly start: JobStarted
}

/**
 * Reads what a latency job is a function of, from the oldest record that is kept. The log must hold everything below the
 * job's cut (`awaitCut`). Archive files whose samples it does not hold any more are known from the records of the jobs.
 *
 * @throws what the log throws · the signal's reason
 */
export async function readLatencyFacts(
  log: EventLog,
  codecs: LatencyCodecs,
  { history, start }: RecordedJob,
  signal?: AbortSignal,
): Promise<LatencyFacts> {
  const starts = startsUpTo(history, start)
  const places = await log.offsets(topics.sample.name)
  const stretches = places.map((place) => ({ ...place, from: place.earliest }))
  const { newRows, newestAt } = await readNewRows(log, codecs.sample, { starts, stretches }, signal)
  const keptFrom = await keptFromAt(log, codecs.sample, places)
  return {
    starts,
    newRows,
    base: keptFrom === null ? null : baseWithin(history, starts, keptFrom),
    lastOk: lastOkBefore(history, starts),
    newestSampleAt: Number.isFinite(newestAt) ? newestAt : null,
    ...(await readDerived(log, codecs, signal)),
  }
}

/**
 * The same, but for the samples of earlier days: what became of them is known from the records of the jobs.
 *
 * @returns `null` when these do not prove that the files come out the same
 * @throws what `readLatencyFacts` throws
 */
export async function readRecentFacts(
  log: EventLog,
  codecs: LatencyCodecs,
  { history, start }: RecordedJob,
  signal?: AbortSignal,
): Promise<LatencyFacts | null> {
  const shortcut = findShortcut(history, startsUpTo(history, start))
  if (!shortcut) return null
  const { starts, base, lastOk, knownTo } = shortcut
  const stretches: (PartitionOffsets & { from: number })[] = []
  for (const place of await log.offsets(topics.sample.name))
    stretches.push({
      ...place,
      from: await offsetBeforeTick(log, codecs.sample, place, starts[0]!.cutTickAt - HOUR_MS),
    })
  const { newRows, newestAt } = await readNewRows(log, codecs.sample, { starts, stretches }, signal)
  if (!isProven(shortcut, newRows)) return null
  const newestSampleAt = Math.max(knownTo, newestAt)
  return { starts, newRows, base, lastOk, newestSampleAt, ...(await readDerived(log, codecs, signal)) }
}

/** The starts that shaped the files before, then the job. A dry run comes after all that count when it starts. */
function startsUpTo(history: JobHistory, start: JobStarted): readonly JobStarted[] {
  const place = history.starts.findIndex((other) => other.runId === start.runId)
  if (place >= 0) return history.starts.slice(0, place + 1)
  return [...history.starts.filter((other) => other.cutTickAt <= start.cutTickAt), start]
}

/** The oldest tick that is kept in every partition; `null`: the log is whole. */
async function keptFromAt(
  log: EventLog,
  codec: TopicCodec<SampleFact>,
  places: readonly PartitionOffsets[],
): Promise<Instant | null> {
  let keptFrom: Instant | null = null
  for (const { partition, earliest, end } of places) {
    if (earliest === 0) continue
    const oldest = await firstTick(log, codec, { partition, from: earliest, to: end })
    keptFrom = Math.max(keptFrom ?? Number.NEGATIVE_INFINITY, oldest?.at ?? Number.POSITIVE_INFINITY)
  }
  return keptFrom
}

/** The first job that went well on a day of which all samples are kept; if there is none, the last one. */
function baseWithin(history: JobHistory, starts: readonly JobStarted[], keptFrom: Instant): RotationBase | null {
  const ok = starts.filter((start) => history.okEnd(start))
  const start = ok.find((candidate) => midnightOf(candidate) > keptFrom) ?? ok.at(-1)
  const archive = start && catalogueAfter(history, start)
  return archive ? { jobId: start.jobId, archive } : null
}

async function readNewRows(
  log: EventLog,
  codec: TopicCodec<SampleFact>,
  {
    starts,
    stretches,
  }: {
    readonly starts: readonly JobStarted[]
    readonly stretches: readonly (PartitionOffsets & { readonly from: number })[]
  },
  signal: AbortSignal | undefined,
): Promise<{ readonly newRows: readonly (readonly LatencyRow[])[]; readonly newestAt: Instant }> {
  const newRows = starts.map((): LatencyRow[] => [])
  const cutsAt = starts.map((start) => start.cutTickAt)
  let newestAt = Number.NEGATIVE_INFINITY
  for (const { partition, from, end } of stretches) {
    const cuts = new SampleCuts(cutsAt, newRows)
    for await (const { key, value } of readFacts(log, codec, { partition, from, to: end }, signal))
      if (!cuts.take(key, value)) break
    newestAt = Math.max(newestAt, cuts.newestAt)
  }
  return { newRows, newestAt }
}

async function readDerived(
  log: EventLog,
  codecs: LatencyCodecs,
  signal: AbortSignal | undefined,
): Promise<Pick<LatencyFacts, 'windows' | 'alerts'>> {
  return {
    windows: (await readFactSet(log, codecs.window, signal)).map(({ value }) => value).filter(isWindow),
    alerts: (await readFactSet(log, codecs.alert, signal)).map(({ value }) => value),
  }
}

function isWindow(fact: WindowFact): fact is Window {
  return fact.type === 'window'
}
