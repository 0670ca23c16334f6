import { ObstreamError } from '#lib/errors.ts'

/**
 * Where artefacts stand: files under one root folder that nobody can leave.
 *
 * A path is relative to the root, with `/` between its parts: `ops/signal_latency.csv`. `checkPath` says what is refused;
 * every operation refuses it with OBS_ARTEFACT_CANNOT_CREATE, and so it does a path that a symbolic link leads out of the
 * root.
 */
export interface ArtefactStore {
  /** The whole content, or `null` when there is no such file. @throws OBS_ARTEFACT_IO */
  read(path: string): Promise<Uint8Array | null>
  /**
   * Makes `bytes` the content of a file, and the folders above it. A reader, and a machine that loses power, sees the old
   * content or the new, never a part; the new content is durable once this resolves.
   *
   * @throws OBS_ARTEFACT_CANNOT_CREATE permission, read-only file system, a file where a folder should be, or the reverse
   * @throws OBS_ARTEFACT_IO disk full or failing; the old file is untouched and nothing is left behind
   */
  write(path: string, bytes: Uint8Array): Promise<void>
  /**
   * The same for a file that somebody follows: what it holds stays where it stands and only the rest is added behind it, if
   * `bytes` begin with that. A reader may see a part of the rest; the next call completes it. Else it is a `write`.
   */
  extend(path: string, bytes: Uint8Array): Promise<void>
  /**
   * Gives a file another path, in place of a file that is there; whoever has it open reads on. Durable once this resolves.
   *
   * @throws OBS_ARTEFACT_IO when there is no such file
   */
  rename(from: string, to: string): Promise<void>
  /** Removes a file; none there is fine. Folders stay. */
  remove(path: string): Promise<void>
  /** Paths of all files below a folder, at any depth, sorted by UTF-16 code units; none when there is no such folder. */
  list(folder: string): Promise<readonly string[]>
}

/**
 * The parts of a path that stays below the root.
 *
 * @throws OBS_ARTEFACT_CANNOT_CREATE when it is absolute or holds an empty part, `.`, `..`, a backslash or NUL
 */
export function checkPath(path: string): readonly string[] {
  const parts = path.split('/')
  if (parts.some((part) => part === '' || part === '.' || part === '..') || /[\\\0]/.test(path))
    throw new ObstreamError(
      'OBS_ARTEFACT_CANNOT_CREATE',
      `${JSON.stringify(path)} is no path below the data directory; write it like ops/signal_latency.csv, without a leading /, .. or \\`,
    )
  return parts
}

/** A view of a store whose root is one of its folders. */
export function inFolder(store: ArtefactStore, folder: string): ArtefactStore {
  checkPath(folder)
  const inside = (path: string): string => `${folder}/${checkPath(path).join('/')}`
  return {
    read: async (path) => store.read(inside(path)),
    write: async (path, bytes) => store.write(inside(path), bytes),
    extend: async (path, bytes) => store.extend(inside(path), bytes),
    rename: async (from, to) => store.rename(inside(from), inside(to)),
    remove: async (path) => store.remove(inside(path)),
    list: async (path) => (await store.list(inside(path))).map((found) => found.slice(folder.length + 1)),
  }
}
