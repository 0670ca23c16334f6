import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { ObstreamError } from '#lib/errors.ts'
import type { Milliseconds } from '#lib/time.ts'
import { BUSY_TIMEOUT_MS, EmbeddedLog, type EmbeddedLogOptions } from './embedded-log.ts'
import { createPrivateFile } from './file-system.ts'
import { SqliteStore } from './sqlite-store.ts'

export interface SqliteLogOptions extends EmbeddedLogOptions {
  /** The file; its folder is created. Group locks lie beside it. */
  readonly path: string
}

/**
 * Opens a log in a SQLite file (WAL, `synchronous=FULL`), creates it when it is not there. Any number of processes of
 * this machine may have it open.
 *
 * @throws OBS_LOG_UNSUPPORTED for a file that is no log and for a network file system · OBS_LOG_BUSY, OBS_LOG_IO
 */
export function openSqliteLog(options: SqliteLogOptions): EmbeddedLog {
  const file = new SqliteFile(options.path, options.busyTimeoutMs ?? BUSY_TIMEOUT_MS)
  try {
    return new EmbeddedLog(new SqliteStore(file, options.partitions), options)
  } catch (error) {
    file.close()
    throw error
  }
}

/** Written to the WAL before its pages are copied into the file; SQLite's own default. */
const CHECKPOINT_BYTES = 4_194_304
const PAGE_BYTES = 4_096

/** Result codes of SQLite: primary ones in the lowest byte, extended ones above. */
const code = {
  busy: 5,
  locked: 6,
  corrupt: 11,
  full: 13,
  notADatabase: 26,
  writeFailed: 778,
  /** Written to the operating system, which could not say that it is on the disk. */
  fsyncFailed: 1_034,
} as const

/** One connection to a SQLite file: statements, transactions, and its errors in words of the catalogue. */
export class SqliteFile {
  readonly path: string
  readonly #database: DatabaseSync
  readonly #busyTimeoutMs: Milliseconds
  readonly #statements = new Map<string, StatementSync>()
  #bytesInWal = 0
  #failure: ObstreamError | undefined

  constructor(path: string, busyTimeoutMs: Milliseconds) {
    createPrivateFile(path)
    this.path = path
    this.#busyTimeoutMs = busyTimeoutMs
    this.#database = this.#guard('open', () => new DatabaseSync(path, { timeout: busyTimeoutMs }))
  }

  /** Write-ahead log; every commit is on the disk; checkpoints are ours, so that their errors are seen. */
  useWriteAheadLog(): void {
    this.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0')
  }

  exec(sql: string): void {
    this.#guard('write', () => this.#database.exec(sql))
  }

  get<Row>(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#guard('read', () => this.#prepared(sql).get(...values) as Row | undefined)
  }

  all<Row>(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#guard('read', () => this.#prepared(sql).all(...values) as Row[])
  }

  /** Rows as long as `take` says so; the read ends before this returns. */
  takeWhile<Row>(sql: string, values: readonly SQLInputValue[], take: (row: Row) => boolean): void {
    this.#guard('read', () => {
      for (const row of this.#prepared(sql).iterate(...values)) if (!take(row as Row)) break
    })
  }

  run(sql: string, ...values: SQLInputValue[]): number {
    this.#bytesInWal += PAGE_BYTES
    for (const value of values) if (value instanceof Uint8Array) this.#bytesInWal += value.length
    return this.#guard('write', () => Number(this.#prepared(sql).run(...values).lastInsertRowid))
  }

  /**
   * Runs `work` in a transaction that has the right to write from its beginning.
   *
   * @param waitMs how long to wait, doing nothing else, for another writer
   * @throws OBS_LOG_BUSY when the wait was in vain · OBS_LOG_IO, and from then on always · OBS_LOG_OUTCOME_UNKNOWN
   */
  transact<T>(work: () => T, waitMs: Milliseconds = this.#busyTimeoutMs): T {
    if (this.#failure) throw this.#failure
    this.#begin(waitMs)
    let result: T
    try {
      result = work()
    } catch (error) {
      this.#rollBack()
      throw this.#fatal(error)
    }
    this.#commit()
    this.#checkpoint()
    return result
  }

  #begin(waitMs: Milliseconds): void {
    this.exec(`PRAGMA busy_timeout = ${waitMs}`)
    try {
      this.exec('BEGIN IMMEDIATE')
    } finally {
      this.exec(`PRAGMA busy_timeout = ${this.#busyTimeoutMs}`)
    }
  }

  #commit(): void {
    try {
      this.#database.exec('COMMIT')
    } catch (error) {
      this.#rollBack()
      const isUndone = !mayBeInWal(error) || this.#overwriteFailedCommit()
      const failure = this.#fatal(this.#translate(error, 'write'))
      if (isUndone) throw failure
      throw new ObstreamError(
        'OBS_LOG_OUTCOME_UNKNOWN',
        `${this.path}: a commit failed and could not be undone; its records may be there after the next start.`,
        { cause: failure },
      )
    }
  }

  /**
   * A commit whose fsync failed may lie in the WAL complete: the next process to open the file would find it committed.
   * The next transaction is written to the same place, so this one makes it void; whether it is found itself does not
   * matter.
   *
   * @returns whether the failed commit is gone
   */
  #overwriteFailedCommit(): boolean {
    try {
      this.#database.exec('BEGIN IMMEDIATE; UPDATE log SET failed_commits = failed_commits + 1; COMMIT')
      return true
    } catch (error) {
      this.#rollBack()
      return errorNumber(error) === code.fsyncFailed
    }
  }

  #rollBack(): void {
    try {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
    } catch {
      // The failure that led here is the one to tell of; an open transaction ends with the connection.
    }
  }

  /** After a failed write nobody knows what of the file is on the disk: everything acknowledged is, and nothing more is taken. */
  #fatal(error: unknown): unknown {
    if (error instanceof ObstreamError && error.code === 'OBS_LOG_IO') this.#failure = error
    return error
  }

  #checkpoint(): void {
    if (this.#bytesInWal < CHECKPOINT_BYTES) return
    this.#bytesInWal = 0
    try {
      this.exec('PRAGMA wal_checkpoint(PASSIVE)')
    } catch (error) {
      // The transaction itself is safe in the WAL: the next one hears of it.
      this.#fatal(error)
    }
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close()
  }

  #prepared(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (!statement) {
      statement = this.#database.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }

  #guard<T>(doing: 'open' | 'read' | 'write', work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw this.#translate(error, doing)
    }
  }

  #translate(error: unknown, doing: string): unknown {
    const number = errorNumber(error)
    if (number === undefined) return error
    const primary = number & 0xff
    const what = `${this.path}: cannot ${doing}: ${(error as Error).message} (SQLite ${number}).`
    if (primary === code.busy || primary === code.locked)
      return new ObstreamError('OBS_LOG_BUSY', `${what} Another process keeps it locked.`, { cause: error })
    if (primary === code.notADatabase)
      return new ObstreamError('OBS_LOG_UNSUPPORTED', `${what} It is no log of obstream.`, { cause: error })
    if (primary === code.corrupt)
      return new ObstreamError('OBS_LOG_CORRUPT', `${what} Restore it from a backup.`, { cause: error })
    return new ObstreamError(
      'OBS_LOG_IO',
      `${what} What was acknowledged is safe; free space or mend the disk, then start again.`,
      { cause: error },
    )
  }
}

/** SQLite's extended result code. @returns `undefined` for an error that is not SQLite's */
function errorNumber(error: unknown): number | undefined {
  return (error as { errcode?: number } | null)?.errcode
}

/** The commit mark is written last: where a write failed it is not there. */
function mayBeInWal(failedCommit: unknown): boolean {
  const number = errorNumber(failedCommit)
  return number !== code.full && number !== code.writeFailed
}
