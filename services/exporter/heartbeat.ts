import type { Instant } from '#lib/time.ts'
import { formatInstant } from '#lib/time.ts'

export interface Heartbeat {
  readonly jobId: string
  /** The job's now. */
  readonly generatedAt: Instant
  /** When the job is due next; `null`: the log does not say. */
  readonly nextRunAt: Instant | null
  /** End of the newest breaching window; `null`: none is known. */
  readonly lastBreachAt: Instant | null
}

/** `ops/latency_job_heartbeat.json`. */
export function heartbeatJson(heartbeat: Heartbeat): Buffer {
  const fields = {
    job_id: heartbeat.jobId,
    generated_at: formatInstant(heartbeat.generatedAt),
    next_run_at: orNull(heartbeat.nextRunAt),
    last_breach_at: orNull(heartbeat.lastBreachAt),
  }
  return Buffer.from(`${JSON.stringify(fields, null, 2)}\n`)
}

function orNull(at: Instant | null): string | null {
  return at === null ? null : formatInstant(at)
}
