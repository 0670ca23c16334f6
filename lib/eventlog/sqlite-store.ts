import { ObstreamError } from '#lib/errors.ts'
import type { SchemaStore } from '#lib/registry/port.ts'
import type { BatchStore, StoredPartition, TopicSettings } from './batch-store.ts'
import { type FileLock, holdFileLock } from './file-lock.ts'
import { createPrivateFile } from './file-system.ts'
import type { Offset, Progress } from './port.ts'
import { formatProgress, parseProgress } from './progress.ts'
import type { SqliteFile } from './sqlite.ts'
import { SqlitePartition } from './sqlite-partition.ts'
import { SqliteSchemas } from './sqlite-schemas.ts'

/** `OBSL`: how `file` and we recognise a log. */
const APPLICATION_ID = 0x4f42534c
/** Of the tables below. A file with a higher number was written by a newer obstream. */
const FORMAT_VERSION = 1

const TABLES = `
CREATE TABLE log (latency_partitions INTEGER NOT NULL, failed_commits INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE topics (
  name TEXT PRIMARY KEY, partitions INTEGER NOT NULL, cleanup TEXT NOT NULL, retention_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE partitions (
  id INTEGER PRIMARY KEY, topic TEXT NOT NULL REFERENCES topics, number INTEGER NOT NULL,
  earliest INTEGER NOT NULL DEFAULT 0, compacted_to INTEGER NOT NULL DEFAULT 0, UNIQUE (topic, number)
) STRICT;
-- bytes: one record batch of Kafka's format, version 2
CREATE TABLE batches (
  id INTEGER PRIMARY KEY, partition_id INTEGER NOT NULL REFERENCES partitions, base_offset INTEGER NOT NULL,
  last_offset INTEGER NOT NULL, appended_at_ms INTEGER NOT NULL, bytes BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX batches_in_order ON batches (partition_id, base_offset, last_offset, appended_at_ms);
CREATE TABLE commits (
  group_name TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL, progress TEXT NOT NULL,
  PRIMARY KEY (group_name, topic, partition)
) STRICT, WITHOUT ROWID;
CREATE TABLE schemas (id INTEGER PRIMARY KEY, subject TEXT NOT NULL, schema TEXT NOT NULL) STRICT;
`

/** Another process may have written: looked at this often, and only while somebody waits. */
const POLL_MS = 50

/** Batches in the tables of a SQLite file, one a row. */
export class SqliteStore implements BatchStore {
  readonly latencyPartitions: number
  readonly schemas: SchemaStore
  readonly #file: SqliteFile
  readonly #partitions = new Map<string, StoredPartition>()
  readonly #watchers = new Set<() => void>()
  readonly #locks = new Set<FileLock>()
  #poll: NodeJS.Timeout | undefined
  #version = 0
  #seenDataVersion = 0

  /**
   * @param latencyPartitions for a new file
   * @throws OBS_LOG_UNSUPPORTED for a file that is something else, or newer; it is left as it is
   */
  constructor(file: SqliteFile, latencyPartitions: number) {
    this.#file = file
    refuseForeignFile(file)
    file.useWriteAheadLog()
    if (formatVersion(file) === 0) file.transact(() => createTables(file, latencyPartitions))
    this.latencyPartitions = file.get<{ latency_partitions: number }>(
      'SELECT latency_partitions FROM log',
    )!.latency_partitions
    this.schemas = new SqliteSchemas(file)
  }

  transact<T>(work: () => T): T {
    const result = this.#file.transact(work, 0)
    this.#version++
    this.#wake()
    return result
  }

  topic(name: string): TopicSettings | undefined {
    return this.#file.get<TopicSettings>(`${SELECT_TOPICS} WHERE name = ?`, name)
  }

  topics(): readonly TopicSettings[] {
    return this.#file.all<TopicSettings>(`${SELECT_TOPICS} ORDER BY name`)
  }

  saveTopic({ name, partitions, cleanup, retentionMs }: TopicSettings): void {
    this.#file.run(
      `INSERT INTO topics (name, partitions, cleanup, retention_ms) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET cleanup = excluded.cleanup, retention_ms = excluded.retention_ms`,
      name,
      partitions,
      cleanup,
      retentionMs,
    )
    for (let number = 0; number < partitions; number++)
      this.#file.run('INSERT OR IGNORE INTO partitions (topic, number) VALUES (?, ?)', name, number)
  }

  partition(topic: string, partition: number): StoredPartition | undefined {
    const name = `${topic}/${partition}`
    const known = this.#partitions.get(name)
    if (known) return known
    const row = this.#file.get<{ id: number }>(
      'SELECT id FROM partitions WHERE topic = ? AND number = ?',
      topic,
      partition,
    )
    if (!row) return undefined
    const stored = new SqlitePartition(this.#file, row.id)
    this.#partitions.set(name, stored)
    return stored
  }

  committed(group: string, topic: string): readonly ({ readonly partition: number } & Progress)[] {
    const rows = this.#file.all<{ partition: number; offset: Offset; progress: string }>(
      'SELECT partition, offset, progress FROM commits WHERE group_name = ? AND topic = ? ORDER BY partition',
      group,
      topic,
    )
    return rows.map(({ partition, offset, progress }) => {
      const parsed = parseProgress(offset, progress)
      if (!parsed)
        throw new ObstreamError(
          'OBS_LOG_CORRUPT',
          `${this.#file.path}: ${group} has committed "${progress}", which is no progress.`,
        )
      return { partition, ...parsed }
    })
  }

  commit(group: string, topic: string, commit: { readonly partition: number } & Progress): void {
    this.#file.run(
      'INSERT OR REPLACE INTO commits (group_name, topic, partition, offset, progress) VALUES (?, ?, ?, ?, ?)',
      group,
      topic,
      commit.partition,
      commit.offset,
      formatProgress(commit),
    )
  }

  hold(name: string): () => void {
    const path = `${this.#file.path}.${encodeURIComponent(name)}.lock`
    createPrivateFile(path)
    const lock = holdFileLock(path)
    if (!lock) throw new ObstreamError('OBS_LOG_GROUP_HELD', `${name} is running on ${this.#file.path} already.`)
    this.#locks.add(lock)
    return () => {
      this.#locks.delete(lock)
      lock.release()
    }
  }

  version(): number {
    // Changes with every commit of another connection, in this process or not.
    const { data_version: seen } = this.#file.get<{ data_version: number }>('PRAGMA data_version')!
    if (seen !== this.#seenDataVersion) this.#version++
    this.#seenDataVersion = seen
    return this.#version
  }

  watch(wake: () => void): () => void {
    this.#watchers.add(wake)
    this.#poll ??= setInterval(() => this.#wake(), POLL_MS)
    return () => {
      this.#watchers.delete(wake)
      if (this.#watchers.size > 0) return
      clearInterval(this.#poll)
      this.#poll = undefined
    }
  }

  #wake(): void {
    for (const wake of [...this.#watchers]) wake()
  }

  close(): void {
    clearInterval(this.#poll)
    for (const lock of this.#locks) lock.release()
    this.#file.close()
  }
}

const SELECT_TOPICS = 'SELECT name, partitions, cleanup, retention_ms AS retentionMs FROM topics'

function formatVersion(file: SqliteFile): number {
  return file.get<{ user_version: number }>('PRAGMA user_version')!.user_version
}

function refuseForeignFile(file: SqliteFile): void {
  const { tables } = file.get<{ tables: number }>('SELECT count(*) AS tables FROM sqlite_schema')!
  if (tables === 0) return
  const { application_id: id } = file.get<{ application_id: number }>('PRAGMA application_id')!
  if (id !== APPLICATION_ID)
    throw new ObstreamError(
      'OBS_LOG_UNSUPPORTED',
      `${file.path} is a SQLite file of another program. Choose another path for the log.`,
    )
  const version = formatVersion(file)
  if (version > FORMAT_VERSION)
    throw new ObstreamError(
      'OBS_LOG_UNSUPPORTED',
      `${file.path} has format ${version}; this obstream knows ${FORMAT_VERSION}. Use the newer obstream that wrote it.`,
    )
}

function createTables(file: SqliteFile, latencyPartitions: number): void {
  if (formatVersion(file) !== 0) return // Another process was faster.
  file.exec(TABLES)
  file.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${FORMAT_VERSION}`)
  file.run('INSERT INTO log (latency_partitions) VALUES (?)', latencyPartitions)
}
