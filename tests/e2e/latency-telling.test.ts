import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { exitCodes } from '#lib/errors.ts'
import { HOUR_MS, MINUTE_MS } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { runBin } from '#tests/support/bin.ts'
import { CronDesk, CSV_HEADER, csvRow } from '#tests/support/desk-cron.ts'
import { factsOf } from '#tests/support/desk-log.ts'
import { answering, inTurn, openReceiver, type Receiver } from '#tests/support/receiver.ts'

jest.setTimeout(90_000)

/** `obstream latency` tells people; with a dry run it writes what it would say. */

const NOON = Date.UTC(2026, 5, 27, 12)
const QUARTER = 15 * MINUTE_MS
const SIGNALS = 'inputs/signals.csv'
const MAIN = `sources:
  - {id: signals, kind: csv, path: ${SIGNALS}, interval: 15m}
channels:
  ops: {kind: webhook, url_env: OPS_URL, secret_env: OPS_SECRET}
routes: {warning: [ops], critical: [ops]}
`
const RULES = `rules:
  - {id: latency_p95, match: "*", threshold_ms: 5000, min_samples: 3}
delivery: {max_retries: 0, allow_hosts: [127.0.0.1]}
`
const SECRET = `whsec_${Buffer.alloc(32, 1).toString('base64')}`
const JOB = '20260627T141500Z-latency'

let desk: CronDesk
let receiver: Receiver

/** A desk with two slow hours behind it; the run that decides the warning is the next one. */
beforeEach(async () => {
  receiver = await openReceiver()
  desk = new CronDesk(MAIN, NOON, RULES, secrets())
  desk.put(SIGNALS, CSV_HEADER)
  for (let i = 0; i < 9; i++) {
    desk.goTo(NOON + i * QUARTER)
    expect(await desk.latency()).toMatchObject({ code: 0 })
    desk.append(SIGNALS, csvRow('signals', NOON + i * QUARTER, 7_000 + i))
  }
  expect(receiver.received.length).toBe(0)
  desk.goTo(NOON + 2 * HOUR_MS + QUARTER)
})
afterEach(async () => {
  desk.remove()
  await receiver.close()
})

const secrets = () => ({ OPS_URL: receiver.url('/hook'), OPS_SECRET: SECRET })
const requestsOf = (): unknown => JSON.parse(readFileSync(join(desk.dataDir, `out/latency_alerts/${JOB}.json`), 'utf8'))
const ledgerKeys = async (): Promise<readonly string[]> =>
  (await factsOf(desk.dataDir, topics.delivery)).map(({ key }) => key)

test('an alert is told by the run that decides it, once', async () => {
  expect(await desk.latency()).toMatchObject({ code: 0 })
  expect(receiver.received.map(({ body }) => JSON.parse(body.toString()).type)).toEqual(['obs.alert.opened'])
  desk.goTo(NOON + 2 * HOUR_MS + 2 * QUARTER)
  expect(await desk.latency()).toMatchObject({ code: 0 })
  expect(receiver.received.length).toBe(1)
})

test('what nobody has taken ends the run with 75, its files are written, and the next run tries again', async () => {
  receiver.follow(answering(503))
  const { code, summary, stderr } = await desk.latency()
  expect({ code, stderr }).toEqual({
    code: exitCodes.tryAgain,
    stderr: expect.stringContaining('OBS_DELIVERY_PENDING'),
  })
  expect(summary).toMatchObject({
    status: 'ok',
    rollups_written: expect.any(Number),
    undelivered: 1,
    delivery_error_code: 'OBS_DELIVERY_PENDING',
  })
  expect(existsSync(join(desk.dataDir, 'ops/signal_latency.csv'))).toBe(true)
  receiver.follow(answering(200))
  desk.goTo(NOON + 5 * HOUR_MS)
  await desk.latency()
  expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBeLessThan(
    receiver.received.length,
  )
})

test('what a receiver refuses ends the run with 78 and the command that sends it again', async () => {
  receiver.follow(answering(400, 'no such hook'))
  const { code, stderr } = await desk.latency()
  expect(code).toBe(exitCodes.configuration)
  expect(stderr).toContain('rejected, no such hook; `obstream deliver msg_')
  receiver.follow(answering(401))
  desk.goTo(NOON + 5 * HOUR_MS)
  desk.append(SIGNALS, [9, 10, 11].map((quarter) => csvRow('signals', NOON + quarter * QUARTER, 9_000)).join(''))
  expect((await desk.latency()).stderr).toContain('; mend its secret, then `obstream deliver msg_')
})

describe('--dry-run-alert', () => {
  test('writes what would be sent, sends nothing, needs no secret, and does not stand in the way of the real message', async () => {
    desk.setEnv({})
    expect(await desk.latency('--dry-run-alert')).toMatchObject({ code: 0 })
    expect(receiver.received.length).toBe(0)
    const tried = requestsOf() as readonly { body: string }[]
    expect(tried).toEqual([
      {
        channel: 'ops',
        type: 'obs.alert.opened',
        message_id: expect.stringMatching(/^msg_/),
        body: expect.any(String),
      },
    ])
    expect(await ledgerKeys()).toEqual([expect.stringMatching(/\/ops\/decision\/dry-run$/)])
    desk.setEnv(secrets())
    desk.goTo(NOON + 2 * HOUR_MS + 2 * QUARTER)
    expect(await desk.latency()).toMatchObject({ code: 0 })
    expect(receiver.received.map(({ body }) => body.toString())).toEqual(tried.map(({ body }) => body))
  })
})

describe('--dry-run', () => {
  test('writes what would be sent, and the ledger stays as it was', async () => {
    expect(await desk.latency('--dry-run')).toMatchObject({ code: 0 })
    expect(receiver.received.length).toBe(0)
    expect(requestsOf()).toHaveLength(1)
    expect(await ledgerKeys()).toEqual([])
  })
})

describe('a replay', () => {
  test.each([['--check'], ['--to', 'elsewhere']])(
    '%s of a log with an alert that nobody was told of tells nobody, though it could',
    async (...flags) => {
      expect(await desk.latency('--dry-run-alert')).toMatchObject({ code: 0 })
      const ledger = await factsOf(desk.dataDir, topics.delivery)
      const { code, stderr } = await runBin(['replay', ...flags], { cwd: desk.dataDir, env: secrets() })
      expect({ code, stderr }).toMatchObject({ code: 0 })
      expect(receiver.received.length).toBe(0)
      expect(await factsOf(desk.dataDir, topics.delivery)).toEqual(ledger)
      desk.goTo(NOON + 2 * HOUR_MS + 2 * QUARTER)
      expect(await desk.latency()).toMatchObject({ code: 0 })
      expect(receiver.received.length).toBe(1)
    },
  )
})

describe('explain', () => {
  const ID = 'breach/latency_p95/signals/2026-06-27T12:00:00Z'

  test('tells what was decided, from what, why not earlier, and what was sent', async () => {
    receiver.follow(inTurn(answering(503), answering(200)))
    await desk.latency()
    const explain = async () => (await runBin(['explain', ID], { cwd: desk.dataDir })).stdout
    const before = await explain()
    expect(before).toContain(`${ID}\nopen, warning, since 2026-06-27T14:10:00Z`)
    expect(before).toContain('signals/2026-06-27T13:00:00Z/r0  breach  p95 7007 ms  n 4  errors 0')
    expect(before).toMatch(/Why not earlier\n.*2026-06-27T12:00:00Z – 13:00:00Z.*1 of 2/)
    expect(before).toMatch(
      /0000 opened → ops: not delivered yet, next attempt due since 2026-06-27T14:15:10Z; the route warning names this/,
    )
    expect(before).toMatch(/attempt 1 at 2026-06-27T14:15:00Z: retry \(503\)/)
    desk.goTo(NOON + 3 * HOUR_MS + QUARTER)
    await desk.latency()
    expect(await explain()).toMatch(/0000 opened → ops: delivered/)
  })

  test('tells who sent a message by hand, and why', async () => {
    receiver.follow(inTurn(answering(503), answering(200)))
    await desk.latency()
    const run = (...args: readonly string[]) => runBin(args, { cwd: desk.dataDir, env: secrets() })
    const [messageId] = /msg_[0-9a-f]{32}/.exec((await run('explain', ID)).stdout)!
    expect(await run('deliver', messageId, '--by', 'ann', '--reason', 'it is back')).toMatchObject({ code: 0 })
    expect((await run('explain', ID)).stdout).toMatch(/attempt 2 by hand \(ann: it is back\) at \S+Z: accepted \(200\)/)
  })

  test('of an alert that nobody knows lists those there are', async () => {
    await desk.latency()
    const { code, stderr } = await runBin(['explain', 'breach/latency_p95/signals/1999'], { cwd: desk.dataDir })
    expect(code).toBe(exitCodes.badData)
    expect(stderr).toContain(ID)
  })
})
