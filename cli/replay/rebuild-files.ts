import type { ArtefactStore } from '#lib/artefacts/port.ts'
import type { Environment } from '#lib/runtime/environment.ts'
import { writeLatencyFiles } from '#services/exporter/adapters/artefact-writer.ts'
import { rebuildLatency } from '#services/exporter/adapters/latency-job.ts'
import { writeOperationsFiles } from '#services/exporter/adapters/operations-files.ts'
import { LATENCY_JOB } from '#services/exporter/latency-start.ts'
import { exporterDependencies } from '#services/exporter/service.ts'
import { isInRange, type ReplayRange } from './range.ts'

/**
 * Writes every artefact as it was after the last job of the range that went well.
 *
 * @returns the job's id; `null` when no job of the range went well, and nothing was written
 */
export async function rebuildFiles(
  rebuilt: Environment,
  store: ArtefactStore,
  range: ReplayRange,
): Promise<string | null> {
  const deps = exporterDependencies(rebuilt)
  const history = await deps.jobs.history(LATENCY_JOB)
  const start = history.starts.findLast(
    ({ slotAt, dryRun, cutTickAt }) =>
      isInRange(range, cutTickAt) && history.slot(slotAt, dryRun).ends.some(({ status }) => status === 'ok'),
  )
  if (!start) return null
  await writeLatencyFiles(store, await rebuildLatency(deps, start))
  await writeOperationsFiles(store, deps.jobs)
  return start.jobId
}
