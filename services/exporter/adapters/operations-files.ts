import type { ArtefactStore } from '#lib/artefacts/port.ts'
import type { JobFinished } from '#lib/facts.ts'
import type { JobHistory } from '#lib/jobs/job-history.ts'
import type { JobTopic } from '#lib/jobs/job-topic.ts'
import {
  AUTOMATION_LOG,
  type AutomationFile,
  automationFiles,
  automationLines,
  type DatedEnd,
  dayOfRotated,
} from '../automation-log.ts'
import { type Heartbeat, heartbeatJson } from '../heartbeat.ts'
import { LATENCY_JOB } from '../latency-start.ts'

export const LATENCY_HEARTBEAT = 'ops/latency_job_heartbeat.json'

/**
 * Writes the projections of `obs.job.v1` to its end: the automation log, and the heartbeat of the newest latency job that
 * went well, so that a job that only fails looks dead.
 *
 * @param dryRun a dry run that went well: in its own folder the heartbeat is its own
 * @throws OBS_ARTEFACT_CANNOT_CREATE, OBS_ARTEFACT_IO
 */
export async function writeOperationsFiles(store: ArtefactStore, jobs: JobTopic, dryRun?: JobFinished): Promise<void> {
  await writeAutomationLog(store, await datedEnds(jobs))
  const history = await jobs.history(LATENCY_JOB)
  const newest = dryRun ?? history.lastOk
  if (newest) await store.write(LATENCY_HEARTBEAT, heartbeatJson(heartbeatOf(newest, history)))
}

/** The ends of all jobs, for `automationFiles`. A dry run has its cut on an overlay, which is no time of the log. */
export async function datedEnds(jobs: JobTopic): Promise<readonly DatedEnd[]> {
  return (await jobs.finished()).map((finished) => {
    const start = finished.status === 'skipped' || finished.dryRun ? null : jobs.startOf(finished)
    return { finished, cutTickAt: start?.cutTickAt ?? null }
  })
}

/**
 * The current file only ever grows, and becomes a rotated one by getting its name, so that a program that follows it reads
 * each line once. A rotated file that is there is left alone.
 */
async function writeAutomationLog(store: ArtefactStore, ends: readonly DatedEnd[]): Promise<void> {
  const { rotated, keptFrom, current } = automationFiles(ends)
  const standing = new Set((await store.list('ops')).filter((path) => dayOfRotated(path) !== null))
  for (const file of rotated) if (!standing.has(file.path)) await rotateInto(store, file)
  for (const path of standing) if (dayOfRotated(path)! < keptFrom) await store.remove(path)
  await store.extend(AUTOMATION_LOG, automationLines(current.ends))
}

/** What followed the last rewrite, and yet belongs to the file, is added before it is renamed. */
async function rotateInto(store: ArtefactStore, { path, ends }: AutomationFile): Promise<void> {
  const content = automationLines(ends)
  const live = await store.read(AUTOMATION_LOG)
  const isIts = live !== null && content.subarray(0, live.length).equals(live)
  if (!isIts) return await store.write(path, content)
  await store.extend(AUTOMATION_LOG, content)
  await store.rename(AUTOMATION_LOG, path)
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
