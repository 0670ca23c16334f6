import { type ArtefactStore, inFolder } from '#lib/artefacts/port.ts'
import { ObstreamError } from '#lib/errors.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import type { ArtefactFile, JobFinished, JobStarted } from '#lib/facts.ts'
import { awaitCut } from '#lib/jobs/cut.ts'
import type { JobTopic } from '#lib/jobs/job-topic.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import type { RunLogger } from '#lib/runtime/run.ts'
import type { Instant, Milliseconds } from '#lib/time.ts'
import { type LatencyProjection, projectLatency } from '../latency-projection.ts'
import { LATENCY_JOB } from '../latency-start.ts'
import { findDamaged, writeLatencyFiles } from './artefact-writer.ts'
import { type LatencyCodecs, type RecordedJob, readLatencyFacts, readRecentFacts } from './latency-inputs.ts'
import { writeOperationsFiles } from './operations-files.ts'

/** What a latency job works with. */
export interface LatencyJobDependencies {
  readonly log: EventLog
  readonly codecs: LatencyCodecs
  readonly jobs: JobTopic
  /** Its root is the data directory. */
  readonly store: ArtefactStore
  readonly clock: Clock
  readonly logger: RunLogger
  /** How long a job waits for rollup, and then for the alerter, to come to its cut. */
  readonly waitMs: Milliseconds
}

/** One run of a claimed start. */
export interface LatencyRun {
  readonly start: JobStarted
  /** 1 for the run that claimed the slot. */
  readonly attempt: number
  readonly runId: string
  /** What the record says of the next run. */
  readonly nextRunAt: Instant | null
}

/**
 * Runs a claimed start: waits for its cut, reads, projects, writes the files, records the end, rewrites the automation log
 * and the heartbeat. A failure is an end too, with status `error` and the code.
 *
 * Running it again, after a crash anywhere or beside another run, gives the same files; only the first record of an
 * attempt counts.
 *
 * @returns the end that counts for the slot, another run's when that was first
 * @throws the signal's reason when it aborts: the slot stays open for the next run
 * @throws what the log throws when it cannot take the record · OBS_ARTEFACT_CANNOT_CREATE, OBS_ARTEFACT_IO when the
 *   automation log or the heartbeat of a run that went well cannot be written
 */
export async function runLatencyJob(
  deps: LatencyJobDependencies,
  run: LatencyRun,
  signal?: AbortSignal,
): Promise<JobFinished> {
  const finished = await endOf(deps, run, signal)
  const known = (await deps.jobs.history(LATENCY_JOB)).slot(run.start.slotAt, run.start.dryRun).ends
  const earlier = known.find((end) => end.status === 'ok' || end.attempt === finished.attempt)
  if (!earlier) await deps.jobs.append(finished)
  await rewriteOperationsFiles(deps, finished)
  return earlier ?? finished
}

/** Does the work and says how it ended. */
async function endOf(deps: LatencyJobDependencies, run: LatencyRun, signal?: AbortSignal): Promise<JobFinished> {
  const { clock } = deps
  const [startedAt, beganAtMs] = [clock.now(), clock.monotonicMs()]
  const end = (result: Result): JobFinished => {
    const durationMs = Math.round(clock.monotonicMs() - beganAtMs)
    return { ...describe(run), startedAt, durationMs, ...result }
  }
  try {
    const projection = await makeFiles(deps, run.start, signal)
    return end(succeeded(projection, run.start))
  } catch (error) {
    signal?.throwIfAborted()
    deps.logger.warn({ error, jobId: run.start.jobId }, `${run.start.jobId} failed: ${messageOf(error)}`)
    return end(failed(error))
  }
}

async function makeFiles(
  deps: LatencyJobDependencies,
  start: JobStarted,
  signal?: AbortSignal,
): Promise<LatencyProjection> {
  const { log, clock, waitMs } = deps
  await awaitCut(log, start.cutTickAt, { clock, waitMs, ...(signal ? { signal } : {}) })
  const history = await deps.jobs.history(LATENCY_JOB)
  const projection = await project(deps, { history, start }, signal)
  await writeLatencyFiles(storeOf(deps.store, start), projection, signal)
  return projection
}

/** From the last days, if the files of earlier ones stand where they should; else from all that the log holds. */
async function project(
  { log, codecs, store, logger }: LatencyJobDependencies,
  job: RecordedJob,
  signal?: AbortSignal,
): Promise<LatencyProjection> {
  const { start } = job
  const recent = await readRecentFacts(log, codecs, job, signal)
  const short = recent && projectLatency(recent)
  if (short && (await findDamaged(storeOf(store, start), short, signal)).length === 0) return short
  const projection = projectLatency(await readLatencyFacts(log, codecs, job, signal))
  for (const path of start.dryRun ? [] : await findDamaged(store, projection, signal))
    logger.warn({ path }, `${path} is damaged or gone, and so are its samples: take it from a backup`)
  return projection
}

/**
 * The files of a recorded start as they were after it, from the log alone; nothing is written.
 *
 * @throws what `readLatencyFacts` throws
 */
export async function rebuildLatency(
  deps: Pick<LatencyJobDependencies, 'log' | 'codecs' | 'jobs'>,
  start: JobStarted,
  signal?: AbortSignal,
): Promise<LatencyProjection> {
  const history = await deps.jobs.history(LATENCY_JOB)
  return projectLatency(await readLatencyFacts(deps.log, deps.codecs, { history, start }, signal))
}

type Result = Pick<JobFinished, 'status' | 'artefacts' | 'alerts' | 'summary' | 'errorCode' | 'errorMessage'>

function succeeded(projection: LatencyProjection, start: JobStarted): Result {
  const artefacts = projection.artefacts.map((file): ArtefactFile => ({ ...file, path: pathOf(file.path, start) }))
  const { alerts, summary } = projection
  return { status: 'ok', artefacts, alerts, summary, errorCode: null, errorMessage: null }
}

function failed(error: unknown): Result {
  const errorCode = error instanceof ObstreamError ? error.code : 'OBS_RUNTIME_UNEXPECTED'
  return { status: 'error', artefacts: [], alerts: [], summary: {}, errorCode, errorMessage: messageOf(error) }
}

function messageOf(error: unknown): string {
  return Error.isError(error) ? error.message : String(error)
}

function describe({ start, attempt, runId, nextRunAt }: LatencyRun) {
  const { job, slotAt, jobId, dryRun } = start
  return { type: 'finished', job, slotAt, jobId, runId, attempt, skipReason: null, dryRun, nextRunAt } as const
}

/** A dry run has the usual tree in a folder of its own. */
function dryRunFolder(start: Pick<JobStarted, 'jobId'>): string {
  return `out/dry-run/${start.jobId}`
}

function storeOf(store: ArtefactStore, start: Pick<JobStarted, 'jobId' | 'dryRun'>): ArtefactStore {
  return start.dryRun ? inFolder(store, dryRunFolder(start)) : store
}

function pathOf(path: string, start: JobStarted): string {
  return start.dryRun ? `${dryRunFolder(start)}/${path}` : path
}

/** A run that failed keeps its own error; most likely these files fail for the same reason. */
async function rewriteOperationsFiles(deps: LatencyJobDependencies, finished: JobFinished): Promise<void> {
  const isGoodDryRun = finished.dryRun && finished.status === 'ok'
  try {
    await writeOperationsFiles(storeOf(deps.store, finished), deps.jobs, isGoodDryRun ? finished : undefined)
  } catch (error) {
    if (finished.status === 'ok') throw error
    deps.logger.warn({ error }, `the automation log cannot be written: ${messageOf(error)}`)
  }
}
