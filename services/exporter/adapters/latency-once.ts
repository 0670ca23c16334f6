import { type ErrorCode, type ExitCode, errorCatalogue, exitCodes } from '#lib/errors.ts'
import type { JobFinished } from '#lib/facts.ts'
import { attemptOf, claimSlot, skip } from '#lib/jobs/claim.ts'
import { chooseCut } from '#lib/jobs/cut.ts'
import { jobIdOf } from '#lib/jobs/job-keys.ts'
import type { JobTopic } from '#lib/jobs/job-topic.ts'
import { LATENCY_JOB, type LatencyRequest, latencyStart } from '../latency-start.ts'
import type { JobLock } from './job-lock.ts'
import { type LatencyJobDependencies, runLatencyJob } from './latency-job.ts'

/** How a latency job of one process ended. */
export interface LatencyOutcome {
  readonly finished: JobFinished
  /** 0 also when the run was skipped; that of its error when it failed. */
  readonly exitCode: ExitCode
}

/**
 * Runs the latency job once: takes the lock, ends what a dead run has left open, claims the slot, runs it. Where another
 * run has the lock, this one is `skipped`, which the outcome says and no logger. A dry run needs no lock and stands in nobody's way.
 *
 * @throws OBS_JOB_NO_TICK when there is nothing to cut yet · what `runLatencyJob` throws
 */
export async function runLatencyOnce(
  deps: LatencyJobDependencies,
  request: LatencyRequest,
  lock: JobLock,
  signal?: AbortSignal,
): Promise<LatencyOutcome> {
  if (request.dryRun) return outcomeOf(await claimAndRun(deps, request, signal))
  const held = lock()
  if (!held) return outcomeOf(await skipRun(deps, request, 'lock_held'))
  try {
    await resumeOpen(deps, request, signal)
    return outcomeOf(await claimAndRun(deps, request, signal))
  } finally {
    held.release()
  }
}

/** The lock proves that whoever left a start open is dead. */
async function resumeOpen(
  deps: LatencyJobDependencies,
  { runId, nextRunAt }: LatencyRequest,
  signal?: AbortSignal,
): Promise<void> {
  for (let start = await openStart(deps.jobs); start; start = await openStart(deps.jobs)) {
    const attempt = attemptOf(await deps.jobs.history(LATENCY_JOB), start, runId)
    await runLatencyJob(deps, { start, attempt, runId, nextRunAt }, signal)
  }
}

async function openStart(jobs: JobTopic) {
  return (await jobs.history(LATENCY_JOB)).open
}

async function claimAndRun(
  deps: LatencyJobDependencies,
  request: LatencyRequest,
  signal?: AbortSignal,
): Promise<JobFinished> {
  const { jobs, clock } = deps
  const { runId, dryRun, nextRunAt } = request
  const wanted = latencyStart(request, await chooseCut(deps.log, deps.codecs.sample, signal))
  const outcome = await claimSlot(jobs, { start: wanted, holdsLock: !dryRun, now: clock.now(), nextRunAt })
  if (outcome.kind === 'finished' || outcome.kind === 'skipped') return outcome.finished
  if (outcome.kind === 'taken') return await skipRun(deps, request, 'slot_taken')
  const { start, attempt } = outcome
  const finished = await runLatencyJob(deps, { start, attempt, runId, nextRunAt }, signal)
  return outcome.kind === 'run' ? finished : await claimAndRun(deps, request, signal)
}

async function skipRun(
  deps: LatencyJobDependencies,
  { slotAt, runId, dryRun, nextRunAt }: LatencyRequest,
  reason: 'lock_held' | 'slot_taken',
): Promise<JobFinished> {
  const start = { job: LATENCY_JOB, slotAt, jobId: jobIdOf(LATENCY_JOB, slotAt), runId, dryRun }
  return await skip(deps.jobs, { start, now: deps.clock.now(), nextRunAt }, reason)
}

function outcomeOf(finished: JobFinished): LatencyOutcome {
  const code = finished.errorCode
  if (finished.status !== 'error' || code === null) return { finished, exitCode: exitCodes.ok }
  const kind = code in errorCatalogue ? errorCatalogue[code as ErrorCode] : errorCatalogue.OBS_RUNTIME_UNEXPECTED
  return { finished, exitCode: kind.exitCode }
}
