import type { JobStarted } from '#lib/facts.ts'
import type { Cut } from '#lib/jobs/cut.ts'
import { jobIdOf } from '#lib/jobs/job-keys.ts'
import type { Instant, Milliseconds } from '#lib/time.ts'
import { type LatencyOptions, writeOptions } from './latency-options.ts'

/** The job's name in keys and records. */
export const LATENCY_JOB = 'latency'

/** What somebody asks of a latency job. */
export interface LatencyRequest {
  readonly slotAt: Instant
  readonly runId: string
  /** When the job is due next, whoever runs it then. */
  readonly nextRunAt: Instant
  readonly options: LatencyOptions
  /** argv, secrets masked. */
  readonly command: readonly string[]
  readonly commitSha: string | null
  readonly dryRun: boolean
}

/** The job's slots begin every `everyMs`, aligned to 1970-01-01T00:00:00Z: the one that `at` lies in. */
export function latencySlotOf(at: Instant, everyMs: Milliseconds): Instant {
  return Math.floor(at / everyMs) * everyMs
}

/** The record that claims the slot. The job's now is the instant of its cut: the newest the log knows, not a clock's. */
export function latencyStart(request: Omit<LatencyRequest, 'nextRunAt'>, cut: Cut): JobStarted {
  const { slotAt, runId, options, command, commitSha, dryRun } = request
  return {
    type: 'started',
    job: LATENCY_JOB,
    slotAt,
    jobId: jobIdOf(LATENCY_JOB, slotAt),
    runId,
    generatedAt: cut.cutTickAt,
    plan: cut.plan,
    commitSha,
    command,
    options: writeOptions(options),
    dryRun,
    cutTickAt: cut.cutTickAt,
    cutLastKeys: cut.cutLastKeys,
  }
}
