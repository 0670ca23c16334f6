import { resolve } from 'node:path'
import { type FileLock, holdFileLock } from '#lib/eventlog/file-lock.ts'

export const LATENCY_LOCK_FILE = 'ops/.latency.lock'

/** Takes a job's lock, or says that another run has it. */
export type JobLock = () => FileLock | null

/**
 * The lock that at most one run of a job on a data directory holds. Whoever holds it knows that earlier runs are dead.
 *
 * @param lockFile relative to the data directory
 */
export function fileJobLock(dataDir: string, lockFile = LATENCY_LOCK_FILE): JobLock {
  return () => holdFileLock(resolve(dataDir, lockFile))
}
