import type { JobFact } from '#lib/facts.ts'
import { instantPart, joinKey, keyPart } from '#lib/keys.ts'
import { compactInstant, type Instant } from '#lib/time.ts'

/** The run of a job that keys are about. */
export interface JobSlot {
  /** `latency`, `weekly`, …: `[a-z0-9][a-z0-9_-]*`. */
  readonly job: string
  readonly slotAt: Instant
  /** Keys of a dry run end in `/dry-run`, so that it never takes the slot of a real one. */
  readonly dryRun: boolean
}

/** `job/slot/started`. */
export function startedKey(slot: JobSlot): string {
  return slotKey(slot, 'started')
}

/** `job/slot/finished/attempt`. */
export function finishedKey(slot: JobSlot, attempt: number): string {
  return slotKey(slot, 'finished', String(attempt))
}

/** `job/slot/skipped/run id`: of a run that did not take place; it does not end the slot. */
export function skippedKey(slot: JobSlot, runId: string): string {
  return slotKey(slot, 'skipped', keyPart(runId))
}

/** The key of any job fact. */
export function jobFactKey(fact: JobFact): string {
  if (fact.type === 'started') return startedKey(fact)
  return fact.status === 'skipped' ? skippedKey(fact, fact.runId) : finishedKey(fact, fact.attempt)
}

function slotKey({ job, slotAt, dryRun }: JobSlot, ...about: readonly string[]): string {
  return joinKey(keyPart(job), instantPart(slotAt), ...about, ...(dryRun ? ['dry-run'] : []))
}

const JOB_NAME = /^[a-z0-9][a-z0-9_-]*$/

/**
 * `20260627T233000Z-latency`, from the slot: one id per job and slot, also for a retry. Safe as a file name.
 *
 * @throws RangeError when the job's name does not fit
 */
export function jobIdOf(job: string, slotAt: Instant): string {
  if (!JOB_NAME.test(job)) throw new RangeError(`a job may not be called ${JSON.stringify(job)}`)
  return `${compactInstant(slotAt)}-${job}`
}
