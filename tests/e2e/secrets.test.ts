import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { HOUR_MS, MINUTE_MS } from '#lib/time.ts'
import { type Ended, runBin, startBin } from '#tests/support/bin.ts'
import { CronDesk, CSV_HEADER, csvRow } from '#tests/support/desk-cron.ts'
import { eventually } from '#tests/support/eventually.ts'
import { openReceiver, type Receiver } from '#tests/support/receiver.ts'

jest.setTimeout(90_000)

/** Receivers that repeat whatever they were sent, and everything that obstream leaves behind, searched for its secrets. */

const NOON = Date.UTC(2026, 5, 27, 12)
const QUARTER = 15 * MINUTE_MS
const SIGNALS = 'inputs/signals.csv'
const SIGNING = Buffer.alloc(32, 'signing').toString('base64')
const PREVIOUS = Buffer.alloc(32, 'the one before').toString('base64')
const ROUTING_KEY = 'fedcba9876543210fedcba9876543210'
const PATHS = { webhook: '/hook/token-of-the-hook', slack: '/services/T0/B0/token-of-slack' }
const secrets = [SIGNING, PREVIOUS, ROUTING_KEY, 'token-of-the-hook', 'token-of-slack']

let receiver: Receiver
let desk: CronDesk
let env: Record<string, string>

beforeEach(async () => {
  receiver = await openReceiver()
  receiver.follow(({ path, headers, body }) => ({
    do: 'answer',
    status: 400,
    body: `${path} ${JSON.stringify(headers)} ${body}`,
  }))
  env = {
    OPS_URL: receiver.url(PATHS.webhook),
    OPS_SECRET: `whsec_${SIGNING}`,
    OPS_SECRET_PREVIOUS: `whsec_${PREVIOUS}`,
    PD_KEY: ROUTING_KEY,
    CHAT_URL: receiver.url(PATHS.slack),
  }
  desk = new CronDesk(
    `sources:
  - {id: signals, kind: csv, path: ${SIGNALS}, interval: 15m}
channels:
  ops: {kind: webhook, url_env: OPS_URL, secret_env: OPS_SECRET}
  pd: {kind: pagerduty, url: "${receiver.url('/v2/enqueue')}", key_env: PD_KEY}
  chat: {kind: slack, url_env: CHAT_URL}
routes: {warning: [ops, pd, chat], owner: [chat]}
page: {bind: "127.0.0.1:0"}
`,
    NOON,
    `rules:
  - {id: latency_p95, match: "*", threshold_ms: 5000, min_samples: 3}
delivery: {max_retries: 0, allow_hosts: [127.0.0.1]}
`,
    env,
  )
  desk.put(SIGNALS, CSV_HEADER)
  for (let i = 0; i < 9; i++) {
    desk.goTo(NOON + i * QUARTER)
    await desk.latency()
    desk.append(SIGNALS, csvRow('signals', NOON + i * QUARTER, 7_000 + i))
  }
  desk.goTo(NOON + 2 * HOUR_MS + QUARTER)
})
afterEach(async () => {
  desk.remove()
  await receiver.close()
})

/** Everything below the data directory, byte for byte. */
function filesOfDesk(): readonly string[] {
  return readdirSync(desk.dataDir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
}

const found = (texts: readonly string[]): readonly string[] =>
  secrets.filter((secret) => texts.some((text) => text.includes(secret)))

test('no secret is in the log, the ledger, files, output, errors, dry runs or process titles, whatever receivers answer', async () => {
  const dryRun = await desk.latency('--dry-run-alert')
  const run = await desk.latency()
  expect(receiver.received.length).toBe(3)
  const commands = [
    ['status', '--json'],
    ['status'],
    ['channels'],
    ['channels', 'test', 'ops', '--reason', 'try'],
    ['channels', 'test', 'pd', '--reason', 'try'],
    ['channels', 'test', 'chat', '--reason', 'try'],
    ['tail', 'delivery'],
    ['config', 'check'],
  ]
  const ended: Ended[] = []
  for (const command of commands) ended.push(await runBin(command, { cwd: desk.dataDir, env }))
  expect(found([run, dryRun, ...ended].map((end) => JSON.stringify(end)))).toEqual([])
  expect(found(filesOfDesk())).toEqual([])
  // The receivers did repeat them, so there was something to hide.
  expect(found(receiver.received.map(({ path, body }) => `${path} ${body}`))).toEqual(secrets.slice(2))
})

test('nor in the title of a service', async () => {
  const up = startBin(['up'], { cwd: desk.dataDir, env })
  try {
    let stderr = ''
    up.stderr!.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    await eventually(() => stderr.includes('obstream runs') || stderr.includes(' runs; http'), 30_000)
    expect(found([readFileSync(`/proc/${up.pid}/cmdline`, 'latin1'), stderr])).toEqual([])
  } finally {
    const closed = new Promise((resolve) => up.once('close', resolve))
    up.kill('SIGTERM')
    await closed
  }
})
