import { sha256Hex } from '#lib/codec/sha256.ts'
import type { JobFinished, JobStarted } from '#lib/facts.ts'
import type { Environment } from '#lib/runtime/environment.ts'
import { DAY_MS } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { CHECKSUM_FILE } from '#services/exporter/latency-projection.ts'
import { LATENCY_JOB } from '#services/exporter/latency-start.ts'
import { isArchiveFile } from '#services/exporter/rotation.ts'
import { exporterDependencies } from '#services/exporter/service.ts'
import type { ArtefactCertificate, ArtefactVerdict } from './artefact-certificate.ts'
import type { LatencyFiles } from './latency-files.ts'
import { isInRange, type ReplayRange } from './range.ts'
import type { Refolded } from './refold.ts'
import { settled } from './settled.ts'

/** The last job that wrote a file. */
interface Writer {
  readonly finished: JobFinished
  /** `null`: the log does not hold it any more. */
  readonly start: JobStarted | null
}

/** What a latency certificate rests on. */
interface Grounds {
  readonly recorded: Environment
  readonly rebuilt: Refolded
  readonly files: LatencyFiles
  readonly windowsAreWhole: boolean
}

/** Compares each file of the latency job at the cut of the last job of the range that wrote it. */
export async function certifyLatency(
  recorded: Environment,
  rebuilt: Refolded,
  files: LatencyFiles,
  range: ReplayRange,
): Promise<readonly ArtefactCertificate[]> {
  const windows = await recorded.log.offsets(topics.window.name)
  const grounds = { recorded, rebuilt, files, windowsAreWhole: windows.every(({ earliest }) => earliest === 0) }
  const certificates: ArtefactCertificate[] = []
  for (const [path, writer] of lastWriters(files, range)) certificates.push(await certifyFile(path, writer, grounds))
  return certificates.toSorted((a, b) => (a.artefact < b.artefact ? -1 : 1))
}

function lastWriters({ history, ends }: LatencyFiles, range: ReplayRange): ReadonlyMap<string, Writer> {
  const writers = new Map<string, Writer>()
  for (const finished of ends) {
    if (finished.job !== LATENCY_JOB || finished.status !== 'ok' || finished.dryRun) continue
    const { start, counts } = history.slot(finished.slotAt, finished.dryRun)
    if (start && !isInRange(range, start.cutTickAt)) continue
    for (const { path } of finished.artefacts) writers.set(path, { finished, start: counts ? start : null })
  }
  return writers
}

async function certifyFile(path: string, { finished, start }: Writer, grounds: Grounds): Promise<ArtefactCertificate> {
  const { files } = grounds
  const recorded = finished.artefacts.find((artefact) => artefact.path === path)!.sha256
  const rebuilt = start && files.sha256(path, start)
  const { live, verdict } = await judgeLive(path, recorded, start, grounds)
  const common = { artefact: path, cutAt: start?.cutTickAt ?? null, recorded, live, rebuilt }
  if (!start) return { ...common, verdict: 'expired' }
  if (rebuilt !== recorded) return { ...common, verdict: isWhole(path, start, grounds) ? 'different' : 'expired' }
  const isEqual = verdict === 'equal' && !isRecomputed(path, start, grounds)
  return { ...common, verdict: isEqual ? 'recorded_only' : verdict }
}

/** Whether the log holds everything that the file was made of. A day's margin is for samples that came before their time. */
function isWhole(path: string, start: JobStarted, { rebuilt, files, windowsAreWhole }: Grounds): boolean {
  const oldestRowAt = files.oldestRowAt(path, start)
  if (oldestRowAt === null) return windowsAreWhole
  return rebuilt.beginnings.every(
    ({ samplesFrom }) => samplesFrom === Number.NEGATIVE_INFINITY || samplesFrom + DAY_MS <= oldestRowAt,
  )
}

/**
 * What is made of samples is always made anew, a list of checksums only if all that it lists is; what is made of windows,
 * where at least one cut's windows were.
 */
function isRecomputed(path: string, start: JobStarted, { rebuilt, files }: Grounds): boolean {
  if (path === CHECKSUM_FILE) return files.after(start).archive.every(({ content }) => content !== null)
  if (files.oldestRowAt(path, start) !== null) return true
  return rebuilt.beginnings.some(({ recomputedFrom }) => recomputedFrom <= start.cutTickAt)
}

/** A file that is being written, or has just been, is looked at again. */
async function judgeLive(
  path: string,
  recorded: string,
  start: JobStarted | null,
  { recorded: env, files }: Grounds,
): Promise<{ readonly live: string | null; readonly verdict: ArtefactVerdict }> {
  const { store } = exporterDependencies(env)
  const known = start ? laterStates(path, start, files) : new Set<string | null>()
  return await settled(env, async ({ jobs }) => {
    const bytes = await store.read(path)
    const live = bytes && sha256Hex(bytes)
    if (live === recorded) return { live, verdict: 'equal', isFinal: true } as const
    const newer = (await jobs.finished()).slice(files.ends.length)
    const isLater = known.has(live) || wasWrittenBy(newer, path, live)
    return { live, verdict: isLater ? 'moved_on' : 'different', isFinal: isLater } as const
  })
}

/** What later jobs made of the file; one that failed or still runs may have written some of its files. */
function laterStates(path: string, start: JobStarted, files: LatencyFiles): ReadonlySet<string | null> {
  const { starts } = files.history
  const newestOk = starts.findLastIndex((candidate) => files.isOk(candidate))
  const later = starts.slice(Math.max(newestOk, starts.indexOf(start) + 1))
  const shas = later.map((candidate) => {
    const isGone = isArchiveFile(path) && !files.after(candidate).archive.some((file) => file.path === path)
    return isGone ? null : files.sha256(path, candidate)
  })
  // Only an archive file, and their list, is ever removed.
  return new Set(isArchiveFile(path) || path === CHECKSUM_FILE ? shas : shas.filter((sha) => sha !== null))
}

function wasWrittenBy(newer: readonly JobFinished[], path: string, live: string | null): boolean {
  const ok = newer.filter(({ status, dryRun }) => status === 'ok' && !dryRun)
  if (live === null) return ok.length > 0 && (isArchiveFile(path) || path === CHECKSUM_FILE)
  return ok.some(({ artefacts }) => artefacts.some((file) => file.path === path && file.sha256 === live))
}
