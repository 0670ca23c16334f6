import { isObstreamError, type ObstreamError } from '#lib/errors.ts'
import type { JobFinished } from '#lib/facts.ts'
import { skip } from '#lib/jobs/claim.ts'
import { jobIdOf } from '#lib/jobs/job-keys.ts'
import { codecOf, type Environment } from '#lib/runtime/environment.ts'
import { runToEnd } from '#lib/runtime/run-to-end.ts'
import { SECOND_MS } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { alerter } from '#services/alerter/service.ts'
import type { ExporterDependencies } from '#services/exporter/adapters/latency-loops.ts'
import { type LatencyOutcome, runLatencyOnce } from '#services/exporter/adapters/latency-once.ts'
import { LATENCY_JOB, type LatencyRequest } from '#services/exporter/latency-start.ts'
import { exporterDependencies, latencyOptions } from '#services/exporter/service.ts'
import { rollupReading } from '#services/rollup/service.ts'
import { sampleOnce } from '#services/sampler/main.ts'
import type { LatencyFlags } from '../latency.ts'
import type { CommandRun } from '../program.ts'
import type { Session } from '../session.ts'
import { openDesk, provenanceOf } from './desk.ts'

/**
 * `obstream latency`: what all services do, once: sample, tick, fold, decide, write the files. Made for cron: one run at a
 * time, and none while the services run.
 */
export const latency: CommandRun<readonly [LatencyFlags]> = async (session, flags) => {
  const interrupted = session.interrupted()
  await session.context.clock.sleep(Math.random() * flags.jitterSeconds * SECOND_MS, interrupted)
  const env = await openDesk(session, 'latency', flags)
  try {
    const deps = exporterDependencies(env, flags.lockFile)
    const { finished, exitCode } = await runLocked(session, env, deps, { flags, interrupted })
    tell(session, finished)
    return exitCode
  } finally {
    await env.close()
  }
}

interface LatencyRun {
  readonly flags: LatencyFlags
  readonly interrupted: AbortSignal
}

/** Holds the lock from the first probe to the last file. */
async function runLocked(
  session: Session,
  env: Environment,
  deps: ExporterDependencies,
  run: LatencyRun,
): Promise<LatencyOutcome> {
  const request = requestOf(session, env, run.flags)
  const held = deps.lock()
  if (!held) return await runLatencyOnce(deps, request, () => null)
  try {
    await sampleOnce(env, run.interrupted)
    await foldUnlessRunning(env)
    return await runLatencyOnce(deps, request, () => ({ release: () => {} }), run.interrupted)
  } catch (error) {
    if (!isObstreamError(error, 'OBS_LOG_GROUP_HELD')) throw error
    return { finished: await skipBesideServices(env, deps, request, error), exitCode: 0 }
  } finally {
    held.release()
  }
}

function requestOf(session: Session, { config, clock, ids }: Environment, flags: LatencyFlags): LatencyRequest {
  const configured = latencyOptions(config)
  return {
    slotAt: Math.floor(clock.now() / SECOND_MS) * SECOND_MS,
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

/** A fold that runs in another process does this itself; the job waits for it. */
async function foldUnlessRunning(env: Environment): Promise<void> {
  for (const fold of [() => runToEnd(rollupReading(codecOf(env, topics.sample)), env), () => runToEnd(alerter, env)])
    try {
      await fold()
    } catch (error) {
      if (!isObstreamError(error, 'OBS_LOG_GROUP_HELD')) throw error
    }
}

function skipBesideServices(
  env: Environment,
  deps: ExporterDependencies,
  request: LatencyRequest,
  held: ObstreamError,
): Promise<JobFinished> {
  const { slotAt, runId, dryRun } = request
  env.logger.warn({ slotAt }, `${held.message}; this run is skipped`)
  const start = { job: LATENCY_JOB, slotAt, jobId: jobIdOf(LATENCY_JOB, slotAt), runId, dryRun }
  return skip(deps.jobs, { start, now: env.clock.now(), nextRunAt: null }, 'services_running')
}

function tell({ terminal }: Session, finished: JobFinished): void {
  const { jobId, status, skipReason, summary, errorCode, errorMessage, artefacts } = finished
  if (status === 'skipped') terminal.warn(`${jobId} is skipped: ${skipReason}`)
  else if (errorMessage) terminal.error(`${jobId}: ${errorMessage} [${errorCode}]`)
  else for (const { path, bytes } of artefacts) terminal.note(`${path}  ${bytes} bytes`)
  terminal.summary({
    job_id: jobId,
    status,
    ...(skipReason === null ? {} : { skip_reason: skipReason }),
    ...(errorCode === null ? {} : { error_code: errorCode, error_message: errorMessage }),
    ...summary,
  })
}
