import { ObstreamError } from '#lib/errors.ts'
import type { JobFinished, JobStarted } from '#lib/facts.ts'
import type { Instant } from '#lib/time.ts'
import type { JobHistory, SlotHistory } from './job-history.ts'
import type { JobTopic } from './job-topic.ts'

/** A run that wants a slot. */
export interface Claim {
  /** What it will record if the slot is free. Its run id is that of the run. */
  readonly start: JobStarted
  /** Whether the run holds the job's lock: then every earlier run that has not ended is dead. */
  readonly holdsLock: boolean
  /** Wall clock, for a record that says "skipped". */
  readonly now: Instant
  readonly nextRunAt: Instant | null
}

export type ClaimOutcome =
  /** The slot is to be run now, by the start given here: the recorded one, which is another run's when this is a retry. */
  | { readonly kind: 'run'; readonly start: JobStarted; readonly attempt: number }
  /** An earlier run died; the lock proves it. Run its start first, then claim again. */
  | { readonly kind: 'resume'; readonly start: JobStarted; readonly attempt: number }
  /** Another run has this very slot, and may be alive. */
  | { readonly kind: 'taken'; readonly start: JobStarted }
  | { readonly kind: 'finished'; readonly finished: JobFinished }
  /** Nothing will be run, and the log says so. */
  | { readonly kind: 'skipped'; readonly finished: JobFinished }

/**
 * Claims a slot: looks, appends the start, reads back. The first `started` of (job, slot) counts for everybody, so two
 * claims at once give one start.
 *
 * @throws what `EventLog.append` and `read` throw; claiming again with the same run id is always safe
 */
export async function claimSlot(jobs: JobTopic, claim: Claim): Promise<ClaimOutcome> {
  const before = decide(await jobs.history(claim.start.job), claim)
  if (before !== 'free') return await said(jobs, claim, before)
  await jobs.append(claim.start)
  const after = decide(await jobs.history(claim.start.job), claim)
  if (after === 'free')
    throw new ObstreamError(
      'OBS_RUNTIME_UNEXPECTED',
      `the start of ${claim.start.jobId} was appended and cannot be read back`,
    )
  return await said(jobs, claim, after)
}

type Decision = Exclude<ClaimOutcome, { kind: 'skipped' }> | 'free' | SkipReason

/**
 * - `earlier_start_open`: another slot is being run, or its run died and nobody has taken it up yet.
 * - `start_does_not_count`: another start came between looking and claiming; see `SlotHistory.counts`.
 * - `slot_taken`: another run has claimed this very slot.
 * - `lock_held`: another process holds the job's lock.
 * - `services_running`: another process runs the services, which start the job themselves.
 */
export type SkipReason = 'earlier_start_open' | 'start_does_not_count' | 'slot_taken' | 'lock_held' | 'services_running'

function decide(history: JobHistory, { start, holdsLock }: Claim): Decision {
  const slot = history.slot(start.slotAt, start.dryRun)
  const lastEnd = slot.ends.at(-1)
  if (lastEnd && !mayRunAgain(history, slot, holdsLock)) return { kind: 'finished', finished: lastEnd }
  if (slot.start?.runId === start.runId && slot.counts && !lastEnd)
    return { kind: 'run', start: slot.start, attempt: 1 }
  if (slot.start && slot.counts) {
    const attempt = attemptOf(history, slot.start, start.runId)
    return holdsLock && !start.dryRun
      ? { kind: 'run', start: slot.start, attempt }
      : { kind: 'taken', start: slot.start }
  }
  if (slot.start) return 'start_does_not_count'
  if (history.open === null || start.dryRun) return 'free'
  if (!holdsLock) return 'earlier_start_open'
  return { kind: 'resume', start: history.open, attempt: attemptOf(history, history.open, start.runId) }
}

/**
 * Only a slot that failed, and only while no later one has been started: its files would replace newer ones. The lock says
 * that nobody else is at it.
 */
function mayRunAgain(history: JobHistory, { start, ends }: SlotHistory, holdsLock: boolean): boolean {
  return holdsLock && start !== null && start === history.starts.at(-1) && ends.every((end) => end.status === 'error')
}

/** The number of a run of a recorded start: 1 for the run that claimed it, else one more than any known. */
export function attemptOf(history: JobHistory, start: JobStarted, runId: string): number {
  const { ends } = history.slot(start.slotAt, start.dryRun)
  const claimed = start.runId === runId ? 0 : 1
  return Math.max(claimed, ...ends.map((end) => end.attempt)) + 1
}

async function said(jobs: JobTopic, claim: Claim, decision: Exclude<Decision, 'free'>): Promise<ClaimOutcome> {
  if (typeof decision !== 'string') return decision
  return { kind: 'skipped', finished: await skip(jobs, claim, decision) }
}

/** A run that does not take place. */
export interface SkippedRun extends Pick<Claim, 'now' | 'nextRunAt'> {
  readonly start: Pick<JobStarted, 'job' | 'slotAt' | 'jobId' | 'runId' | 'dryRun'>
}

/** Records that a run did not take place. The slot stays as it is. */
export async function skip(
  jobs: JobTopic,
  { start, now, nextRunAt }: SkippedRun,
  reason: SkipReason,
): Promise<JobFinished> {
  const { job, slotAt, jobId, runId, dryRun } = start
  const finished: JobFinished = {
    type: 'finished',
    job,
    slotAt,
    jobId,
    runId,
    attempt: 0,
    status: 'skipped',
    skipReason: reason,
    startedAt: now,
    durationMs: 0,
    artefacts: [],
    alerts: [],
    errorCode: null,
    errorMessage: null,
    dryRun,
    summary: {},
    nextRunAt,
  }
  await jobs.append(finished)
  return finished
}
