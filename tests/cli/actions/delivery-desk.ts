import { expect } from '@jest/globals'
import { runCli } from '#cli/run-cli.ts'
import { openCodec } from '#lib/codec/avro.ts'
import type { DeliveryDecision, DeliveryFact, DeliveryOutcome, MessageName } from '#lib/delivery/facts.ts'
import { Ledger } from '#lib/delivery/ledger.ts'
import { messageName } from '#lib/delivery/message-name.ts'
import type { Alert } from '#lib/facts.ts'
import { alertKey } from '#lib/keys.ts'
import { openEmbeddedRegistry } from '#lib/registry/embedded.ts'
import { systemClock } from '#lib/runtime/clock.ts'
import { loadConfig } from '#lib/runtime/load-config.ts'
import { derivedHeaders } from '#lib/runtime/record-headers.ts'
import { HOUR_MS } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { CapturedText } from '#tests/support/captured-context.ts'
import { freshDesk } from '#tests/support/desk.ts'
import { factsOf, openDeskLog } from '#tests/support/desk-log.ts'
import { openReceiver, type Receiver } from '#tests/support/receiver.ts'

export const OPS_SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
export const PD_KEY = 'R0123456789ABCDEFGHIJKLMNOPQRSTU'
const OPS_PATH = '/hooks/ops-path-nobody-knows'
const SLACK_PATH = '/services/T0/B0/slack-path-nobody-knows'
/** Whatever is printed or recorded holds none of them. */
export const SECRETS = [OPS_SECRET, PD_KEY, OPS_PATH, SLACK_PATH]

export const ALERT = 'breach/p95/router_demo/2026-06-27T20:00:00Z'

/** How a command ended. */
export interface CommandEnd {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  readonly summary: Record<string, unknown>
}

/** A desk with a log and a channel of each kind, all of them at one receiver. */
export interface DeliveryDesk {
  readonly dataDir: string
  readonly receiver: Receiver
  /** @param env instead of the variables that hold every secret */
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<CommandEnd>
  /** Says something in the ledger, as a courier does. */
  claim(...facts: readonly DeliveryFact[]): Promise<void>
  /** Lets the alerter say something, in the order in which it would. */
  raise(...alerts: readonly Alert[]): Promise<void>
  /** sha256 of what the configuration says about a channel. */
  channelConfig(channel: string): string
  ledger(): Promise<readonly DeliveryFact[]>
  /** Bodies that came, in order. */
  bodies(): readonly Record<string, unknown>[]
}

export async function openDeliveryDesk(): Promise<DeliveryDesk> {
  const receiver = await openReceiver()
  const dataDir = freshDesk(
    `sources:
  - {id: router_demo, kind: http, url: "http://127.0.0.1:9/ping", labels: {desk: fx}}
channels:
  ops: {kind: webhook, url_env: OPS_URL, secret_env: OPS_SECRET}
  pd: {kind: pagerduty, key_env: PD_KEY, url: "${receiver.url('/v2/enqueue')}"}
  slack: {kind: slack, url_env: SLACK_URL}
routes: {warning: [ops], critical: [ops, pd]}
`,
    'rules:\n  - {id: p95, match: "*", threshold_ms: 100}\ndelivery: {fallback: slack, allow_hosts: ["127.0.0.1"]}\n',
  )
  const all = { OPS_URL: receiver.url(OPS_PATH), OPS_SECRET, PD_KEY, SLACK_URL: receiver.url(SLACK_PATH), USER: 'mika' }
  const run: DeliveryDesk['run'] = async (args, env = all) => {
    const [stdout, stderr] = [new CapturedText(), new CapturedText()]
    const code = await runCli(args, { stdout, stderr, env, cwd: dataDir, clock: systemClock })
    const summary = stdout.text.startsWith('{') ? JSON.parse(stdout.text) : {}
    for (const secret of SECRETS) expect(stdout.text + stderr.text).not.toContain(secret)
    return { code, stdout: stdout.text, stderr: stderr.text, summary }
  }
  expect(await run(['topics', 'apply'])).toMatchObject({ code: 0 })
  return {
    dataDir,
    receiver,
    run,
    claim: (...facts) => claim(dataDir, facts),
    raise: (...alerts) => raise(dataDir, alerts),
    channelConfig: (channel) =>
      loadConfig({ dataDir, env: all }).config.channels.find(({ name }) => name === channel)!.configSha256,
    ledger: async () => (await factsOf(dataDir, topics.delivery)).map(({ value }) => value),
    bodies: () => receiver.received.map(({ body }) => JSON.parse(body.toString())),
  }
}

async function claim(dataDir: string, facts: readonly DeliveryFact[]): Promise<void> {
  const log = openDeskLog(dataDir)
  try {
    const codec = await openCodec(topics.delivery, openEmbeddedRegistry(log.schemas))
    await (await Ledger.open(log, codec, { partition: 0, sinceAt: 0 })).claim(facts)
  } finally {
    await log.close()
  }
}

async function raise(dataDir: string, alerts: readonly Alert[]): Promise<void> {
  const log = openDeskLog(dataDir)
  try {
    const codec = await openCodec(topics.alert, openEmbeddedRegistry(log.schemas))
    const [place] = await log.offsets(topics.alert.name)
    await log.append(
      topics.alert.name,
      0,
      alerts.map((alert, i) => ({
        key: Buffer.from(alertKey(alert.alertId, alert.sequence)),
        value: codec.encode(alert),
        headers: derivedHeaders([place!.end + i], { offset: place!.end + i, crc: '00000000' }),
      })),
    )
  } finally {
    await log.close()
  }
}

/** A transition of the one alert, or of another. */
export function transition(kind: Alert['kind'], sequence: number, fields: Partial<Alert> = {}): Alert {
  const openedAt = Date.parse('2026-06-27T22:10:00Z')
  const at = openedAt + sequence * HOUR_MS
  return {
    ...{ alertId: ALERT, sequence, kind, about: 'breach', severity: 'critical', ruleId: 'p95', source: 'router_demo' },
    ...{ decidedAt: at, eventAt: at, openedAt, reason: `it was ${kind}`, streak: 2, thresholdMs: 100 },
    ...{ plan: '0'.repeat(64), evidence: [] },
    ...fields,
  }
}

/** A message about a transition of the one alert. */
export function nameOf(channel: string, sequence = '0001'): MessageName {
  return messageName('local', `${ALERT}/${sequence}`, channel)
}

export function decided(name: MessageName, fields: Partial<DeliveryDecision> = {}): DeliveryDecision {
  return {
    ...{ type: 'decision', ...name, decidedAt: Date.now(), send: true, code: 'routed', reason: 'the route names it' },
    ...{ commands: [], channelConfig: 'c', messageType: 'obs.alert.opened', body: '{"b":1}', dryRun: false },
    ...fields,
  }
}

/** An attempt of a courier, told from its beginning to its end. */
export function attempted(name: MessageName, attempt: number, end: Partial<DeliveryOutcome>): readonly DeliveryFact[] {
  const at = Date.now()
  const done = { durationMs: 1, result: 'retry', status: 503, detail: null, nextAttemptAt: null } as const
  return [
    { type: 'intent', ...name, attempt, at, courier: 'a courier' },
    { type: 'outcome', ...name, attempt, at, ...done, ...end },
  ]
}
