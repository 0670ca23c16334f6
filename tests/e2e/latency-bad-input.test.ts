import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from '@jest/globals'
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { CronDesk, CSV_HEADER, csvRow, filesBelow } from '#tests/support/desk-cron.ts'
import { factsOf, LOG_FILE } from '#tests/support/desk-log.ts'
import { testNeeding } from '#tests/support/required.ts'

const NOON = Date.UTC(2026, 5, 27, 12)
const QUARTER = 15 * MINUTE_MS
const SIGNALS = 'inputs/signals.csv'
const MAIN = `sources:
  - {id: signals, kind: csv, path: ${SIGNALS}, interval: 15m}
`
const RULES = `rules:
  - {id: latency_p95, match: "*", threshold_ms: 5000}
`
const undo: (() => void)[] = []
afterEach(() => {
  for (const step of undo.splice(0).toReversed()) step()
})

function desk(main = MAIN, rules = RULES): CronDesk {
  const opened = new CronDesk(main, NOON, rules)
  undo.push(() => opened.remove())
  return opened
}

const warningsOf = (stderr: string) =>
  stderr
    .trim()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { message: string })

describe('configuration', () => {
  test('every fault is told with file, line and column; exit code 78, and nothing is made', async () => {
    const on = desk(
      'sources:\n  - {id: a b, kind: csv, path: x.csv}\nlocale: fr\n',
      'rules:\n  - {id: r, match: "*"}\n',
    )
    const { code, stderr } = await on.latency()
    expect(code).toBe(78)
    expect(stderr).toContain(`${join(on.dataDir, 'obstream.yaml')}:2:10`)
    expect(stderr).toContain(`${join(on.dataDir, 'obstream.yaml')}:3:9`)
    expect(stderr).toMatch(/latency_alert\.yaml:2:\d+ .*threshold_ms/)
    expect(existsSync(join(on.dataDir, 'log'))).toBe(false)
    expect(existsSync(join(on.dataDir, 'ops'))).toBe(false)
  })

  test('a source that reads what obstream writes is refused', async () => {
    const on = desk('sources:\n  - {id: own, kind: csv, path: ops/signal_latency.csv}\n')
    expect(await on.latency()).toMatchObject({ code: 78, stderr: expect.stringContaining('obstream.yaml:2:32') })
  })
})

describe('csv', () => {
  test('a file that is not there is a warning, and the other sources go on; it is taken up when it comes', async () => {
    const on = desk(`${MAIN}  - {id: other, kind: csv, path: inputs/other.csv, interval: 15m}\n`)
    on.put('inputs/other.csv', CSV_HEADER + csvRow('other', NOON - MINUTE_MS, 7))
    const { code, stderr } = await on.latency()
    expect(code).toBe(0)
    expect(stderr).toContain(`${join(on.dataDir, SIGNALS)}: there is no such file yet`)
    expect(on.rows('ops/signal_latency.csv')).toEqual(['2026-06-27T11:59:00Z,other,7'])
    on.put(SIGNALS, CSV_HEADER + csvRow('signals', NOON + MINUTE_MS, 8))
    on.goTo(NOON + QUARTER)
    expect(await on.latency()).toMatchObject({ code: 0, stderr: '' })
    expect(on.rows('ops/signal_latency.csv').at(-1)).toBe('2026-06-27T12:01:00Z,signals,8')
  })

  test('hostile lines are named and left out, one by one; every good row is kept', async () => {
    const on = desk()
    const hostile: readonly (readonly [line: string | Buffer, fault: RegExp | null])[] = [
      ['=HYPERLINK("http://evil"),signals,5', /quotes .* do not match/],
      ['=1+1,signals,5', /timestamp_utc/],
      ['2026-06-27T11:30:00Z,signals,=1+1', /latency_ms .*"=1\+1"/],
      ['2026-06-27T11:30:00Z,signals,-5', /latency_ms/],
      ['2026-06-27T11:30:00Z,signals,1e308', /latency_ms/],
      ['2026-02-30T11:30:00Z,signals,5', /timestamp_utc/],
      ['2026-06-27T11:30:00Z,signals,5,6,7', /5 columns/],
      ['2026-06-27T11:30:00Z,"signals,5', /.+/],
      ['\0\0\0', /NUL/],
      [Buffer.from('2026-06-27T11:30:00Z,signals,5\xe9', 'latin1'), /UTF-8/i],
      [`2026-06-27T11:30:00Z,signals,${'9'.repeat(100_000)}`, /longer than 65536 bytes/],
      // Rows of other sources are nobody's here, whatever they are called.
      ['2026-06-27T11:30:00Z,../../etc/passwd,5', null],
      ['2026-06-27T11:30:00Z,__proto__,5', null],
      ['2026-06-27T11:30:00Z,"=cmd|calc",5', null],
      ['', null],
    ]
    const good = hostile.map((_, i) => csvRow('signals', NOON - HOUR_MS + i * SECOND_MS, i))
    const lines = hostile.flatMap(([line], i) => [Buffer.from(line), Buffer.from('\n'), Buffer.from(good[i]!)])
    on.put(SIGNALS, Buffer.concat([Buffer.from(CSV_HEADER), ...lines]))
    const { code, stderr, summary } = await on.latency()
    expect({ code, status: summary['status'] }).toEqual({ code: 0, status: 'ok' })
    const warnings = warningsOf(stderr).map(({ message }) => message)
    const expected = hostile.flatMap(([, fault], i) => (fault ? [{ line: 2 + 2 * i, fault }] : []))
    expect(warnings.length).toBe(expected.length)
    for (const [i, { line, fault }] of expected.entries()) {
      expect(warnings[i]).toMatch(new RegExp(`^${join(on.dataDir, SIGNALS)}:${line}(:\\d+)?: `))
      expect(warnings[i]).toMatch(fault)
      expect(warnings[i]!.length).toBeLessThan(500)
    }
    expect(on.rows('ops/signal_latency.csv').map((row) => Number(row.split(',')[2]))).toEqual(good.map((_, i) => i))
    expect(new Set((await factsOf(on.dataDir, topics.sample)).map(({ key }) => key))).toEqual(new Set(['', 'signals']))
    expect(Object.keys(filesBelow(on.dataDir)).filter((path) => /passwd|proto/.test(path))).toEqual([])
  })

  test.each(['../x', '=cmd', 'a b', 'a/b', ''])('a source cannot be called %j', async (id) => {
    const on = desk(`sources:\n  - {id: ${JSON.stringify(id)}, kind: csv, path: ${SIGNALS}}\n`)
    expect(await on.latency()).toMatchObject({ code: 78, stderr: expect.stringContaining('obstream.yaml:2:') })
  })

  test('a source that is called like a part of JavaScript is a source like any other', async () => {
    const on = desk(
      'sources:\n  - {id: __proto__, kind: csv, path: a.csv}\n  - {id: constructor, kind: csv, path: a.csv}\n',
    )
    on.put('a.csv', CSV_HEADER + csvRow('__proto__', NOON - MINUTE_MS, 1) + csvRow('constructor', NOON - MINUTE_MS, 2))
    expect(await on.latency()).toMatchObject({ code: 0, stderr: '', summary: { samples_written: 2 } })
    expect(on.rows('ops/signal_latency.csv').map((row) => row.split(',')[1])).toEqual(['__proto__', 'constructor'])
  })

  test('a file that is something else altogether is one fault', async () => {
    const on = desk()
    on.put(SIGNALS, Buffer.from([0x1f, 0x8b, 8, 0, 0xff, 10, 0xfe, 10]))
    const { code, stderr } = await on.latency()
    expect(code).toBe(0)
    expect(warningsOf(stderr).map(({ message }) => message)).toEqual([
      expect.stringContaining(`${join(on.dataDir, SIGNALS)}:1`),
    ])
  })
})

describe('the clock', () => {
  test('set back by an hour: no tick, no sample, exit code 70; set right, the next run goes on', async () => {
    const on = desk()
    on.put(SIGNALS, CSV_HEADER)
    expect((await on.latency()).code).toBe(0)
    const before = await factsOf(on.dataDir, topics.sample)
    on.clock.jumpTo(NOON - HOUR_MS)
    expect(await on.latency()).toMatchObject({ code: 70, stderr: expect.stringContaining('[OBS_SAMPLER_CLOCK]') })
    const isNew = (await factsOf(on.dataDir, topics.sample)).slice(before.length).map(({ value }) => value)
    expect(isNew.filter((fact) => fact.type === 'probe' || fact.at !== NOON)).toEqual([])
    on.clock.jumpTo(NOON + QUARTER)
    on.append(SIGNALS, csvRow('signals', NOON + MINUTE_MS, 3))
    expect(await on.latency()).toMatchObject({ code: 0, summary: { samples_written: 1 } })
  })
})

describe('the log', () => {
  test('a file that is no log is named, left as it is, and ends with 78', async () => {
    const on = desk()
    on.put(LOG_FILE, 'timestamp_utc,source,latency_ms\n'.repeat(100))
    const before = on.read(LOG_FILE)
    const { code, stderr } = await on.latency()
    expect(code).toBe(78)
    expect(stderr).toContain('[OBS_LOG_UNSUPPORTED]')
    expect(stderr).toContain(LOG_FILE)
    expect(on.read(LOG_FILE)).toBe(before)
  })

  test('a truncated log is told as corrupt and ends with 65; nothing is written over it', async () => {
    const on = desk()
    on.put(SIGNALS, CSV_HEADER)
    for (let i = 0; i < 20; i++) {
      on.append(SIGNALS, csvRow('signals', on.clock.now() - MINUTE_MS, i))
      expect((await on.latency()).code).toBe(0)
      on.goTo(on.clock.now() + QUARTER)
    }
    const path = join(on.dataDir, LOG_FILE)
    rmSync(`${path}-wal`, { force: true })
    rmSync(`${path}-shm`, { force: true })
    truncateSync(path, Math.floor(statSync(path).size / 2 / 4_096) * 4_096)
    const files = filesBelow(join(on.dataDir, 'ops'))
    const { code, stderr } = await on.latency()
    expect({ code, stderr }).toEqual({ code: 65, stderr: expect.stringContaining('[OBS_LOG_CORRUPT]') })
    const isArtefact = ([name]: [string, string]) => !name.startsWith('.latency.lock')
    expect(Object.entries(filesBelow(join(on.dataDir, 'ops'))).filter(isArtefact)).toEqual(
      Object.entries(files).filter(isArtefact),
    )
  })

  test('a folder in the way of the log ends with 73 or 74 and its path', async () => {
    const on = desk()
    mkdirSync(join(on.dataDir, LOG_FILE), { recursive: true })
    const { code, stderr } = await on.latency()
    expect([73, 74, 78]).toContain(code)
    expect(stderr).toContain(LOG_FILE)
    expect(stderr).not.toContain('OBS_RUNTIME_UNEXPECTED')
  })
})

const needsRoot = process.getuid?.() === 0 ? undefined : 'mounting a small disk needs root'

/** A desk whose folder below is a file system of its own. */
function deskOnDisk(folder: string, sizeKb: number): CronDesk {
  const on = desk()
  const path = join(on.dataDir, folder)
  mkdirSync(path, { recursive: true })
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeKb}k`, 'tmpfs', path])
  if (mounted.status !== 0) throw new Error(`cannot mount: ${mounted.stderr}`)
  undo.push(() => spawnSync('umount', ['-l', path]))
  on.put(SIGNALS, CSV_HEADER)
  return on
}

/** Fills what is left of a disk. @returns frees it again */
function fill(folder: string): () => void {
  const ballast = join(folder, 'ballast')
  for (let sizeBytes = 65_536; sizeBytes >= 512; sizeBytes /= 2)
    try {
      for (;;) writeFileSync(ballast, Buffer.alloc(sizeBytes), { flag: 'a' })
    } catch {
      // Smaller pieces may still fit.
    }
  return () => rmSync(ballast)
}

describe('disks', () => {
  testNeeding(needsRoot, 'a disk that may not be written ends with a code that says so, and its path', async () => {
    const on = deskOnDisk('log', 2_000)
    expect(spawnSync('mount', ['-o', 'remount,ro', join(on.dataDir, 'log')]).status).toBe(0)
    const { code, stderr } = await on.latency()
    expect([73, 74]).toContain(code)
    expect(stderr).toContain(LOG_FILE)
    expect(stderr).not.toContain('OBS_RUNTIME_UNEXPECTED')
  })

  testNeeding(needsRoot, 'a full disk under the log ends with 74; with room again, nothing is missing', async () => {
    const on = deskOnDisk('log', 2_000)
    for (let i = 0; i < 3; i++) {
      on.append(SIGNALS, csvRow('signals', on.clock.now() - MINUTE_MS, i))
      expect((await on.latency()).code).toBe(0)
      on.goTo(on.clock.now() + QUARTER)
    }
    const free = fill(join(on.dataDir, 'log'))
    for (let i = 3; i < 6; i++) {
      on.append(SIGNALS, csvRow('signals', on.clock.now() - MINUTE_MS, i))
      const { code, stderr } = await on.latency()
      expect({ i, code, stderr }).toEqual({ i, code: 74, stderr: expect.stringContaining('[OBS_LOG_IO]') })
      on.goTo(on.clock.now() + QUARTER)
    }
    free()
    expect(await on.latency()).toMatchObject({ code: 0, summary: { status: 'ok', samples_written: 3 } })
    expect(on.rows('ops/signal_latency.csv').map((row) => Number(row.split(',')[2]))).toEqual([0, 1, 2, 3, 4, 5])
  })

  testNeeding(
    needsRoot,
    'a full disk under the files ends with 74 and leaves the old ones whole; the next run writes them',
    async () => {
      const on = deskOnDisk('ops', 200)
      on.append(SIGNALS, csvRow('signals', NOON - MINUTE_MS, 1))
      expect((await on.latency()).code).toBe(0)
      const before = on.read('ops/signal_latency.csv')
      const free = fill(join(on.dataDir, 'ops'))
      on.goTo(NOON + QUARTER)
      on.append(SIGNALS, csvRow('signals', NOON + MINUTE_MS, 2))
      const { code, summary, stderr } = await on.latency()
      expect({ code, summary }).toMatchObject({ code: 74, summary: { status: 'error', error_code: 'OBS_ARTEFACT_IO' } })
      expect(stderr).toContain('[OBS_ARTEFACT_IO]')
      expect(readFileSync(join(on.dataDir, 'ops/signal_latency.csv'), 'utf8')).toBe(before)
      free()
      on.goTo(NOON + 2 * QUARTER)
      expect((await on.latency()).code).toBe(0)
      expect(on.rows('ops/signal_latency.csv').map((row) => Number(row.split(',')[2]))).toEqual([1, 2])
      const log = on
        .read('ops/automation_runs.log')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>)
      expect(log.map(({ status, error_code: error }) => [status, error])).toEqual([
        ['ok', null],
        ['error', 'OBS_ARTEFACT_IO'],
        ['ok', null],
      ])
    },
  )
})
