import type { FileHandle } from 'node:fs/promises'
import { lstat, mkdir, open, readdir, readFile, realpath, rename, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve, sep } from 'node:path'
import { ObstreamError } from '#lib/errors.ts'
import { type ArtefactStore, checkPath } from './port.ts'
import { TemporaryNames } from './temporary-names.ts'

/**
 * Artefacts as files below `root`, which is created with the first one.
 *
 * A file is written under a temporary name beside its target, synced, renamed, and its folder synced. What a crash left
 * under such a name is removed when the next file is written there.
 */
export function openFileArtefacts(root: string): ArtefactStore {
  const store = new FileArtefacts(resolve(root))
  return {
    read: (path) => explained(path, 'read', () => store.read(path)),
    write: (path, bytes) => explained(path, 'write', () => store.write(path, bytes)),
    extend: (path, bytes) => explained(path, 'write', () => store.extend(path, bytes)),
    rename: (from, to) => explained(from, `rename to ${to}`, () => store.rename(from, to)),
    remove: (path) => explained(path, 'remove', () => store.remove(path)),
    list: (folder) => explained(folder, 'list', () => store.list(folder)),
  }
}

class FileArtefacts implements ArtefactStore {
  readonly #root: string
  readonly #temporaryNames = new TemporaryNames()

  constructor(root: string) {
    this.#root = root
  }

  async read(path: string): Promise<Uint8Array | null> {
    const target = await this.#inside(path)
    return await unlessAbsent(null, async () => {
      await this.#refuseEscape(await realpath(target), path)
      return await readFile(target)
    })
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    const target = await this.#inside(path)
    const folder = dirname(target)
    await makeFolder(folder)
    const temporary = await this.#temporaryNames.next(target)
    try {
      await writeSynced(temporary, bytes)
      await rename(temporary, target)
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    } finally {
      this.#temporaryNames.done(temporary)
    }
    await syncFolder(folder)
  }

  async extend(path: string, bytes: Uint8Array): Promise<void> {
    const standing = await this.read(path)
    const isBeginning = standing !== null && Buffer.compare(standing, bytes.subarray(0, standing.length)) === 0
    if (!isBeginning) return await this.write(path, bytes)
    if (standing.length === bytes.length) return
    const file = await open(await this.#inside(path), 'r+')
    try {
      await writeAt(file, bytes, standing.length)
      await file.sync()
    } finally {
      await file.close()
    }
  }

  async rename(from: string, to: string): Promise<void> {
    const [source, target] = [await this.#inside(from), await this.#inside(to)]
    await makeFolder(dirname(target))
    await rename(source, target)
    for (const folder of new Set([dirname(target), dirname(source)])) await syncFolder(folder)
  }

  async remove(path: string): Promise<void> {
    const target = await this.#inside(path)
    const isFile = await unlessAbsent(false, async () => !(await lstat(target)).isDirectory())
    if (!isFile) return
    await rm(target)
    await syncFolder(dirname(target))
  }

  async list(folder: string): Promise<readonly string[]> {
    const start = await this.#inside(folder)
    const entries = await unlessAbsent([], () => readdir(start, { withFileTypes: true, recursive: true }))
    return entries
      .filter((entry) => entry.isFile() && !this.#temporaryNames.isOne(entry.name))
      .map((entry) =>
        join(entry.parentPath, entry.name)
          .slice(this.#root.length + 1)
          .replaceAll(sep, '/'),
      )
      .sort()
  }

  /** The place on disk, once it is sure that no folder above it leads out of the root. */
  async #inside(path: string): Promise<string> {
    const parts = checkPath(path)
    const target = join(this.#root, ...parts)
    await this.#refuseEscape(await realFolder(dirname(target)), path)
    return target
  }

  async #refuseEscape(real: string, path: string): Promise<void> {
    const root = await realFolder(this.#root)
    if (real !== root && !real.startsWith(root === sep ? sep : root + sep))
      throw new ObstreamError(
        'OBS_ARTEFACT_CANNOT_CREATE',
        `${path} leads out of the data directory, to ${real}; replace the symbolic link on its way by a folder`,
      )
  }
}

/** Where a folder really is; of one that is to be made, where it will be. */
async function realFolder(folder: string): Promise<string> {
  const real = await unlessAbsent(null, () => realpath(folder))
  if (real !== null) return real
  const isLinkToNothing = await unlessAbsent(false, async () => (await lstat(folder)).isSymbolicLink())
  if (isLinkToNothing)
    throw new ObstreamError('OBS_ARTEFACT_CANNOT_CREATE', `${folder} is a symbolic link to nothing; remove it`)
  return join(await realFolder(dirname(folder)), basename(folder))
}

/**
 * Makes a folder and those above it, durably: each new name is synced in the folder that holds it. (Node's recursive
 * `mkdir` takes a read-only file system for a missing folder.)
 */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder)
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return
    if (codeOf(error) !== 'ENOENT' || dirname(folder) === folder) throw error
    await makeFolder(dirname(folder))
    return await makeFolder(folder)
  }
  await syncFolder(dirname(folder))
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx')
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Each byte has its place, so that two who write the same at once do no harm. */
async function writeAt(file: FileHandle, bytes: Uint8Array, from: number): Promise<void> {
  for (let at = from; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at, at)
    at += bytesWritten
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const codeOf = (error: unknown): string => (Error.isError(error) && 'code' in error ? String(error.code) : '')

/** A path below a file holds nothing, as one below no folder does; and a folder is no file. */
const ABSENT: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'EISDIR'])

async function unlessAbsent<Found, None>(none: None, look: () => Promise<Found>): Promise<Found | None> {
  try {
    return await look()
  } catch (error) {
    if (ABSENT.has(codeOf(error))) return none
    throw error
  }
}

/** What the path or its permissions are to blame for; everything else is the disk's fault. */
const CANNOT_CREATE: ReadonlySet<string> = new Set([
  'EACCES',
  'EPERM',
  'EROFS',
  'ENOTDIR',
  'EEXIST',
  'EISDIR',
  'ENOTEMPTY',
  'ELOOP',
  'ENAMETOOLONG',
])

async function explained<T>(path: string, doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof ObstreamError) throw error
    const reason = Error.isError(error) ? error.message : String(error)
    if (CANNOT_CREATE.has(codeOf(error)))
      throw new ObstreamError(
        'OBS_ARTEFACT_CANNOT_CREATE',
        `cannot ${doing} ${path}: ${reason}; check who owns the folder and whether it may be written`,
        { cause: error },
      )
    throw new ObstreamError('OBS_ARTEFACT_IO', `cannot ${doing} ${path}: ${reason}; free space or check the disk`, {
      cause: error,
    })
  }
}
