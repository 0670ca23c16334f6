import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, sep } from 'node:path'

/** What tells whether something has happened to a file since it was looked at. */
export interface FileState {
  readonly device: bigint
  readonly inode: bigint
  readonly sizeBytes: bigint
  readonly changedAtNs: bigint
}

/** @returns `null` when there is no such file @throws the system's error when it cannot be looked at, or is no file */
export async function fileState(path: string): Promise<FileState | null> {
  try {
    const found = await stat(path, { bigint: true })
    if (!found.isFile()) throw new Error(`${path} is no regular file`)
    return { device: found.dev, inode: found.ino, sizeBytes: found.size, changedAtNs: found.mtimeNs }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

export function isSameFile(a: FileState, b: FileState): boolean {
  return a.device === b.device && a.inode === b.inode
}

export function isUnchanged(a: FileState, b: FileState): boolean {
  return isSameFile(a, b) && a.sizeBytes === b.sizeBytes && a.changedAtNs === b.changedAtNs
}

/** How many bytes at each end of the read part tell a file's content from any other's. */
const PRINT_BYTES = 4_096

/**
 * A hash of the first and the last 4 KiB before `offset`: what stands there no appending changes. So a file that was
 * truncated, rewritten or replaced is known from one that has grown, also after it was copied, moved or restored.
 *
 * @returns `null` when the file is shorter
 */
export async function fingerprint(file: FileHandle, offset: number): Promise<string | null> {
  const bytes = Math.min(PRINT_BYTES, offset)
  const hash = createHash('sha256')
  for (const from of [0, offset - bytes]) {
    const part = Buffer.alloc(bytes)
    const { bytesRead } = bytes === 0 ? { bytesRead: 0 } : await file.read(part, 0, bytes, from)
    if (bytesRead < bytes) return null
    hash.update(part)
  }
  return hash.digest('hex').slice(0, 32)
}

const PROJECTIONS = ['signal_latency.csv', 'signal_latency_rollup.csv']
const ARCHIVE = 'signal_latency_archive'

/**
 * Whether a path leads to a file that obstream itself writes from the log: reading it as a source would feed our own
 * samples back. Known by its real place, links followed, and by its inode.
 *
 * @param dataDir absolute
 * @param others further projections, absolute
 */
export async function isOwnProjection(path: string, dataDir: string, others: readonly string[] = []): Promise<boolean> {
  const ops = await realPlace(join(dataDir, 'ops'))
  const wanted = await realPlace(path)
  if (wanted.startsWith(join(ops, ARCHIVE) + sep)) return true
  const own = [...PROJECTIONS.map((name) => join(ops, name)), ...(await Promise.all(others.map(realPlace)))]
  if (own.includes(wanted)) return true
  const [state, ...states] = await Promise.all([wanted, ...own].map((file) => fileState(file).catch(() => null)))
  return states.some((candidate) => candidate && state && isSameFile(candidate, state))
}

/** The path without links, as far as it exists. */
async function realPlace(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch {
    const folder = dirname(path)
    return folder === path ? path : join(await realPlace(folder), basename(path))
  }
}
