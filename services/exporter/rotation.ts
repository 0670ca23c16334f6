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
export type ArchiveFile = MadeFile | KnownFile

interface AnyArchiveFile {
  /** `ops/signal_latency_archive/YYYY/MM/<job id>-<n>.csv`. */
  readonly path: string
  /** Scheduled time of its newest row. */
  readonly newestAt: Instant
}

/** Its rows are at hand. */
export interface MadeFile extends AnyArchiveFile {
  readonly jobId: string
  /** At least one; sorted. */
  readonly rows: readonly LatencyRow[]
}

/** It is known from the record of a job. */
export interface KnownFile extends AnyArchiveFile {
  readonly bytes: number
  readonly sha256: string
}

/** The archive after a job, when it is known from the records of jobs and not from rows. */
export interface RotationBase {
  readonly jobId: string
  readonly archive: readonly KnownFile[]
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
 * All jobs, one after the other.
 *
 * Up to the job of the base rows of earlier days than its own may be missing: it has moved them to the archive, which is
 * known. The state after each job before it has no archive, and a current file that may lack them.
 *
 * @returns what the files hold after each job
 */
export function* rotations(
  jobs: readonly RotationJob[],
  newRows: readonly (readonly LatencyRow[])[],
  base: RotationBase | null,
): Generator<RotationState> {
  let state = emptyRotation
  const baseIndex = jobs.findIndex((job) => job.jobId === base?.jobId)
  for (const [i, job] of jobs.entries()) {
    state = rotate(state, job, newRows[i]!)
    if (i <= baseIndex) state = { ...state, archive: base && i === baseIndex ? base.archive : [], retired: [] }
    yield state
  }
}

/**
 * One job: takes its new rows in, moves what is old to the archive, retires archive files.
 *
 * 1. Rows of a UTC day before that of the cut go to the archive.
 * 2. While the current file would be larger than `MAX_FILE_BYTES`, its oldest rows follow, in the largest chunks that
 *    are not larger than that themselves.
 * 3. An archive file is retired when its newest row is older than the job's now minus the retention.
 *
 * Everything is a function of the rows and the jobs before, so the files can be made anew from nothing.
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
function archiveFile(job: RotationJob, number: number, rows: readonly LatencyRow[]): MadeFile {
  const [year, month] = new Date(job.cutTickAt).toISOString().split('-')
  const path = `${ARCHIVE_FOLDER}/${year}/${month}/${job.jobId}-${number}.csv`
  return { path, newestAt: rows.at(-1)!.scheduledAt, rows, jobId: job.jobId }
}

/** Whether a path is that of an archive file; the list of their checksums is none. */
export function isArchiveFile(path: string): boolean {
  return path.startsWith(`${ARCHIVE_FOLDER}/`) && path.endsWith('.csv')
}

/** Whether a job retires a file. */
export function isOld({ newestAt }: AnyArchiveFile, job: RotationJob): boolean {
  return newestAt < job.generatedAt - job.rawRetentionDays * DAY_MS
}

function retireOld(state: RotationState, job: RotationJob): RotationState {
  const retired = state.archive.filter((file) => isOld(file, job)).map((file) => file.path)
  if (retired.length === 0) return state
  const archive = state.archive.filter((file) => !isOld(file, job))
  return { ...state, archive, retired: [...state.retired, ...retired] }
}

/** How many bytes the current file can take before it is rotated. */
export function nextRotationBytes(currentSizeBytes: number): number {
  return MAX_FILE_BYTES - currentSizeBytes
}
