import { ObstreamError } from '#lib/errors.ts'
import { type ArtefactStore, checkPath } from './port.ts'

/** Artefacts of a replay or a test: they end with the process. Keeps the promises of the port but durability. */
export function openMemoryArtefacts(): ArtefactStore {
  const files = new Map<string, Uint8Array>()
  const write = (path: string, bytes: Uint8Array): void => {
    refuseClash(files, path)
    files.set(path, Uint8Array.from(bytes))
  }
  return {
    async read(path) {
      checkPath(path)
      const bytes = files.get(path)
      return bytes ? Uint8Array.from(bytes) : null
    },
    write: async (path, bytes) => write(path, bytes),
    extend: async (path, bytes) => write(path, bytes),
    async rename(from, to) {
      for (const path of [from, to]) checkPath(path)
      const bytes = files.get(from)
      if (!bytes) throw new ObstreamError('OBS_ARTEFACT_IO', `cannot rename ${from}: there is no such file`)
      if (from === to) return
      write(to, bytes)
      files.delete(from)
    },
    async remove(path) {
      checkPath(path)
      files.delete(path)
    },
    async list(folder) {
      checkPath(folder)
      return [...files.keys()].filter((path) => path.startsWith(`${folder}/`)).sort()
    },
  }
}

/** A name is a file or a folder, as on a disk. */
function refuseClash(files: ReadonlyMap<string, unknown>, path: string): void {
  const parts = checkPath(path)
  const above = parts.slice(0, -1).map((_, i) => parts.slice(0, i + 1).join('/'))
  const file = above.find((folder) => files.has(folder))
  if (file !== undefined)
    throw new ObstreamError('OBS_ARTEFACT_CANNOT_CREATE', `cannot write ${path}: ${file} is a file`)
  if ([...files.keys()].some((other) => other.startsWith(`${path}/`)))
    throw new ObstreamError('OBS_ARTEFACT_CANNOT_CREATE', `cannot write ${path}: it is a folder`)
}
