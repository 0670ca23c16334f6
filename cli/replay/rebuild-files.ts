import type { ArtefactStore } from '#lib/artefacts/port.ts'
import type { JobStarted } from '#lib/facts.ts'
import type { Environment } from '#lib/runtime/environment.ts'
import { writeOperationsFiles } from '#services/exporter/adapters/operations-files.ts'
import { LATENCY_JOB } from '#services/exporter/latency-start.ts'
import { exporterDependencies } from '#services/exporter/service.ts'
import { filesOf, type LatencyFiles } from './latency-files.ts'
import { isInRange, type ReplayRange } from './range.ts'

/** What a replay wrote. */
export interface RebuiltFiles {
  /** The job after which the files were so; `null`: no job of the range went well, and nothing was written. */
  readonly jobId: string | null
  /** Files that were left out, since the log no longer gives the bytes that were recorded. */
  readonly leftOut: readonly string[]
}

/**
 * Writes every artefact as it was after the last job of the range that went well. Nothing is removed.
 *
 * @param provenOnly writes only what has the recorded bytes: evidence is not overwritten by something else
 */
export async function rebuildFiles(
  rebuilt: Environment,
  files: LatencyFiles,
  store: ArtefactStore,
  { range, provenOnly }: { readonly range: ReplayRange; readonly provenOnly: boolean },
): Promise<RebuiltFiles> {
  const start = files.history.starts.findLast(
    (candidate) => isInRange(range, candidate.cutTickAt) && files.isOk(candidate),
  )
  if (!start) return { jobId: null, leftOut: [] }
  const recorded = recordedUpTo(start, files)
  const leftOut: string[] = []
  for (const { path, content, sha256 } of filesOf(files.after(start)))
    if (content === null || (provenOnly && recorded.get(path) !== sha256)) leftOut.push(path)
    else await store.write(path, content)
  await writeOperationsFiles(store, exporterDependencies(rebuilt).jobs)
  return { jobId: start.jobId, leftOut }
}

/** sha256 of each file as the last job up to that one recorded it. */
function recordedUpTo(start: JobStarted, { history, ends }: LatencyFiles): ReadonlyMap<string, string> {
  const recorded = new Map<string, string>()
  const last = history.starts.indexOf(start)
  for (const { job, status, dryRun, slotAt, artefacts } of ends) {
    if (job !== LATENCY_JOB || status !== 'ok' || dryRun) continue
    const writer = history.slot(slotAt, dryRun).start
    if (writer && history.starts.indexOf(writer) <= last)
      for (const { path, sha256 } of artefacts) recorded.set(path, sha256)
  }
  return recorded
}
