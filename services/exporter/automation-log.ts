import type { JobFinished } from '#lib/facts.ts'
import { formatInstant, formatInstantMs } from '#lib/time.ts'

/**
 * `ops/automation_runs.log`: one JSON object a line for each end of a job, fields always in this order.
 *
 * What only a delivering or uploading job has is `null` for the others, so that every line has every field.
 */
export function automationLog(finished: readonly JobFinished[]): Buffer {
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
