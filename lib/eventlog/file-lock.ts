import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { ObstreamError } from '#lib/errors.ts'

export interface FileLock {
  /** Lets others have it. Idempotent. */
  release(): void
}

/** SQLite's result code when another connection holds a lock. */
const SQLITE_BUSY = 5

/**
 * Takes a lock that lasts until `release` or the end of the process, however it ends: an exclusive SQLite transaction on
 * a file of its own, so that the kernel frees it and no clock decides who is alive. Never waits. Makes the folder.
 *
 * Between processes of one machine; not on network file systems.
 *
 * @returns `null` when somebody else holds it, this process included
 * @throws OBS_ARTEFACT_CANNOT_CREATE when the file cannot be made, or is another kind of file
 */
export function holdFileLock(path: string): FileLock | null {
  let database: DatabaseSync | undefined
  try {
    mkdirSync(dirname(path), { recursive: true })
    database = new DatabaseSync(path, { timeout: 0 })
    // Nothing is ever written. A journal on the disk would keep us from the lock when that is full.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
  } catch (error) {
    database?.close()
    if (isBusy(error)) return null
    const reason = Error.isError(error) ? error.message : String(error)
    throw new ObstreamError(
      'OBS_ARTEFACT_CANNOT_CREATE',
      `cannot lock ${path}: ${reason}; name a new file in a folder that may be written`,
      {
        cause: error,
      },
    )
  }
  return heldBy(database)
}

/** Closing ends the transaction. */
function heldBy(database: DatabaseSync): FileLock {
  let isHeld = true
  return {
    release() {
      if (!isHeld) return
      isHeld = false
      database.close()
    },
  }
}

/** Extended codes carry the plain one in their lowest byte. */
function isBusy(error: unknown): boolean {
  return Error.isError(error) && 'errcode' in error && (Number(error.errcode) & 0xff) === SQLITE_BUSY
}
