import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { sha256Hex } from '#lib/codec/sha256.ts'
import type { Probe } from '#lib/facts.ts'
import { DAY_MS, formatInstant, HOUR_MS, type Instant, MINUTE_MS, parseInstant, SECOND_MS } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { runBin } from '#tests/support/bin.ts'
import { CronDesk, type CronRun, CSV_HEADER, csvRow, filesBelow } from '#tests/support/desk-cron.ts'
import { factsOf } from '#tests/support/desk-log.ts'

/** Cron starts `obstream latency`; time is a manual clock, everything else is real: log, files, a router over HTTP. */

jest.setTimeout(120_000)

const MIDNIGHT = Date.UTC(2026, 5, 27)
const QUARTER = 15 * MINUTE_MS
/** Long enough that a busy machine, which shows as `sampler_busy`, is the exception. */
const ANSWER_MS = 60
const SIGNALS = 'inputs/signals.csv'

let router: Server
let routerUrl: string

beforeAll(async () => {
  router = createServer((_, response) => void setTimeout(() => response.end('pong'), ANSWER_MS))
  await new Promise<void>((resolve) => router.listen(0, '127.0.0.1', resolve))
  routerUrl = `http://127.0.0.1:${(router.address() as AddressInfo).port}/ping`
})
afterAll(() => {
  router.closeAllConnections()
  router.close()
})

const httpSource = () => `  - {id: router, kind: http, url: "${routerUrl}", interval: 15m, timeout: 10s}\n`
const csvSource = `  - {id: signals, kind: csv, path: ${SIGNALS}, interval: 15m}\n`
/** One good answer in an hour is enough for the router: a busy machine refuses to measure now and then. */
const RULES = `rules:
  - {id: router, match: router, threshold_ms: 5000, min_samples: 1}
  - {id: latency_p95, match: "*", threshold_ms: 5000}
`

function desk(sources: string, startAt = MIDNIGHT): CronDesk {
  const opened = new CronDesk(`sources:\n${sources}`, startAt, RULES)
  opened.put(SIGNALS, CSV_HEADER)
  return opened
}

/** Latency of the trading system's signal at an instant: slow from 09:00 to 11:30. */
const signalMs = (at: Instant): number => {
  const hour = (at % DAY_MS) / HOUR_MS
  return hour >= 9 && hour < 11.5 ? 7_000 + (at % 997) : 40 + (at % 13)
}

/** The trading system writes a row five minutes after each slot. */
function trade(on: CronDesk, slotAt: Instant): void {
  const at = slotAt + 5 * MINUTE_MS
  on.append(SIGNALS, csvRow('signals', at, signalMs(at)))
}

const probesOf = async (on: CronDesk) =>
  (await factsOf(on.dataDir, topics.sample)).flatMap(({ key, value }) =>
    value.type === 'probe' ? [{ source: key, ...value }] : [],
  )
const idOf = ({ source, scheduledAt, ordinal }: Probe & { source: string }) =>
  `${source}/${formatInstant(scheduledAt)}/${ordinal}`
const windowsOf = async (on: CronDesk) =>
  (await factsOf(on.dataDir, topics.window)).flatMap(({ value }) => (value.type === 'window' ? [value] : []))
/** Hours that the rollup file flags. On a machine that is too busy to measure, the router may have some. */
const breachesOf = (on: CronDesk) =>
  on
    .rows('ops/signal_latency_rollup.csv')
    .map((row) => row.split(','))
    .filter(([, , , breach]) => breach === 'true')
    .map(([hour, , , , source]) => ({ hour: hour!, source }))
const automationLog = (on: CronDesk) =>
  on
    .read('ops/automation_runs.log')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

describe('a day of cron, every 15 minutes', () => {
  let day: CronDesk
  const runs: CronRun[] = []

  beforeAll(async () => {
    day = desk(httpSource() + csvSource)
    for (let slotAt = MIDNIGHT; slotAt < MIDNIGHT + DAY_MS; slotAt += QUARTER) {
      day.goTo(slotAt)
      runs.push(await day.latency())
      trade(day, slotAt)
    }
  }, 360_000)
  afterAll(() => day.remove())

  test('each run ends well and tells what it did', () => {
    expect(
      runs.filter(({ code, summary, stderr }) => code !== 0 || summary['status'] !== 'ok' || stderr !== ''),
    ).toEqual([])
    expect(runs).toHaveLength(96)
    expect(runs[0]!.summary).toEqual({
      job_id: '20260627T000000Z-latency',
      status: 'ok',
      samples_written: expect.any(Number),
      rollups_written: 0,
      breach_count: 0,
      next_rotation_bytes: expect.any(Number),
    })
    const sum = (name: string) => runs.reduce((total, { summary }) => total + (summary[name] as number), 0)
    expect(sum('samples_written')).toBe(day.rows('ops/signal_latency.csv').length)
    expect(sum('rollups_written')).toBe(day.rows('ops/signal_latency_rollup.csv').length)
    expect(sum('breach_count')).toBe(breachesOf(day).length)
  })

  test('every slot is sampled once, and every row of the trading system is taken once', async () => {
    const probes = await probesOf(day)
    const ids = probes.map(idOf)
    expect(new Set(ids).size).toBe(ids.length)
    const of = (source: string) => probes.filter((probe) => probe.source === source).map((probe) => probe.scheduledAt)
    const slots = Array.from({ length: 96 }, (_, i) => MIDNIGHT + i * QUARTER)
    expect(of('router')).toEqual(slots)
    expect(of('signals')).toEqual(slots.slice(0, 95).map((at) => at + 5 * MINUTE_MS))
  })

  test('23 hours are closed for each source; the last one is still open', async () => {
    const windows = await windowsOf(day)
    for (const source of ['router', 'signals']) {
      const own = windows.filter((window) => window.source === source && window.startAt >= MIDNIGHT)
      expect(own.map(({ startAt, revision }) => [startAt, revision])).toEqual(
        Array.from({ length: 23 }, (_, hour) => [MIDNIGHT + hour * HOUR_MS, 0]),
      )
      const seen = own.map(({ count, errorCount, expectedCount }) => [count + errorCount, expectedCount])
      expect(seen).toEqual(own.map(() => [4, 4]))
    }
  })

  test('the latency file has every sample; the rollup file every closed hour, the slow ones flagged', async () => {
    const probes = (await probesOf(day)).filter(({ outcome }) => outcome === 'ok')
    const rows = probes.map(
      ({ source, scheduledAt, latencyMs }) => `${formatInstant(scheduledAt)},${source},${latencyMs}`,
    )
    expect(day.rows('ops/signal_latency.csv')).toEqual(rows.toSorted())
    expect(rows.filter((row) => row.includes(',signals,'))).toEqual(
      Array.from({ length: 95 }, (_, i) => {
        const at = MIDNIGHT + i * QUARTER + 5 * MINUTE_MS
        return `${formatInstant(at)},signals,${signalMs(at)}`
      }),
    )
    const rollup = day.rows('ops/signal_latency_rollup.csv').map((row) => row.split(','))
    expect(rollup.filter(([hour]) => hour! >= '2026-06-27')).toHaveLength(46)
    expect(breachesOf(day).filter(({ source }) => source === 'signals')).toEqual(
      ['09', '10', '11'].map((hour) => ({ hour: `2026-06-27T${hour}:00:00Z`, source: 'signals' })),
    )
  })

  test('the slow hours open one alert, escalate it and resolve it', async () => {
    const alerts = (await factsOf(day.dataDir, topics.alert)).filter(({ value }) => value.source === 'signals')
    expect(new Set(alerts.map(({ value }) => value.alertId))).toEqual(
      new Set(['breach/latency_p95/signals/2026-06-27T09:00:00Z']),
    )
    expect(alerts.map(({ value }) => `${value.kind} ${value.severity}`)).toEqual([
      'opened warning',
      'escalated critical',
      'resolved critical',
    ])
  })

  test('the automation log has 96 lines, one a run, and the heartbeat is the last one', () => {
    const lines = automationLog(day)
    expect(lines.map((line) => line['job_id'])).toEqual(runs.map(({ summary }) => summary['job_id']))
    expect(new Set(lines.map((line) => line['run_id'])).size).toBe(96)
    expect(lines.every((line) => line['status'] === 'ok' && line['dry_run'] === false)).toBe(true)
    expect(JSON.parse(day.read('ops/latency_job_heartbeat.json'))).toMatchObject({
      job_id: '20260627T234500Z-latency',
      next_run_at: '2026-06-28T00:00:00Z',
      last_breach_at: formatInstant(parseInstant(breachesOf(day).at(-1)!.hour)! + HOUR_MS),
    })
  })

  test('a replay gives every file back, byte for byte', async () => {
    const check = await runBin(['replay', '--check'], { cwd: day.dataDir })
    expect({ code: check.code, verdict: JSON.parse(check.stdout || '{}').verdict }).toEqual({
      code: 0,
      verdict: 'equal',
    })
    const to = await runBin(['replay', '--to', 'replayed'], { cwd: day.dataDir })
    expect(to.code).toBe(0)
    const { '.latency.lock': _, ...live } = filesBelow(`${day.dataDir}/ops`)
    expect(filesBelow(`${day.dataDir}/replayed/ops`)).toEqual(live)
  })
})

test('runs that come 3 s late, or twice in a slot, sample and judge the same', async () => {
  const punctual = desk(httpSource() + csvSource)
  const sloppy = desk(httpSource() + csvSource)
  for (let i = 0; i <= 9; i++) {
    const slotAt = MIDNIGHT + i * QUARTER
    punctual.goTo(slotAt)
    await punctual.latency()
    sloppy.goTo(slotAt + (i % 2) * 3 * SECOND_MS)
    await sloppy.latency()
    if (i % 3 === 0) {
      sloppy.goTo(slotAt + 4 * MINUTE_MS)
      expect(await sloppy.latency()).toMatchObject({ code: 0, summary: { status: 'ok', samples_written: 0 } })
    }
    trade(punctual, slotAt)
    trade(sloppy, slotAt)
  }
  expect((await probesOf(sloppy)).map(idOf)).toEqual((await probesOf(punctual)).map(idOf))
  const judged = async (on: CronDesk) =>
    (await windowsOf(on)).map(({ source, startAt, decidedAt, count, errorCount, late }) => ({
      source,
      startAt,
      decidedAt,
      seen: count + errorCount,
      late,
    }))
  expect(await judged(sloppy)).toEqual(await judged(punctual))
  const signals = (on: CronDesk) => on.rows('ops/signal_latency.csv').filter((row) => row.includes(',signals,'))
  expect(signals(sloppy)).toEqual(signals(punctual))
  punctual.remove()
  sloppy.remove()
})

test('two runs in one second are one job: the second gives back what the first did', async () => {
  const on = desk(csvSource)
  const first = await on.latency()
  expect(await on.latency()).toEqual(first)
  expect(automationLog(on)).toHaveLength(1)
  on.remove()
})

describe('three days without a run', () => {
  let on: CronDesk
  const AWAY = MIDNIGHT + HOUR_MS
  const BACK = AWAY + 3 * DAY_MS

  beforeAll(async () => {
    on = desk(httpSource() + csvSource)
    for (let at = MIDNIGHT; at <= BACK + 2 * HOUR_MS; at += QUARTER) {
      if (at < AWAY || at >= BACK) {
        on.goTo(at)
        const { code, stderr } = await on.latency()
        expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      }
      trade(on, at)
    }
  })
  afterAll(() => on.remove())

  test('the ticks that nobody wrote are written on return, each behind the csv rows that are older', async () => {
    const facts = await factsOf(on.dataDir, topics.sample)
    const ticks = facts.flatMap(({ value }) => (value.type === 'tick' ? [value.at] : []))
    const missed = Array.from({ length: (BACK - AWAY) / MINUTE_MS }, (_, i) => AWAY + i * MINUTE_MS)
    expect(missed.filter((at) => !ticks.includes(at))).toEqual([])
    expect(ticks).toEqual(ticks.toSorted((a, b) => a - b))
    let newestTickAt = Number.NEGATIVE_INFINITY
    const late: string[] = []
    for (const { key, value } of facts)
      if (value.type === 'tick') newestTickAt = value.at
      else if (key === 'signals' && value.scheduledAt < newestTickAt) late.push(formatInstant(value.scheduledAt))
    expect(late).toEqual([])
  })

  test('the source of the trading system misses nothing; the router has an empty window for every hour', async () => {
    const windows = await windowsOf(on)
    const of = (source: string) =>
      windows.filter((window) => window.source === source && window.startAt >= AWAY && window.startAt < BACK)
    expect(of('signals').map(({ count, late }) => [count, late])).toEqual(Array.from({ length: 72 }, () => [4, false]))
    expect(of('router').map(({ count, verdict }) => [count, verdict])).toEqual(
      Array.from({ length: 72 }, () => [0, 'insufficient']),
    )
  })

  test('the silence of the router is told in gaps, up to its last missed slot', async () => {
    const gaps = (await factsOf(on.dataDir, topics.window)).flatMap(({ value }) =>
      value.type === 'gap' ? [value] : [],
    )
    expect(new Set(gaps.map(({ source, firstSlotAt }) => `${source} ${firstSlotAt}`))).toEqual(
      new Set([`router ${AWAY}`]),
    )
    expect(gaps.map(({ slotAt, missingCount }) => [slotAt, missingCount])).toEqual(
      gaps.map(({ missingCount }) => [AWAY + (missingCount - 1) * QUARTER, missingCount]),
    )
    expect(gaps.at(-1)).toMatchObject({ slotAt: BACK - QUARTER, missingCount: 3 * 96 })
  })

  test('one no_data alert was opened in that time, and is resolved once the router answers again', async () => {
    const alerts = (await factsOf(on.dataDir, topics.alert)).map(({ value }) => value)
    const silence = alerts.filter(({ about, source }) => about === 'no_data' && source === 'router')
    expect(new Set(silence.map(({ alertId }) => alertId)).size).toBe(1)
    expect(silence[0]).toMatchObject({ kind: 'opened', severity: 'warning' })
    expect(silence.at(-1)).toMatchObject({ kind: 'resolved' })
    expect(silence.at(-1)!.eventAt).toBeGreaterThanOrEqual(BACK)
    expect(silence.some(({ kind, severity }) => kind === 'escalated' && severity === 'critical')).toBe(true)
  })

  test('a replay gives the same', async () => {
    const { code, stdout } = await runBin(['replay', '--check'], { cwd: on.dataDir })
    expect({ code, verdict: JSON.parse(stdout || '{}').verdict }).toEqual({ code: 0, verdict: 'equal' })
  })
})

describe('rotation', () => {
  const ARCHIVE = 'ops/signal_latency_archive'
  const archived = (on: CronDesk) => Object.keys(filesBelow(`${on.dataDir}/${ARCHIVE}`))

  test('the first run of a day moves the rows of the day before into a file of its own, and lists its checksum', async () => {
    const on = desk(csvSource, MIDNIGHT - HOUR_MS)
    for (let at = MIDNIGHT - HOUR_MS; at <= MIDNIGHT + QUARTER; at += QUARTER) {
      on.goTo(at)
      expect((await on.latency()).code).toBe(0)
      trade(on, at)
    }
    const file = '2026/06/20260627T000000Z-latency-1.csv'
    expect(archived(on)).toEqual([file, 'SHA256SUMS'])
    expect(on.rows(`${ARCHIVE}/${file}`).map((row) => row.slice(0, 20))).toEqual(
      ['05', '20', '35', '50'].map((minute) => `2026-06-26T23:${minute}:00Z`),
    )
    expect(on.rows('ops/signal_latency.csv').map((row) => row.slice(0, 20))).toEqual(['2026-06-27T00:05:00Z'])
    expect(on.read(`${ARCHIVE}/SHA256SUMS`)).toBe(`${sha256Hex(Buffer.from(on.read(`${ARCHIVE}/${file}`)))}  ${file}\n`)
    on.remove()
  })

  test('an archive file goes when its newest row is older than the retention', async () => {
    const on = desk(csvSource)
    const kept: number[] = []
    for (let day = 0; day <= 5; day++) {
      trade(on, MIDNIGHT + day * DAY_MS)
      on.goTo(MIDNIGHT + day * DAY_MS + 6 * HOUR_MS)
      expect((await on.latency('--raw-retention-days', '3')).code).toBe(0)
      kept.push(archived(on).filter((path) => path.endsWith('.csv')).length)
    }
    expect(kept).toEqual([0, 1, 2, 2, 2, 2])
    expect(on.read(`${ARCHIVE}/SHA256SUMS`).trim().split('\n')).toHaveLength(2)
    on.remove()
  })
})
