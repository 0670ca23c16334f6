import type { Instant } from '#lib/time.ts'
import { DAY_MS } from '#lib/time.ts'
import { compareRows, LATENCY_HEADER, type LatencyRow, latencyLine } from './latency-csv.ts'

/** No latency file is larger, in bytes, its header included. */
export const MAX_FILE_BYTES = 10_000_000

/** Folder of the archive. */
export const ARCHIVE_FOLDER = 'ops/signal_latency_archive'

/** What rotation must know of a job. */
export interface RotationJob {
  readonly jobId: string
  readonly cutTickAt: Instant
  /** The job's now. */
  readonly generatedAt: Instant
  readonly rawRetentionDays: number
}

/** A file of rotated rows. It never changes again. */
export interface ArchiveFile {
  /** `ops/signal_latency_archive/YYYY/MM/<job id>-<n>.csv`. */
  readonly path: string
  /** At least one; sorted. */
  readonly rows: readonly LatencyRow[]
  readonly jobId: string
}

/** What the latency files hold after a job. */
export interface RotationState {
  /** Rows of `ops/signal_latency.csv`, sorted. */
  readonly current: readonly LatencyRow[]
  /** Size of that file, header included. */
  readonly currentSizeBytes: number
  /** Files to keep, in the order they were made. */
  readonly archive: readonly ArchiveFile[]
  /** Paths of files whose time was up, in the order they were made. */
  readonly retired: readonly string[]
}

const HEADER_BYTES = LATENCY_HEADER.length

export const emptyRotation: RotationState = { current: [], currentSizeBytes: HEADER_BYTES, archive: [], retired: [] }

/**
 * One job: takes its new rows in, moves what is old to the archive, retires archive files.
 *
 * 1. Rows of a UTC day before that of the cut go to the archive.
 * 2. While the current file would be larger than `MAX_FILE_BYTES`, its oldest rows follow, in the largest chunks that
 *    are not larger than that themselves.
 * 3. An archive file is retired when its newest row is older than the job's now minus the retention.
 *
 * Everything is a function of the rows and the jobs before, so the files can be made anew from nothing. A fold that
 * begins at the first job of a day needs only the archive of the job before: no row of an earlier day is current.
 */
export function rotate(state: RotationState, job: RotationJob, newRows: readonly LatencyRow[]): RotationState {
  const rows = newRows.length === 0 ? state.current : [...state.current, ...newRows].sort(compareRows)
  const pastRows = countBefore(rows, Math.floor(job.cutTickAt / DAY_MS) * DAY_MS)
  const sizeBytes = state.currentSizeBytes + linesBytes(newRows)
  if (pastRows === 0 && sizeBytes <= MAX_FILE_BYTES)
    return retireOld({ ...state, current: rows, currentSizeBytes: sizeBytes }, job)

  const past = inChunks(rows.slice(0, pastRows))
  const today = inChunks(rows.slice(pastRows))
  const current = today.at(-1) ?? []
  const moved = [...past, ...today.slice(0, -1)].map((chunk, i) => archiveFile(job, i + 1, chunk))
  const currentSizeBytes = HEADER_BYTES + linesBytes(current)
  return retireOld({ ...state, current, currentSizeBytes, archive: [...state.archive, ...moved] }, job)
}

function countBefore(rows: readonly LatencyRow[], at: Instant): number {
  const first = rows.findIndex((row) => row.scheduledAt >= at)
  return first < 0 ? rows.length : first
}

function linesBytes(rows: readonly LatencyRow[]): number {
  return rows.reduce((sum, row) => sum + lineBytes(row), 0)
}

function lineBytes(row: LatencyRow): number {
  return Buffer.byteLength(latencyLine(row))
}

/** Splits rows into files that are each as large as they may be, the last one excepted. */
function inChunks(rows: readonly LatencyRow[]): readonly (readonly LatencyRow[])[] {
  const chunks: (readonly LatencyRow[])[] = []
  let from = 0
  let sizeBytes = HEADER_BYTES
  rows.forEach((row, i) => {
    const rowBytes = lineBytes(row)
    if (sizeBytes + rowBytes > MAX_FILE_BYTES) {
      chunks.push(rows.slice(from, i))
      from = i
      sizeBytes = HEADER_BYTES
    }
    sizeBytes += rowBytes
  })
  return from < rows.length ? [...chunks, rows.slice(from)] : chunks
}

/** Year and month of the cut, then the job: nobody else makes that name. */
function archiveFile(job: RotationJob, number: number, rows: readonly LatencyRow[]): ArchiveFile {
  const [year, month] = new Date(job.cutTickAt).toISOString().split('-')
  return { path: `${ARCHIVE_FOLDER}/${year}/${month}/${job.jobId}-${number}.csv`, rows, jobId: job.jobId }
}

function retireOld(state: RotationState, job: RotationJob): RotationState {
  const keepFromAt = job.generatedAt - job.rawRetentionDays * DAY_MS
  const isOld = (file: ArchiveFile): boolean => file.rows.at(-1)!.scheduledAt < keepFromAt
  if (!state.archive.some(isOld)) return state
  const retired = state.archive.filter(isOld).map((file) => file.path)
  return { ...state, archive: state.archive.filter((file) => !isOld(file)), retired: [...state.retired, ...retired] }
}

/** How many bytes the current file can take before it is rotated. */
export function nextRotationBytes(currentSizeBytes: number): number {
  return MAX_FILE_BYTES - currentSizeBytes
}
