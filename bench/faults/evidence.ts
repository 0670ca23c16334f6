import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { EventLog, Offset } from '#lib/eventlog/port.ts'
import { openSqliteLog } from '#lib/eventlog/sqlite.ts'
import { systemClock } from '#lib/runtime/clock.ts'
import { catalogue } from '#lib/topics.ts'
import type { Told } from './check-deliveries.ts'
import type { ObservedRecord } from './observer.ts'
import type { Row } from './trading-system.ts'

/** What one partition held when somebody looked: everything up to `end`, as one hash. */
export interface Mark {
  readonly topic: string
  readonly partition: number
  readonly end: Offset
  /** Of the hash before and the bytes of the batch, which hold its offsets, batch by batch. */
  readonly sha256: string
}

/** What is known from outside about what the log must hold. */
export interface Evidence {
  /** Taken after each kill of a process that had the log for itself. */
  readonly marks: readonly Mark[]
  /** What readers of the running system were given, and writers were acknowledged. */
  readonly observed: readonly ObservedRecord[]
  /** What stood in the csv file before the last stop. */
  readonly rows: readonly Row[]
  /** What receivers of notifications wrote down; `null`: nobody asked them. */
  readonly told: Told | null
}

/**
 * Copies a log that no process has open, as a crash has left it: the file and the write-ahead log, not the index of the
 * latter. So looking at it recovers the copy, and the product must recover the log itself.
 *
 * @returns the path of the copy
 */
export function copyLog(path: string, folder: string): string {
  const copy = join(folder, 'obstream.db')
  mkdirSync(dirname(copy), { recursive: true })
  copyFileSync(path, copy)
  if (existsSync(`${path}-wal`)) copyFileSync(`${path}-wal`, `${copy}-wal`)
  return copy
}

/** One mark for each partition of each topic, as the log stands now. A log that has no topics yet has none. */
export async function takeMarks(path: string): Promise<readonly Mark[]> {
  const log = openSqliteLog({ path, clock: systemClock, partitions: 1 })
  try {
    if ((await log.topics.check(catalogue)).length > 0) return []
    const marks: Mark[] = []
    for (const { name } of catalogue)
      for (const { partition, end } of await log.offsets(name)) {
        let sha256 = ''
        for await (const link of chain(log, name, partition)) sha256 = link.sha256
        marks.push({ topic: name, partition, end, sha256 })
      }
    return marks
  } finally {
    await log.close()
  }
}

/** The hash after each batch of a partition, from the beginning. */
export async function* chain(log: EventLog, topic: string, partition: number): AsyncGenerator<Omit<Mark, 'topic'>> {
  const { earliest, end } = (await log.offsets(topic))[partition]!
  let sha256 = ''
  for await (const batch of log.read(topic, partition, earliest, end)) {
    sha256 = createHash('sha256').update(sha256).update(batch.bytes).digest('hex')
    yield { partition, end: batch.lastOffset + 1, sha256 }
  }
}
