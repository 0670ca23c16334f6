import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { runToEnd } from '#lib/runtime/run-to-end.ts'
import { MINUTE_MS } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { alerter } from '#services/alerter/service.ts'
import { writeWindows } from './alerter/windows.ts'
import { openBenchLog } from './bench-log.ts'
import { runChild } from './child.ts'
import { type AlertmanagerRun, alertmanagerVersion, runAlertmanager } from './deliveries/alertmanager.ts'
import type { CourierRun } from './deliveries/courier.ts'
import { createDesk, openDesk, secretsFor } from './deliveries/desk.ts'
import { FastReceiver } from './deliveries/fast-receiver.ts'
import { assertDelivered, messagesIn, type Sent, sentAmong } from './deliveries/ledger.ts'
import type { PlainRun } from './deliveries/plain-posts.ts'
import { count, markdownTable, rate } from './results.ts'

/**
 * How fast the courier tells a receiver that is fast, and what many open alerts cost it. Prints its section of the results.
 *
 * `node bench/deliveries.ts [ALERTS OPEN]` takes other numbers, for a first look.
 */
const [ALERTS = 3_000, OPEN_ALERTS = 10_000] = process.argv.slice(2).map(Number)
/** Opened by the second, critical by the third, resolved by the fifth. */
const COURSE = [true, true, true, false, false]
const OPENING = [true, true]

/** A log whose transitions were told by one courier. */
interface Told {
  readonly dataDir: string
  readonly sent: readonly Sent[]
  readonly run: CourierRun
  readonly connections: number
}

const receiver = await FastReceiver.open()
Object.assign(process.env, secretsFor(receiver.url))
try {
  console.log(`${await throughput()}\n\n${await manyOpen()}`)
} finally {
  await receiver.close()
}

async function throughput(): Promise<string> {
  const told = await tell(ALERTS, COURSE)
  try {
    const { sent, run, connections } = told
    const plain = await postPlainly(told)
    const alertmanager = await byAlertmanager(told)
    return `${count(ALERTS)} alerts that open, become critical and end: ${count(sent.length)} transitions wait in the log, one webhook is told. One courier in
a process of its own on the SQLite log; each message is a decision, an intent and an outcome in the ledger, durable one before the
next. The receiver, in another process, got each of them once, byte for byte as decided. Beside it: undici posts the same bodies,
over as many connections as the courier has opened, and keeps no ledger; Alertmanager is given as many alerts in one request, each a
group of its own, and keeps a log of notifications that it writes to the disk now and then.

${markdownTable([
  ['', 'messages', 'connections', 'wall', 'CPU', 'peak RSS', 'messages a second'],
  rowOf('courier', { run, messages: sent.length, connections }),
  rowOf('undici, plain POSTs', { ...plain, messages: sent.length }),
  alertmanager,
])}

The courier reaches ${((100 * plain.run.seconds) / run.seconds).toFixed(0)} % of plain POSTs.`
  } finally {
    rmSync(told.dataDir, { recursive: true, force: true })
  }
}

async function manyOpen(): Promise<string> {
  const { dataDir, sent, run } = await tell(OPEN_ALERTS, OPENING)
  try {
    const again = await runChild<CourierRun>(new URL('deliveries/courier.ts', import.meta.url), [dataDir])
    const { arrivals } = receiver.take()
    if (arrivals.length > 0) throw new Error(`a courier that starts again has told ${arrivals.length} messages again`)
    return `${count(sent.length)} alerts are open at once.

${markdownTable([
  ['', 'until settled', 'CPU', 'peak RSS'],
  ['courier that tells of all of them', ...columnsOf(run)],
  ['courier that starts again; nothing is told', ...columnsOf(again)],
])}`
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
}

/** Makes a log, and lets a courier tell what is in it. @param course whether each window is a breach */
async function tell(alerts: number, course: readonly boolean[]): Promise<Told> {
  const dataDir = createDesk('', '{id: latency_p95, match: "*", threshold_ms: 140}')
  await writeTransitions(join(dataDir, 'log/obstream.db'), alerts, course)
  const run = await runChild<CourierRun>(new URL('deliveries/courier.ts', import.meta.url), [dataDir])
  const { arrivals, connections } = receiver.take()
  const env = await openDesk(dataDir)
  const sent = sentAmong(await messagesIn(env))
  const { end } = (await env.log.offsets(topics.alert.name))[0]!
  await env.close()
  if (sent.length !== end) throw new Error(`of ${end} transitions ${sent.length} were decided to be told`)
  assertDelivered(sent, arrivals)
  return { dataDir, sent, run, connections }
}

/** The transitions that the alerter's own fold makes of windows that were decided in the last minutes: all are news. */
async function writeTransitions(path: string, alerts: number, course: readonly boolean[]): Promise<void> {
  mkdirSync(dirname(path), { recursive: true })
  await writeWindows(path, {
    sourceCount: alerts,
    windowCount: course.length,
    beginAt: Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS - 20 * MINUTE_MS,
    lengthMs: MINUTE_MS,
    isBad: (_, window) => course[window]!,
  })
  const bench = await openBenchLog(path)
  await runToEnd(alerter, bench)
  await bench.log.close()
}

type Run = CourierRun | PlainRun | AlertmanagerRun

interface Posted {
  readonly run: Run
  readonly connections: number
}

async function postPlainly({ dataDir, sent, connections }: Told): Promise<Posted> {
  const path = join(dataDir, 'bodies.json')
  writeFileSync(path, JSON.stringify(sent.map(({ body }) => body)))
  const args = [receiver.url, path, String(connections)]
  const run = await runChild<PlainRun>(new URL('deliveries/plain-posts.ts', import.meta.url), args)
  const { arrivals, ...seen } = receiver.take()
  if (!isSame(sent, arrivals)) throw new Error('plain POSTs have brought something else')
  return { run, ...seen }
}

/** Its row. */
async function byAlertmanager({ dataDir, sent }: Told): Promise<readonly string[]> {
  const version = alertmanagerVersion()
  if (version === null)
    return ['Alertmanager', 'MISSING: `apt-get install prometheus-alertmanager`', ...Array(5).fill('')]
  const run = await runAlertmanager(dataDir, sent.length, receiver)
  const { arrivals, ...seen } = receiver.take()
  const told = new Set(arrivals.map(({ body }) => JSON.parse(body).commonLabels.source))
  if (told.size !== sent.length || arrivals.length !== sent.length)
    throw new Error('Alertmanager has told something else')
  return rowOf(`Alertmanager ${version}`, { run, messages: sent.length, ...seen })
}

type WithBody = { readonly body: string }

function isSame(some: readonly WithBody[], others: readonly WithBody[]): boolean {
  const sorted = (list: readonly WithBody[]): string => JSON.stringify(list.map(({ body }) => body).toSorted())
  return sorted(some) === sorted(others)
}

function rowOf(name: string, { run, ...posted }: Posted & { readonly messages: number }): readonly string[] {
  const { messages, connections } = posted
  const figures = [messages, connections].map(count)
  return [name, ...figures, ...columnsOf(run), rate(messages / run.seconds)]
}

function columnsOf({ seconds, cpuSeconds, peakRssMiB }: Run): readonly string[] {
  return [`${seconds.toFixed(1)} s`, `${cpuSeconds.toFixed(1)} s`, `${count(peakRssMiB)} MiB`]
}
