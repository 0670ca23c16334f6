import { open, readdir } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import type { CsvCursor } from '../csv-cursor.ts'
import { fileState, fingerprint } from './csv-file.ts'

/**
 * Where the rows are that came behind `cursor` before the file at `path` was rotated away while nobody read it: in a file
 * of the same folder whose name begins like its name (`signals.csv.1`, `signals-20261125.csv`, for `signals.csv`), with the
 * content that the cursor was taken of, and perhaps more behind it. Content is compared, so a name alone is never believed.
 *
 * @returns `null` when there is none
 */
export async function rotatedAway(path: string, cursor: CsvCursor): Promise<string | null> {
  const name = basename(path)
  const stem = basename(name, extname(name))
  const names = await readdir(dirname(path)).catch(() => [])
  for (const candidate of names.toSorted()) {
    if (candidate === name || !candidate.startsWith(stem)) continue
    const beside = join(dirname(path), candidate)
    if (await holdsIt(beside, cursor)) return beside
  }
  return null
}

/** A file that cannot be looked at does not. */
async function holdsIt(path: string, { offset, print }: CsvCursor): Promise<boolean> {
  try {
    const state = await fileState(path)
    if (state === null || state.sizeBytes < offset) return false
    const file = await open(path, 'r')
    try {
      return (await fingerprint(file, offset)) === print
    } finally {
      await file.close()
    }
  } catch {
    return false
  }
}
