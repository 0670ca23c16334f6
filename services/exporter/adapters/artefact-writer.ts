import type { ArtefactStore } from '#lib/artefacts/port.ts'
import { sha256Hex } from '#lib/codec/sha256.ts'
import type { ArtefactFile } from '#lib/facts.ts'
import { CHECKSUM_FILE, type LatencyProjection, type ProjectedFile, type StandingFile } from '../latency-projection.ts'

/**
 * Makes the files be what a projection says. Archive first, the files that lose those rows after it, so that a crash
 * between two steps leaves each row in at least one file; the next run of the job makes the rest.
 *
 * @throws OBS_ARTEFACT_CANNOT_CREATE, OBS_ARTEFACT_IO · the signal's reason
 */
export async function writeLatencyFiles(
  store: ArtefactStore,
  projection: LatencyProjection,
  signal?: AbortSignal,
): Promise<void> {
  const { archive, checksums, retired, current, rollup } = projection
  for (const file of [...archive.filter(isMade), ...(checksums ? [checksums] : [])])
    await writeIfDifferent(store, file, signal)
  for (const path of checksums ? retired : [CHECKSUM_FILE, ...retired]) {
    signal?.throwIfAborted()
    await store.remove(path)
  }
  for (const file of [current, rollup]) await writeIfDifferent(store, file, signal)
}

/** Paths of archive files that an earlier job has written and that do not stand there as its record says. */
export async function findDamaged(
  store: ArtefactStore,
  { archive }: LatencyProjection,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const damaged: string[] = []
  for (const file of archive) {
    signal?.throwIfAborted()
    if (!isMade(file) && !(await stands(store, file))) damaged.push(file.path)
  }
  return damaged
}

function isMade(file: ProjectedFile | StandingFile): file is ProjectedFile {
  return file.content !== null
}

/** Most archive files have been written by an earlier job; one that somebody has damaged is made whole. */
async function writeIfDifferent(
  store: ArtefactStore,
  file: ProjectedFile,
  signal: AbortSignal | undefined,
): Promise<void> {
  signal?.throwIfAborted()
  if (!(await stands(store, file))) await store.write(file.path, file.content)
}

async function stands(store: ArtefactStore, { path, bytes, sha256 }: ArtefactFile): Promise<boolean> {
  const existing = await store.read(path)
  return existing?.length === bytes && sha256Hex(existing) === sha256
}
