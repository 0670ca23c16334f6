import type { JobStarted } from '#lib/facts.ts'
import type { JobHistory } from '#lib/jobs/job-history.ts'
import { rotationJob } from './latency-options.ts'
import { isArchiveFile, isOld, type KnownFile } from './rotation.ts'

/**
 * The archive after a job that went well, as the records of the jobs tell it: each names the files that it made, or that
 * one which failed before it has made. No sample is needed.
 *
 * @returns `null` when a record does not say when a file's newest row was
 */
export function catalogueAfter(history: JobHistory, start: JobStarted): readonly KnownFile[] | null {
  let archive: readonly KnownFile[] = []
  for (const past of history.starts.slice(0, history.starts.indexOf(start) + 1)) {
    const made: KnownFile[] = []
    for (const { path, bytes, sha256, newestAt } of history.okEnd(past)?.artefacts ?? [])
      if (newestAt !== null) made.push({ path, bytes, sha256, newestAt })
      else if (isArchiveFile(path)) return null
    const job = rotationJob(past)
    archive = [...archive, ...made].filter((file) => !isOld(file, job))
  }
  return archive
}
