import type { JobFinished } from '#lib/facts.ts'
import { DAY_MS, formatInstant, formatInstantMs, type Instant, utcDay } from '#lib/time.ts'

/** The file that grows. */
export const AUTOMATION_LOG = 'ops/automation_runs.log'

/** No file has more lines. */
export const MAX_LINES = 10_000

/** Rotated files are kept so many days, counted from the newest cut to their own day. */
export const KEPT_DAYS = 63

/** An end of a job with the cut of its start. `null`: it has none, as a run that was skipped. */
export interface DatedEnd {
  readonly finished: JobFinished
  readonly cutTickAt: Instant | null
}

/** A file of the automation log, and the ends that are its lines. */
export interface AutomationFile {
  readonly path: string
  readonly ends: readonly JobFinished[]
}

export interface AutomationFiles {
  /** `ops/automation_runs.YYYY-MM-DD-<n>.log`, n from 1, oldest first. They never change again. */
  readonly rotated: readonly AutomationFile[]
  /** Rotated files of an earlier day are no longer kept. */
  readonly keptFrom: Instant
  readonly current: AutomationFile
}

/**
 * Deals the ends of all jobs out to files. A new one begins with the first end whose cut is of a later UTC day, and after
 * `MAX_LINES`; an end without a cut goes where the one before it went. No clock decides it, and nothing of earlier days,
 * so a file can be made anew from what the log holds of its day.
 *
 * @param ends in the order of the log
 */
export function automationFiles(ends: readonly DatedEnd[]): AutomationFiles {
  const files: { readonly dayAt: Instant; readonly number: number; readonly ends: JobFinished[] }[] = []
  const firstCutAt = ends.find(({ cutTickAt }) => cutTickAt !== null)?.cutTickAt
  let dayAt = dayOf(firstCutAt ?? Number.NEGATIVE_INFINITY)
  for (const { finished, cutTickAt } of ends) {
    dayAt = Math.max(dayAt, dayOf(cutTickAt ?? dayAt))
    const file = files.at(-1)
    const isFull = file?.ends.length === MAX_LINES && firstCutAt !== undefined
    if (file?.dayAt !== dayAt) files.push({ dayAt, number: 1, ends: [finished] })
    else if (isFull) files.push({ dayAt, number: file.number + 1, ends: [finished] })
    else file.ends.push(finished)
  }
  const keptFrom = dayAt - KEPT_DAYS * DAY_MS
  const rotated = files.slice(0, -1).filter((file) => file.dayAt >= keptFrom)
  return {
    rotated: rotated.map((file) => ({ path: rotatedPath(file.dayAt, file.number), ends: file.ends })),
    keptFrom,
    current: { path: AUTOMATION_LOG, ends: files.at(-1)?.ends ?? [] },
  }
}

function dayOf(at: Instant): Instant {
  return Math.floor(at / DAY_MS) * DAY_MS
}

function rotatedPath(dayAt: Instant, number: number): string {
  return `ops/automation_runs.${utcDay(dayAt)}-${number}.log`
}

const ROTATED = /^ops\/automation_runs\.(\d{4}-\d{2}-\d{2})-\d+\.log$/

/** The day of a rotated file by its name; `null` when it is none. */
export function dayOfRotated(path: string): Instant | null {
  const day = ROTATED.exec(path)?.[1]
  return day === undefined ? null : Date.parse(`${day}T00:00:00Z`)
}

/**
 * What a file holds: one JSON object a line for each end of a job, fields always in this order.
 *
 * What only a delivering or uploading job has is `null` for the others, so that every line has every field.
 */
export function automationLines(finished: readonly JobFinished[]): Buffer {
  return Buffer.from(finished.map((fact) => `${JSON.stringify(automationLine(fact))}\n`).join(''))
}

function automationLine(fact: JobFinished): object {
  return {
    job_id: fact.jobId,
    run_id: fact.runId,
    job: fact.job,
    slot: formatInstant(fact.slotAt),
    status: fact.status,
    skip_reason: fact.skipReason,
    started_at: formatInstantMs(fact.startedAt),
    duration_ms: fact.durationMs,
    artefacts: fact.artefacts.map(({ path, bytes, sha256 }) => ({ path, bytes, sha256 })),
    alerts: fact.alerts.map(({ id, severity, state }) => ({ id, severity, state })),
    attempts: fact.attempt,
    response_code: null,
    error_code: fact.errorCode,
    error_message: fact.errorMessage,
    payload_checksum_sha256: null,
    upload_status: null,
    dry_run: fact.dryRun,
  }
}
