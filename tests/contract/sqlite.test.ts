import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import type { EmbeddedLog } from '#lib/eventlog/embedded-log.ts'
import { openLog } from '#lib/eventlog/open.ts'
import { openSqliteLog, type SqliteLogOptions } from '#lib/eventlog/sqlite.ts'
import { systemClock } from '#lib/runtime/clock.ts'
import { topics } from '#lib/topics.ts'
import { eventually } from '#tests/support/eventually.ts'
import { ManualClock } from '#tests/support/manual-clock.ts'
import { testNeeding } from '#tests/support/required.ts'
import { eventLogContract } from './eventlog.contract.ts'
import { endOf, placesIn, Recorder, read, record, recordsOf } from './eventlog-fixture.ts'

eventLogContract({
  name: 'sqlite',
  lacks: {},
  create: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'obs-contract-'))
    const clock = new ManualClock(0)
    const handles: EmbeddedLog[] = []
    return {
      open: async () => {
        const handle = openSqliteLog({ path: join(folder, 'log.db'), clock, partitions: 3 })
        handles.push(handle)
        return handle
      },
      setTime: (now) => clock.jumpTo(now),
      close: async () => {
        await Promise.all(handles.map((handle) => handle.close()))
        rmSync(folder, { recursive: true })
      },
    }
  },
})

const topic = topics.sample

describe('sqlite', () => {
  let folder: string
  let path: string
  let opened: EmbeddedLog[]
  let children: ChildProcess[]

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'obs-sqlite-'))
    path = join(folder, 'log', 'obstream.db')
    opened = []
    children = []
  })
  afterEach(async () => {
    for (const child of children) child.kill('SIGKILL')
    await Promise.all(opened.map((log) => log.close().catch(() => {})))
    rmSync(folder, { recursive: true })
  })

  async function open(options: Partial<SqliteLogOptions> = {}): Promise<EmbeddedLog> {
    const log = openSqliteLog({ path, clock: systemClock, partitions: 1, ...options })
    opened.push(log)
    await log.topics.apply([topic])
    return log
  }

  /** Starts `log-process.ts`; `lines` grows as it prints. */
  function otherProcess(task: 'append' | 'hold', count?: number, wrapper: readonly string[] = []) {
    const script = fileURLToPath(new URL('log-process.ts', import.meta.url))
    const [command, ...args] = [
      ...wrapper,
      process.execPath,
      script,
      task,
      path,
      topic.name,
      ...(count ? [String(count)] : []),
    ]
    const child = spawn(command!, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    children.push(child)
    const lines: string[] = []
    createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
    return { lines, kill: () => child.kill('SIGKILL'), exited: once(child, 'close') }
  }

  describe('the file', () => {
    test('is made with its folder, for its owner only, and known as ours', async () => {
      const log = await open()
      await log.subscribe('rollup', topic.name, new Recorder())
      for (const file of ['', '-wal', '-shm', '.rollup.lock']) expect(statSync(path + file).mode & 0o777).toBe(0o600)
      await log.close()
      expect(readFileSync(path).subarray(68, 72).toString()).toBe('OBSL')
    })

    test('of another program is refused and left as it is', async () => {
      mkdirSync(join(folder, 'log'))
      const foreign = new DatabaseSync(path)
      foreign.exec('CREATE TABLE t (x)')
      foreign.close()
      const before = readFileSync(path)
      expect(() => openSqliteLog({ path, clock: systemClock, partitions: 1 })).toThrow(
        /is a SQLite file of another program/,
      )
      expect(readFileSync(path).equals(before)).toBe(true)
    })

    test('that is no SQLite file is refused', async () => {
      mkdirSync(join(folder, 'log'))
      writeFileSync(path, 'timestamp_utc,source,latency_ms\n'.repeat(100))
      await expect(
        openLog('sqlite:log/obstream.db', { dataDir: folder, clock: systemClock, partitions: 1 }),
      ).rejects.toMatchObject({
        code: 'OBS_LOG_UNSUPPORTED',
      })
    })

    test('of a newer obstream is refused', async () => {
      await (await open()).close()
      const newer = new DatabaseSync(path)
      newer.exec('PRAGMA user_version = 99')
      newer.close()
      expect(() => openSqliteLog({ path, clock: systemClock, partitions: 1 })).toThrow(/has format 99/)
    })

    test('keeps the number of partitions it was created with; another one is told', async () => {
      await (await open({ partitions: 4 })).close()
      const log = openSqliteLog({ path, clock: systemClock, partitions: 8 })
      opened.push(log)
      expect(log.latencyPartitions).toBe(4)
      expect(await log.topics.apply([topic, topics.plan, topics.window])).toEqual(
        [topic, topics.window].map(({ name }) => ({ topic: name, setting: 'partitions', expected: '8', actual: '4' })),
      )
    })

    test('opened by many processes at once is created once', async () => {
      const others = Array.from({ length: 4 }, () => otherProcess('append', 1))
      await Promise.all(others.map(({ exited }) => exited))
      expect(others.map(({ lines }) => lines)).toEqual(others.map(() => ['OBS_LOG_TOPIC_MISSING']))
      await open()
    })

    test('that cannot be made is told with its path', async () => {
      writeFileSync(join(folder, 'log'), 'a file where the folder should be')
      expect(() => openSqliteLog({ path, clock: systemClock, partitions: 1 })).toThrow(
        expect.objectContaining({ code: 'OBS_LOG_IO' }),
      )
    })
  })

  describe('damage', () => {
    /** Changes bytes behind the log's back. */
    function damage(sql: string): void {
      const database = new DatabaseSync(path)
      database.exec(sql)
      database.close()
    }

    test('one flipped bit in a stored batch is found by whoever reads it', async () => {
      const log = await open()
      await log.append(topic.name, 0, recordsOf('a b'))
      await log.append(topic.name, 0, recordsOf('c'))
      const row = new DatabaseSync(path)
      const bytes = row.prepare('SELECT bytes FROM batches WHERE base_offset = 2').get()!['bytes'] as Uint8Array
      bytes[bytes.length - 3]! ^= 0x10
      row.prepare('UPDATE batches SET bytes = ? WHERE base_offset = 2').run(bytes)
      row.close()
      expect(await read(log, topic, 0, 2)).toBe('0:a 1:b')
      await expect(read(log, topic, 0, 3)).rejects.toMatchObject({
        code: 'OBS_LOG_CORRUPT',
        message: expect.stringMatching(/^obs\.sample\.v1\/0: the batch at offset 2 is damaged: its CRC32C is/),
      })
      const handler = new Recorder()
      const subscription = await log.subscribe('rollup', topic.name, handler)
      await expect(subscription.ended).rejects.toMatchObject({ code: 'OBS_LOG_CORRUPT' })
    })

    test.each(['base_offset = 1', 'last_offset = 2'])(
      'a batch that stands elsewhere than it says (%s) is found',
      async (elsewhere) => {
        const log = await open()
        await log.append(topic.name, 0, recordsOf('a b'))
        damage(`UPDATE batches SET ${elsewhere}`)
        await expect(read(log, topic, 1, 3)).rejects.toMatchObject({ code: 'OBS_LOG_CORRUPT' })
      },
    )

    test('a commit that is no progress is not taken for one', async () => {
      const log = await open()
      damage(`INSERT INTO commits VALUES ('rollup', '${topic.name}', 0, 5, 'v1 what')`)
      await expect(log.committed('rollup', topic.name)).rejects.toMatchObject({ code: 'OBS_LOG_CORRUPT' })
      await expect((await log.subscribe('rollup', topic.name, new Recorder())).ended).rejects.toMatchObject({
        code: 'OBS_LOG_CORRUPT',
      })
    })
  })

  describe('other processes', () => {
    test('a follower wakes for what another process appends', async () => {
      const log = await open()
      const follow = log.follow(topic.name, 0, 0, new AbortController().signal)[Symbol.asyncIterator]()
      const next = follow.next()
      await otherProcess('append', 1).exited
      expect(placesIn((await next).value!)).toEqual(['0:k0', '1:k1', '2:k2'])
    })

    test('appends of several processes lie one behind the other, none lost', async () => {
      const log = await open()
      const others = Array.from({ length: 3 }, () => otherProcess('append', 40))
      await Promise.all(others.map(({ exited }) => exited))
      const acknowledged = others.flatMap(({ lines }) => lines.map(Number)).sort((a, b) => a - b)
      expect(acknowledged).toEqual(Array.from({ length: 120 }, (_, i) => i * 3))
      expect((await read(log, topic, 0, 360)).split(' ')).toHaveLength(360)
    })

    test('what was acknowledged before SIGKILL is there, and nothing by halves', async () => {
      const log = await open()
      for (let round = 0; round < 3; round++) {
        const other = otherProcess('append')
        await eventually(() => other.lines.length > 20 + round * 7)
        other.kill()
        await other.exited
        const end = await endOf(log, topic)
        expect(end % 3).toBe(0)
        expect(end).toBeGreaterThanOrEqual(Number(other.lines.at(-1)) + 3)
        expect((await read(log, topic, 0, end)).split(' ')).toHaveLength(end)
      }
    })

    test('a group that another process has is refused, and free when that process is killed', async () => {
      const log = await open()
      const other = otherProcess('hold')
      await eventually(() => other.lines[0] === 'held')
      await expect(log.subscribe('rollup', topic.name, new Recorder())).rejects.toMatchObject({
        code: 'OBS_LOG_GROUP_HELD',
        message: expect.stringContaining('rollup'),
      })
      await log.subscribe('alerter', topic.name, new Recorder())
      other.kill()
      await other.exited
      await log.subscribe('rollup', topic.name, new Recorder())
      await expect(log.subscribe('rollup', topic.name, new Recorder())).rejects.toMatchObject({
        code: 'OBS_LOG_GROUP_HELD',
      })
      await expect((await open()).subscribe('rollup', topic.name, new Recorder())).rejects.toMatchObject({
        code: 'OBS_LOG_GROUP_HELD',
      })
    })

    test('while another process writes, an append waits without holding up this one, then gives up', async () => {
      const log = await open({ busyTimeoutMs: 300 })
      const writer = new DatabaseSync(path)
      writer.exec('BEGIN IMMEDIATE')
      let turns = 0
      const counting = setInterval(() => turns++, 5)
      await expect(log.append(topic.name, 0, recordsOf('a'))).rejects.toMatchObject({ code: 'OBS_LOG_BUSY' })
      clearInterval(counting)
      expect(turns).toBeGreaterThan(5)
      const waiting = log.append(topic.name, 0, recordsOf('b'))
      writer.exec('ROLLBACK')
      writer.close()
      expect((await waiting).baseOffset).toBe(0)
    })

    test('schemas get ids from 1 in the order they come, whichever process adds them', async () => {
      const [log, other] = [await open(), await open()]
      const seen: number[] = []
      const add = (connection: EmbeddedLog, subject: string, schema: string) =>
        connection.schemas.add(subject, schema, (versions) => {
          seen.push(versions.length)
          return versions.find((version) => version.schema === schema)?.id ?? null
        })
      expect([add(log, 'a', '1'), add(other, 'b', '1'), add(other, 'a', '2'), add(log, 'a', '2')]).toEqual([1, 2, 3, 3])
      expect(seen).toEqual([0, 0, 1, 2])
      const refuse = () => {
        throw new RangeError('refused')
      }
      expect(() => log.schemas.add('a', '3', refuse)).toThrow('refused')
      expect(other.schemas.all()).toMatchObject([
        { id: 1, subject: 'a', schema: '1' },
        { id: 2, subject: 'b', schema: '1' },
        { id: 3, subject: 'a', schema: '2' },
      ])
      await log.append(topic.name, 0, recordsOf('a'))
    })
  })

  describe('the background', () => {
    test('removes expired records in its own time, and tells what goes wrong', async () => {
      const clock = new ManualClock(0)
      const errors: unknown[] = []
      const log = await open({ clock, compactEveryMs: 5, onBackgroundError: (error) => errors.push(error) })
      await log.append(topic.name, 0, recordsOf('a b'))
      clock.jumpTo(topic.retentionMs! + 1)
      await log.append(topic.name, 0, recordsOf('c'))
      await eventually(async () => (await log.offsets(topic.name))[0]!.earliest === 2)
      expect(errors).toEqual([])
      const row = new DatabaseSync(path)
      row.exec("UPDATE batches SET bytes = x'00'")
      row.close()
      clock.jumpTo(3 * topic.retentionMs!)
      await eventually(() => errors.length > 0)
      expect(errors[0]).toMatchObject({ code: 'OBS_LOG_CORRUPT' })
    })
  })

  describe('a failing disk', () => {
    const isRoot = process.getuid?.() === 0
    const noStrace =
      spawnSync('strace', ['-f', '-qq', '-e', 'trace=none', 'true']).status === 0
        ? undefined
        : 'strace cannot be run here'

    testNeeding(
      isRoot ? undefined : 'mounting a small disk needs root',
      'a full disk is told, nothing more is taken, and with space the log goes on',
      async () => {
        mkdirSync(join(folder, 'log'))
        expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1500k', 'tmpfs', join(folder, 'log')]).status).toBe(0)
        try {
          let log = await open()
          writeFileSync(join(folder, 'log', 'ballast'), Buffer.alloc(200_000))
          const large = { key: Buffer.from('k'), value: Buffer.alloc(50_000) }
          let acknowledged = 0
          const fill = async () => {
            for (;;) acknowledged = (await log.append(topic.name, 0, [record('a'), large])).baseOffset + 2
          }
          await expect(fill()).rejects.toMatchObject({
            code: 'OBS_LOG_IO',
            message: expect.stringMatching(/database or disk is full/),
          })
          expect(acknowledged).toBeGreaterThan(0)
          rmSync(join(folder, 'log', 'ballast'))
          await expect(log.append(topic.name, 0, [record('b')])).rejects.toMatchObject({ code: 'OBS_LOG_IO' })
          expect(await endOf(log, topic)).toBe(acknowledged)
          await log.close()
          log = await open()
          expect((await log.append(topic.name, 0, [record('b')])).baseOffset).toBe(acknowledged)
          expect(await read(log, topic, acknowledged, acknowledged + 1)).toBe(`${acknowledged}:b`)
          await log.close()
        } finally {
          await Promise.all(opened.map((log) => log.close()))
          spawnSync('umount', [join(folder, 'log')])
        }
      },
    )

    testNeeding(noStrace, 'each append is on the disk before it is acknowledged', async () => {
      await (await open()).close()
      const trace = join(folder, 'trace')
      await otherProcess('append', 10, ['strace', '-f', '-o', trace, '-e', 'trace=fsync,fdatasync,write']).exited
      const steps = readFileSync(trace, 'utf8')
        .split('\n')
        .map((line) =>
          /\b(fsync|fdatasync)\(/.test(line) ? 'sync' : /write\(1, "\d+\\n"/.test(line) ? 'acknowledged' : undefined,
        )
      const syncedBefore = steps.filter(Boolean).map((step, i, all) => step === 'acknowledged' && all[i - 1] === 'sync')
      expect(syncedBefore.filter(Boolean)).toHaveLength(10)
    })

    testNeeding(
      noStrace,
      'an fsync that fails is told, and what was not acknowledged does not come up after a restart',
      async () => {
        await (await open()).close()
        const failing = ['strace', '-f', '-qq', '-o', '/dev/null', '-e', 'inject=fsync,fdatasync:error=EIO:when=6+']
        const other = otherProcess('append', 20, failing)
        await other.exited
        const acknowledged = other.lines.filter((line) => /^\d+$/.test(line))
        expect(acknowledged.length).toBeGreaterThan(0)
        expect(other.lines.at(-1)).toBe('OBS_LOG_IO')
        // Nobody else had the file open: what the dead process left in the WAL is all that the next one has.
        expect(await endOf(await open(), topic)).toBe(acknowledged.length * 3)
      },
    )
  })
})
