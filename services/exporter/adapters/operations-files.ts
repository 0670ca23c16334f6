import type { ArtefactStore } from '#lib/artefacts/port.ts'
import type { JobFinished } from '#lib/facts.ts'
import type { JobHistory } from '#lib/jobs/job-history.ts'
import type { JobTopic } from '#lib/jobs/job-topic.ts'
import { automationLog } from '../automation-log.ts'
import { type Heartbeat, heartbeatJson } from '../heartbeat.ts'
import { LATENCY_JOB } from '../latency-start.ts'

export const AUTOMATION_LOG = 'ops/automation_runs.log'
export const LATENCY_HEARTBEAT = 'ops/latency_job_heartbeat.json'

/**
 * Writes the projections of `obs.job.v1` to its end: the automation log, and the heartbeat of the newest latency job that
 * went well, so that a job that only fails looks dead.
 *
 * @param dryRun a dry run that went well: in its own folder the heartbeat is its own
 * @throws OBS_ARTEFACT_CANNOT_CREATE, OBS_ARTEFACT_IO
 */
export async function writeOperationsFiles(store: ArtefactStore, jobs: JobTopic, dryRun?: JobFinished): Promise<void> {
  await store.write(AUTOMATION_LOG, automationLog(await jobs.finished()))
  const history = await jobs.history(LATENCY_JOB)
  const newest = dryRun ?? history.lastOk
  if (newest) await store.write(LATENCY_HEARTBEAT, heartbeatJson(heartbeatOf(newest, history)))
}

function heartbeatOf(finished: JobFinished, history: JobHistory): Heartbeat {
  const { start } = history.slot(finished.slotAt, finished.dryRun)
  return {
    jobId: finished.jobId,
    generatedAt: start?.generatedAt ?? finished.startedAt,
    nextRunAt: finished.nextRunAt,
    lastBreachAt: finished.summary['last_breach_at'] ?? null,
  }
}
