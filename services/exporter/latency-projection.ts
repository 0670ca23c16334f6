import { sha256Hex } from '#lib/codec/sha256.ts'
import type { Alert, ArtefactFile, JobFinished, JobStarted, Window } from '#lib/facts.ts'
import type { Instant } from '#lib/time.ts'
import { checksumList } from './checksum-list.ts'
import { type LatencyRow, latencyCsv } from './latency-csv.ts'
import { readOptions, rotationJob } from './latency-options.ts'
import { openAlertsAt } from './open-alerts.ts'
import { lastBreachAt, rollupCsv, rollupRows } from './rollup-csv.ts'
import {
  ARCHIVE_FOLDER,
  type ArchiveFile,
  emptyRotation,
  nextRotationBytes,
  type RotationBase,
  type RotationState,
  rotations,
} from './rotation.ts'

export const CURRENT_FILE = 'ops/signal_latency.csv'
export const CHECKSUM_FILE = `${ARCHIVE_FOLDER}/SHA256SUMS`

/** What the log says to a latency job. */
export interface LatencyFacts {
  /** Starts that count, in order; the last one is the job. All of them, or with a base as many as it takes. */
  readonly starts: readonly JobStarted[]
  /** Of each start the rows that are below its cut and below no earlier one; before the base as `rotations` wants them. */
  readonly newRows: readonly (readonly LatencyRow[])[]
  readonly base: RotationBase | null
  /** The last start before the job that went well; `null`: none has. */
  readonly lastOk: JobStarted | null
  /** Latest scheduled time of the samples below the job's cut, whatever their outcome; `null`: there is none. */
  readonly newestSampleAt: Instant | null
  /** Each revision once, in any order, also above the cut. */
  readonly windows: readonly Window[]
  /** Each transition once, in any order, also above the cut. */
  readonly alerts: readonly Alert[]
}

export interface ProjectedFile extends ArtefactFile {
  readonly content: Buffer
}

/** An archive file that an earlier job has written. */
export interface StandingFile extends ArtefactFile {
  readonly content: null
}

/** A whole set of files as they are after the job. */
export interface LatencyProjection {
  /** All archive files that are kept, oldest first. */
  readonly archive: readonly (ProjectedFile | StandingFile)[]
  /** The list of their checksums; `null` without one of them. */
  readonly checksums: ProjectedFile | null
  /** Archive files whose time was up at this job or an earlier one. */
  readonly retired: readonly string[]
  readonly current: ProjectedFile
  readonly rollup: ProjectedFile
  /** What the job's record names: the files it made anew, and the archive files that no record names so far. */
  readonly artefacts: readonly ArtefactFile[]
  readonly alerts: JobFinished['alerts']
  readonly summary: JobFinished['summary']
}

/**
 * The latency job: a function of the facts below its cut and of the starts up to it. Made anew from an empty folder it
 * gives the same bytes.
 */
export function projectLatency(facts: LatencyFacts): LatencyProjection {
  const start = facts.starts.at(-1)!
  let rotation = emptyRotation
  for (const state of rotations(facts.starts.map(rotationJob), facts.newRows, facts.base)) rotation = state
  const archive = rotation.archive.map(archived)
  const checksums = archive.length === 0 ? null : projected(CHECKSUM_FILE, checksumList(ARCHIVE_FOLDER, archive))
  const current = projected(CURRENT_FILE, latencyCsv(rotation.current))

  const options = readOptions(start)
  const rows = rollupRows(facts.windows, { ...start, ...options })
  const rollup = projected(options.rollupOutput, rollupCsv(rows))

  const unnamed = new Set(facts.starts.slice(facts.starts.indexOf(facts.lastOk!) + 1).map(({ jobId }) => jobId))
  const made = archive.filter((_, i) => isMadeBy(unnamed, rotation.archive[i]!))
  const written = [...made, ...(checksums ? [checksums] : []), current, rollup]
  return {
    archive,
    checksums,
    retired: rotation.retired,
    current,
    rollup,
    artefacts: written.map(({ content: _, ...file }) => file),
    alerts: openAlertsAt(facts.alerts, start.cutTickAt),
    summary: summarise(facts, rotation, rows),
  }
}

function projected(path: string, content: Buffer, newestAt: Instant | null = null): ProjectedFile {
  return { path, content, bytes: content.length, sha256: sha256Hex(content), newestAt }
}

function archived(file: ArchiveFile): ProjectedFile | StandingFile {
  if ('rows' in file) return projected(file.path, latencyCsv(file.rows), file.newestAt)
  return { ...file, content: null }
}

function isMadeBy(jobIds: ReadonlySet<string>, file: ArchiveFile): boolean {
  return 'rows' in file && jobIds.has(file.jobId)
}

/**
 * - `samples_written`: rows that no earlier job had.
 * - `rollups_written`: rows of the rollup file decided since the job before.
 * - `breach_count`: breaches among these.
 * - `next_rotation_bytes`: what the current file can take before it is rotated.
 * - `last_breach_at`: end of the newest breaching window, as milliseconds; absent without one.
 * - `newest_sample_at`: the latest scheduled time of all samples up to the cut, as milliseconds; absent without one.
 */
function summarise(facts: LatencyFacts, rotation: RotationState, rows: readonly Window[]): JobFinished['summary'] {
  const start = facts.starts.at(-1)!
  const previousCutAt = facts.starts.at(-2)?.cutTickAt ?? Number.NEGATIVE_INFINITY
  const decidedNow = rows.filter((window) => window.decidedAt > previousCutAt)
  const breachAt = lastBreachAt(facts.windows, start.cutTickAt)
  return {
    samples_written: facts.newRows.at(-1)!.length,
    rollups_written: decidedNow.length,
    breach_count: decidedNow.filter((window) => window.verdict === 'breach').length,
    next_rotation_bytes: nextRotationBytes(rotation.currentSizeBytes),
    ...(breachAt === null ? {} : { last_breach_at: breachAt }),
    ...(facts.newestSampleAt === null ? {} : { newest_sample_at: facts.newestSampleAt }),
  }
}
