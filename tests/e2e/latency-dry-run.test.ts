import { join } from 'node:path'
import { afterEach, expect, jest, test } from '@jest/globals'
import { openDryRun } from '#cli/actions/dry-run.ts'
import { codecOf, openEnvironment } from '#lib/runtime/environment.ts'
import { randomIds } from '#lib/runtime/ids.ts'
import { loadConfig } from '#lib/runtime/load-config.ts'
import { createMetricsRegistry } from '#lib/runtime/metrics.ts'
import { runToEnd } from '#lib/runtime/run-to-end.ts'
import { HOUR_MS, MINUTE_MS } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { alerter } from '#services/alerter/service.ts'
import { rollupReading } from '#services/rollup/service.ts'
import { CronDesk, CSV_HEADER, csvRow, filesBelow } from '#tests/support/desk-cron.ts'
import { commitsOf, factsOf, openDeskLog, recordsOf } from '#tests/support/desk-log.ts'

jest.setTimeout(90_000)

const NOON = Date.UTC(2026, 5, 27, 12)
const QUARTER = 15 * MINUTE_MS
const SIGNALS = 'inputs/signals.csv'
const MAIN = `sources:
  - {id: signals, kind: csv, path: ${SIGNALS}, interval: 15m}
`
const RULES = `rules:
  - {id: latency_p95, match: "*", threshold_ms: 5000}
`
const desks: CronDesk[] = []
afterEach(() => {
  for (const desk of desks.splice(0)) desk.remove()
})

/** A desk that ran every quarter of an hour from 23:00 to 01:45, over midnight, with slow signals; it is 02:15 now. */
async function openDesk(): Promise<CronDesk> {
  const desk = new CronDesk(MAIN, NOON + 11 * HOUR_MS, RULES)
  desks.push(desk)
  desk.put(SIGNALS, CSV_HEADER)
  for (let i = 0; i < 12; i++) {
    const slotAt = NOON + 11 * HOUR_MS + i * QUARTER
    desk.goTo(slotAt)
    expect((await desk.latency()).code).toBe(0)
    desk.append(SIGNALS, csvRow('signals', slotAt + 5 * MINUTE_MS, 7_000 + i))
  }
  desk.append(SIGNALS, csvRow('signals', NOON + 14 * HOUR_MS + MINUTE_MS, 8_000))
  desk.goTo(NOON + 14 * HOUR_MS + QUARTER)
  return desk
}

const JOB = '20260628T021500Z-latency'
const isNotJob = (topic: { readonly name: string }): boolean => topic.name !== topics.job.name

test('it leaves the log and ops/ as they are, byte for byte; only the record of the job is added', async () => {
  const desk = await openDesk()
  const look = async () => ({
    records: await recordsOf(desk.dataDir, isNotJob),
    commits: await commitsOf(desk.dataDir),
    ops: filesBelow(join(desk.dataDir, 'ops')),
  })
  const before = await look()
  const jobsBefore = await factsOf(desk.dataDir, topics.job)
  const { code, summary } = await desk.latency('--dry-run')
  expect({ code, summary }).toEqual({
    code: 0,
    summary: {
      job_id: JOB,
      status: 'ok',
      samples_written: 2,
      rollups_written: 1,
      breach_count: 1,
      next_rotation_bytes: expect.any(Number),
    },
  })
  expect(await look()).toEqual(before)
  const jobs = (await factsOf(desk.dataDir, topics.job)).slice(jobsBefore.length)
  expect(jobs.map(({ key, value }) => [key, value.type, value.dryRun])).toEqual([
    ['latency/2026-06-28T02:15:00Z/started/dry-run', 'started', true],
    ['latency/2026-06-28T02:15:00Z/finished/1/dry-run', 'finished', true],
  ])
})

test('its files equal what a real run at the same moment writes', async () => {
  const desk = await openDesk()
  const dry = await desk.latency('--dry-run')
  const real = await desk.latency()
  expect(real.summary).toEqual(dry.summary)
  const { 'automation_runs.log': dryLog, ...dryFiles } = filesBelow(join(desk.dataDir, `out/dry-run/${JOB}/ops`))
  const { 'automation_runs.log': realLog, '.latency.lock': _, ...realFiles } = filesBelow(join(desk.dataDir, 'ops'))
  expect(dryFiles).toEqual(realFiles)
  expect(Object.keys(dryFiles)).toContain('signal_latency_archive/SHA256SUMS')
  expect(dryLog).not.toBe(realLog)
  const lines = desk.read(`out/dry-run/${JOB}/ops/automation_runs.log`).trim().split('\n')
  expect(JSON.parse(lines.at(-1)!)).toMatchObject({ job_id: JOB, status: 'ok', dry_run: true })
})

test('real runs go on afterwards as if it had never been', async () => {
  const [desk, twin] = [await openDesk(), await openDesk()]
  await desk.latency('--dry-run')
  for (const each of [desk, twin]) {
    await each.latency()
    each.goTo(NOON + 15 * HOUR_MS + QUARTER)
    await each.latency()
  }
  expect(await recordsWithoutTimes(desk)).toEqual(await recordsWithoutTimes(twin))
  const csvFiles = (of: CronDesk) =>
    Object.entries(filesBelow(join(of.dataDir, 'ops'))).filter(([path]) => path.includes('signal_latency'))
  expect(csvFiles(desk)).toEqual(csvFiles(twin))
})

/** The path of the csv file, which is another one, stands in the cursors; everything else is the same. */
async function recordsWithoutTimes(desk: CronDesk): Promise<readonly string[]> {
  return (await recordsOf(desk.dataDir, isNotJob)).map((line) => line.replace(/ obs-csv-cursor=\S+/g, ''))
}

test('it tells what would happen while another process holds the groups and the lock', async () => {
  const desk = await openDesk()
  const log = openDeskLog(desk.dataDir)
  const held = ['sampler', 'rollup'].map((group) =>
    log.subscribe(group, topics.sample.name, {
      assigned: async (_, committed) => committed?.offset ?? 0,
      batch: async () => null,
      revoked: () => {},
    }),
  )
  await Promise.all(held)
  try {
    expect(await desk.latency()).toMatchObject({
      code: 0,
      summary: { status: 'skipped', skip_reason: 'services_running' },
    })
    expect(await desk.latency('--dry-run')).toMatchObject({
      code: 0,
      stderr: '',
      summary: { status: 'ok', samples_written: 2, rollups_written: 1 },
    })
  } finally {
    await log.close()
  }
})

test('it begins with a log that fits together, although others write while it begins', async () => {
  const desk = await openDesk()
  const { config } = loadConfig({ dataDir: desk.dataDir, env: {} })
  const quiet = { info: () => {}, warn: () => {} }
  const env = await openEnvironment({
    config,
    clock: desk.clock,
    ids: randomIds,
    logger: quiet,
    metrics: createMetricsRegistry(),
  })
  let runs = 0
  let isBeginning = true
  /** Between any two looks an hour passes: a window closes, its alert is said, another plan is in force. */
  const passAnHour = async (): Promise<void> => {
    desk.put('configs/observability/latency_alert.yaml', RULES.replace('5000', String(5_000 + ++runs)))
    desk.goTo(desk.clock.now() + HOUR_MS)
    desk.append(SIGNALS, csvRow('signals', desk.clock.now() - MINUTE_MS, 9_000))
    expect((await desk.latency()).code).toBe(0)
  }
  const log = new Proxy(env.log, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      const method = value.bind(target) as (...args: unknown[]) => unknown
      return name === 'offsets' && isBeginning
        ? (...args: unknown[]) => passAnHour().then(() => method(...args))
        : method
    },
  })
  const overlay = await openDryRun({ ...env, log })
  isBeginning = false
  expect(runs).toBeGreaterThan(10)
  const { end } = (await overlay.log.offsets(topics.window.name))[0]!
  await runToEnd(rollupReading(codecOf(overlay, topics.sample)), overlay)
  await runToEnd(alerter, overlay)
  expect((await overlay.log.offsets(topics.window.name))[0]!.end).toBeGreaterThan(end)
  await overlay.close()
  await env.close()
})

test('on a desk that has never run it shows the first run, and the log stays empty but for the job', async () => {
  const desk = new CronDesk(MAIN, NOON, RULES)
  desks.push(desk)
  desk.put(SIGNALS, CSV_HEADER + csvRow('signals', NOON - 5 * MINUTE_MS, 44))
  expect(await desk.latency('--dry-run')).toMatchObject({ code: 0, summary: { status: 'ok', samples_written: 1 } })
  expect((await recordsOf(desk.dataDir, isNotJob)).filter((line) => !line.includes(': 0 to 0'))).toEqual([])
  expect(desk.read(`out/dry-run/20260627T120000Z-latency/ops/signal_latency.csv`)).toBe(
    `${CSV_HEADER}2026-06-27T11:55:00Z,signals,44\n`,
  )
})

test('nothing of it is left in memory of the next one: two in a row say the same', async () => {
  const desk = await openDesk()
  const first = await desk.latency('--dry-run')
  desk.goTo(desk.clock.now() + 1_000)
  const second = await desk.latency('--dry-run')
  expect({ ...second.summary, job_id: '' }).toEqual({ ...first.summary, job_id: '' })
})
