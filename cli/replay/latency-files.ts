import { sha256Hex } from '#lib/codec/sha256.ts'
import type { JobFinished, JobStarted } from '#lib/facts.ts'
import type { JobHistory } from '#lib/jobs/job-history.ts'
import type { Environment } from '#lib/runtime/environment.ts'
import { DAY_MS, type Instant } from '#lib/time.ts'
import { readLatencyFacts } from '#services/exporter/adapters/latency-inputs.ts'
import { latencyCsv } from '#services/exporter/latency-csv.ts'
import { rotationJob } from '#services/exporter/latency-options.ts'
import {
  CHECKSUM_FILE,
  CURRENT_FILE,
  type LatencyFacts,
  type LatencyProjection,
  type ProjectedFile,
  projectLatency,
  type StandingFile,
} from '#services/exporter/latency-projection.ts'
import { LATENCY_JOB } from '#services/exporter/latency-start.ts'
import { isArchiveFile, rotations } from '#services/exporter/rotation.ts'
import { exporterDependencies } from '#services/exporter/service.ts'
import { lastOkBefore } from '#services/exporter/shortcut.ts'

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
  isOk(start: JobStarted): boolean {
    return this.history.okEnd(start) !== null
  }

  /** The files as they were after a start that counts. */
  after(start: JobStarted): LatencyProjection {
    let projection = this.#projections.get(start)
    if (!projection) {
      projection = projectLatency(this.#factsUpTo(start))
      this.#projections.set(start, projection)
    }
    return projection
  }

  #factsUpTo(start: JobStarted): LatencyFacts {
    const facts = this.#facts!
    const count = facts.starts.indexOf(start) + 1
    const starts = facts.starts.slice(0, count)
    const hasBase = starts.some(({ jobId }) => jobId === facts.base?.jobId)
    return {
      ...facts,
      starts,
      newRows: facts.newRows.slice(0, count),
      base: hasBase ? facts.base : null,
      lastOk: lastOkBefore(this.history, starts),
    }
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
export function filesOf({
  archive,
  checksums,
  current,
  rollup,
}: LatencyProjection): readonly (ProjectedFile | StandingFile)[] {
  return [...archive, ...(checksums ? [checksums] : []), current, rollup]
}

/** sha256 of each archive file that can be made anew, by path. */
function archivedBy({ starts, newRows, base }: LatencyFacts): ReadonlyMap<string, string> {
  const archived = new Map<string, string>()
  for (const { archive } of rotations(starts.map(rotationJob), newRows, base))
    for (const file of archive)
      if ('rows' in file && !archived.has(file.path)) archived.set(file.path, sha256Hex(latencyCsv(file.rows)))
  return archived
}
