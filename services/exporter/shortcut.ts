import type { JobStarted } from '#lib/facts.ts'
import type { JobHistory } from '#lib/jobs/job-history.ts'
import { DAY_MS, type Instant } from '#lib/time.ts'
import { catalogueAfter } from './archive-catalogue.ts'
import type { LatencyRow } from './latency-csv.ts'
import type { RotationBase } from './rotation.ts'

/**
 * A way to the files of a job that needs the samples of the last days only: over the last job that went well, whose archive
 * the records tell.
 */
export interface Shortcut {
  /** Starts to fold, the job last. Samples below the cut of the first are of no use, but to know copies by. */
  readonly starts: readonly JobStarted[]
  readonly base: RotationBase
  /** The job of the base. Its current file begins at its midnight. */
  readonly lastOk: JobStarted
  /** No sample below the cut of the first start is scheduled later. */
  readonly knownTo: Instant
}

/** So far before the midnight the samples are read too: what comes a day late is known from a copy. */
const MARGIN_MS = DAY_MS

/**
 * @param starts that count, the job last
 * @returns `null` when the records do not prove one
 */
export function findShortcut(history: JobHistory, starts: readonly JobStarted[]): Shortcut | null {
  const lastOk = lastOkBefore(history, starts)
  if (!lastOk) return null
  const fromAt = midnightOf(lastOk)
  const first = starts.findLastIndex((start) => start.cutTickAt < fromAt - MARGIN_MS && history.okEnd(start))
  if (first < 0) return null
  const knownTo = history.okEnd(starts[first]!)!.summary['newest_sample_at']
  const archive = catalogueAfter(history, lastOk)
  if (knownTo === undefined || knownTo >= fromAt || !archive) return null
  return { starts: starts.slice(first), base: { jobId: lastOk.jobId, archive }, lastOk, knownTo }
}

/** The beginning of the UTC day that a start's cut lies in. */
export function midnightOf({ cutTickAt }: JobStarted): Instant {
  return Math.floor(cutTickAt / DAY_MS) * DAY_MS
}

/** The last start before the job that went well. */
export function lastOkBefore(history: JobHistory, starts: readonly JobStarted[]): JobStarted | null {
  return starts.slice(0, -1).findLast((start) => history.okEnd(start)) ?? null
}

/**
 * Whether the rows that were found fit the shortcut. None may be so late that it may be a copy of something that was not
 * read, and none of the days before the base so early that it may have been rotated with them.
 *
 * @param newRows of each start of the shortcut
 */
export function isProven({ starts, lastOk, knownTo }: Shortcut, newRows: readonly (readonly LatencyRow[])[]): boolean {
  const baseIndex = starts.indexOf(lastOk)
  const fromAt = midnightOf(lastOk)
  return starts.every((start, i) => {
    if (i > baseIndex) return newRows[i]!.every((row) => row.scheduledAt > knownTo)
    return start.cutTickAt >= fromAt || newRows[i]!.every((row) => row.scheduledAt < fromAt)
  })
}
