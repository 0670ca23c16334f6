import { sha256Hex } from '#lib/codec/sha256.ts'
import type { JobFinished, JobStarted } from '#lib/facts.ts'
import type { JobHistory } from '#lib/jobs/job-history.ts'
import type { Environment } from '#lib/runtime/environment.ts'
import { DAY_MS, type Instant } from '#lib/time.ts'
import { readLatencyFacts } from '#services/exporter/adapters/latency-inputs.ts'
import { latencyCsv } from '#services/exporter/latency-csv.ts'
import { readOptions } from '#services/exporter/latency-options.ts'
import {
  CHECKSUM_FILE,
  CURRENT_FILE,
  type LatencyFacts,
  type LatencyProjection,
  type ProjectedFile,
  projectLatency,
} from '#services/exporter/latency-projection.ts'
import { LATENCY_JOB } from '#services/exporter/latency-start.ts'
import { ARCHIVE_FOLDER, emptyRotation, rotate } from '#services/exporter/rotation.ts'
import { exporterDependencies } from '#services/exporter/service.ts'

/** The files of every latency job of a log, made anew. */
export class LatencyFiles {
  readonly history: JobHistory
  /** Ends of all jobs, in the order of the log. */
  readonly ends: readonly JobFinished[]
  readonly #facts: LatencyFacts | null
  readonly #archived: ReadonlyMap<string, string>
  readonly #projections = new Map<JobStarted, LatencyProjection>()

  /** Reads the log once. */
  static async read(env: Environment): Promise<LatencyFiles> {
    const { log, codecs, jobs } = exporterDependencies(env)
    const history = await jobs.history(LATENCY_JOB)
    const start = history.starts.at(-1)
    const facts = start ? await readLatencyFacts(log, codecs, { history, start }) : null
    return new LatencyFiles(history, await jobs.finished(), facts)
  }

  private constructor(history: JobHistory, ends: readonly JobFinished[], facts: LatencyFacts | null) {
    this.history = history
    this.ends = ends
    this.#facts = facts
    this.#archived = facts ? archivedBy(facts) : new Map()
  }

  /** Whether a start that counts went well. */
  isOk({ slotAt, dryRun }: JobStarted): boolean {
    return this.history.slot(slotAt, dryRun).ends.some(({ status }) => status === 'ok')
  }

  /** The files as they were after a start that counts. */
  after(start: JobStarted): LatencyProjection {
    let projection = this.#projections.get(start)
    if (!projection) {
      const { starts, newRows, windows, alerts } = this.#facts!
      const count = starts.indexOf(start) + 1
      projection = projectLatency({ starts: starts.slice(0, count), newRows: newRows.slice(0, count), windows, alerts })
      this.#projections.set(start, projection)
    }
    return projection
  }

  /** sha256 of one file as it was after a start that counts; `null` when it had no such file. */
  sha256(path: string, start: JobStarted): string | null {
    if (isArchiveFile(path)) return this.#archived.get(path) ?? null
    return filesOf(this.after(start)).find((file) => file.path === path)?.sha256 ?? null
  }

  /** The oldest scheduled time of a sample that may be in the file; `null`: it is made of windows. */
  oldestRowAt(path: string, start: JobStarted): Instant | null {
    const dayOf = (at: Instant): Instant => Math.floor(at / DAY_MS) * DAY_MS
    if (path === CURRENT_FILE) return dayOf(start.cutTickAt)
    if (path === CHECKSUM_FILE) return Number.NEGATIVE_INFINITY
    if (!isArchiveFile(path)) return null
    const before = this.history.starts[this.history.starts.indexOf(start) - 1]
    return before ? dayOf(before.cutTickAt) : Number.NEGATIVE_INFINITY
  }
}

/** All files that a job leaves, oldest archive file first. */
export function filesOf({ archive, checksums, current, rollup }: LatencyProjection): readonly ProjectedFile[] {
  return [...archive, ...(checksums ? [checksums] : []), current, rollup]
}

/** A file that never changes again until its time is up; the list of checksums is none. */
export function isArchiveFile(path: string): boolean {
  return path.startsWith(`${ARCHIVE_FOLDER}/`) && path !== CHECKSUM_FILE
}

/** sha256 of each archive file that was ever made, by path. */
function archivedBy({ starts, newRows }: LatencyFacts): ReadonlyMap<string, string> {
  const archived = new Map<string, string>()
  let state = emptyRotation
  starts.forEach((start, i) => {
    const archive = state.archive
    state = rotate(state, { ...start, ...readOptions(start) }, newRows[i]!)
    if (state.archive === archive) return
    for (const { path, rows, jobId } of state.archive)
      if (jobId === start.jobId) archived.set(path, sha256Hex(latencyCsv(rows)))
  })
  return archived
}
