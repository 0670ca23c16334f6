import { isObstreamError, ObstreamError } from '#lib/errors.ts'
import type { JobFinished } from '#lib/facts.ts'
import { skip } from '#lib/jobs/claim.ts'
import { jobIdOf } from '#lib/jobs/job-keys.ts'
import { codecOf, type Environment } from '#lib/runtime/environment.ts'
import { runToEnd, unlessInterrupted } from '#lib/runtime/run-to-end.ts'
import { SECOND_MS } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { decideOnce } from '#services/alerter/courier/once.ts'
import { alerter } from '#services/alerter/service.ts'
import type { JobLock } from '#services/exporter/adapters/job-lock.ts'
import type { ExporterDependencies } from '#services/exporter/adapters/latency-loops.ts'
import { type LatencyOutcome, runLatencyOnce } from '#services/exporter/adapters/latency-once.ts'
import { latencyOptions } from '#services/exporter/latency-options.ts'
import { LATENCY_JOB, type LatencyRequest, latencySlotOf } from '#services/exporter/latency-start.ts'
import { exporterDependencies } from '#services/exporter/service.ts'
import { rollupReading } from '#services/rollup/service.ts'
import { sampleOnce } from '#services/sampler/main.ts'
import type { LatencyFlags } from '../latency.ts'
import type { CommandRun } from '../program.ts'
import type { Session } from '../session.ts'
import { openDesk, provenanceOf } from './desk.ts'
import { openDryRun } from './dry-run.ts'
import { tellNobody, tellPeople, type Untold, writeRequests } from './tell-people.ts'

/**
 * `obstream latency`: what all services do, once: sample, tick, fold, decide, write the files. Made for cron: one run at a
 * time, and none while the services run.
 *
 * @throws OBS_CLI_INTERRUPTED at SIGINT or SIGTERM, unless everything was done before
 */
export const latency: CommandRun<readonly [LatencyFlags]> = async (session, flags) => {
  const interrupted = session.interrupted()
  await session.context.clock.sleep(Math.floor(Math.random() * flags.jitterSeconds * SECOND_MS), interrupted)
  try {
    const { finished, exitCode, untold } = await runOnce(session, { flags, interrupted })
    tell(session, finished, untold)
    return exitCode === 0 && untold ? untold.fault.exitCode : exitCode
  } catch (error) {
    const wasCut =
      interrupted.aborted && (error === interrupted.reason || isObstreamError(error, 'OBS_LOG_UNAVAILABLE'))
    if (!wasCut) throw error
    throw new ObstreamError('OBS_CLI_INTERRUPTED', 'stopped before the end; the next run goes on from here', {
      cause: error,
    })
  }
}

interface LatencyRun {
  readonly flags: LatencyFlags
  readonly interrupted: AbortSignal
}

/** A run, and whether people were told of what it found; `null`: they were. */
interface Told extends LatencyOutcome {
  readonly untold: Untold | null
}

async function runOnce(session: Session, run: LatencyRun): Promise<Told> {
  run.interrupted.throwIfAborted()
  const { alertConfig, dryRun, dryRunAlert } = run.flags
  const sends = !dryRun && !dryRunAlert
  const env = await openDesk(session, 'latency', { alertConfig, sends, interrupted: run.interrupted })
  try {
    const request = requestOf(session, env, run.flags)
    return await (run.flags.dryRun ? tryOut(env, request, run) : runLocked(env, request, run))
  } finally {
    await env.close()
  }
}

/** Holds the lock from the first probe to the last file. */
async function runLocked(env: Environment, request: LatencyRequest, { flags, interrupted }: LatencyRun): Promise<Told> {
  const deps = exporterDependencies(env, flags.lockFile)
  const held = deps.lock()
  if (!held) return { ...(await runLatencyOnce(deps, request, () => null)), untold: null }
  try {
    await sampleAndFold(env, interrupted)
    const outcome = await runLatencyOnce(deps, request, alreadyHeld, interrupted)
    const untold = await (flags.dryRunAlert
      ? tellNobody(env, outcome.finished.jobId, interrupted)
      : unlessRunning(() => tellPeople(env, interrupted)))
    return { ...outcome, untold: untold ?? null }
  } catch (error) {
    if (!isObstreamError(error, 'OBS_LOG_GROUP_HELD')) throw error
    return { finished: await skipBesideServices(env, deps, request), exitCode: 0, untold: null }
  } finally {
    held.release()
  }
}

const alreadyHeld: JobLock = () => ({ release: () => {} })

/** Samples, folds and decides on an overlay; of all this the log gets the job's record only. Needs no lock. */
async function tryOut(env: Environment, request: LatencyRequest, { interrupted }: LatencyRun): Promise<Told> {
  const overlay = await openDryRun(env)
  try {
    await sampleAndFold(overlay, interrupted)
    const { jobs } = exporterDependencies(env)
    const outcome = await runLatencyOnce({ ...exporterDependencies(overlay), jobs }, request, alreadyHeld, interrupted)
    await writeRequests(overlay, outcome.finished.jobId, await decideOnce(overlay, interrupted))
    return { ...outcome, untold: null }
  } finally {
    await overlay.close()
  }
}

/** @throws OBS_LOG_GROUP_HELD when a sampler runs elsewhere · the signal's reason */
async function sampleAndFold(env: Environment, interrupted: AbortSignal): Promise<void> {
  await sampleOnce(env, interrupted)
  await unlessInterrupted(
    unlessRunning(() => runToEnd(rollupReading(codecOf(env, topics.sample)), env)),
    interrupted,
  )
  await unlessInterrupted(
    unlessRunning(() => runToEnd(alerter, env)),
    interrupted,
  )
}

/** What runs in another process already is left to it; the job waits for that. */
async function unlessRunning<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await work()
  } catch (error) {
    if (!isObstreamError(error, 'OBS_LOG_GROUP_HELD')) throw error
    return undefined
  }
}

function requestOf(session: Session, { config, clock, ids }: Environment, flags: LatencyFlags): LatencyRequest {
  const configured = latencyOptions(config)
  const { everyMs } = config.jobs.latency
  const slotAt = Math.floor(clock.now() / SECOND_MS) * SECOND_MS
  return {
    slotAt,
    nextRunAt: latencySlotOf(slotAt, everyMs) + everyMs,
    runId: ids.next(),
    options: {
      rawRetentionDays: flags.rawRetentionDays ?? configured.rawRetentionDays,
      rollupRetentionDays: flags.rollupRetentionDays ?? configured.rollupRetentionDays,
      rollupOutput: flags.rollupOutput ?? configured.rollupOutput,
    },
    ...provenanceOf(session),
    dryRun: flags.dryRun,
  }
}

function skipBesideServices(
  env: Environment,
  deps: ExporterDependencies,
  request: LatencyRequest,
): Promise<JobFinished> {
  const { slotAt, runId, dryRun, nextRunAt } = request
  const start = { job: LATENCY_JOB, slotAt, jobId: jobIdOf(LATENCY_JOB, slotAt), runId, dryRun }
  return skip(deps.jobs, { start, now: env.clock.now(), nextRunAt }, 'services_running')
}

const WHY_SKIPPED: Readonly<Record<string, string>> = {
  lock_held: 'another run holds the lock',
  services_running: 'the services run in another process and do this themselves',
  slot_taken: 'another run has this slot',
}

function tell({ terminal }: Session, finished: JobFinished, untold: Untold | null): void {
  const { jobId, status, skipReason, summary, errorCode, errorMessage, artefacts } = finished
  if (skipReason !== null) terminal.warn(`${jobId} is skipped: ${WHY_SKIPPED[skipReason] ?? skipReason}`)
  else if (errorMessage) terminal.error(`${jobId}: ${errorMessage} [${errorCode}]`)
  else for (const { path, bytes } of artefacts) terminal.note(`${path}  ${bytes} bytes`)
  if (untold) terminal.error(`${untold.fault.message} [${untold.fault.code}]`)
  terminal.summary({
    job_id: jobId,
    status,
    ...(skipReason === null ? {} : { skip_reason: skipReason }),
    ...(errorCode === null ? {} : { error_code: errorCode, error_message: errorMessage }),
    ...counts(summary),
    ...(untold && { undelivered: untold.count, delivery_error_code: untold.fault.code }),
  })
}

/** What a run has done; the instants are for the heartbeat and for the next run. */
function counts({
  last_breach_at: _,
  newest_sample_at: __,
  ...counted
}: JobFinished['summary']): JobFinished['summary'] {
  return counted
}
