import { copyFileSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import type { Listening } from '#examples/router-demo/listen.ts'
import { demoVariables, opsSecrets, startReceivers } from '#examples/router-demo/receivers.ts'
import { signMessage } from '#lib/delivery/signature.ts'
import { DEFAULT_ALERT_CONFIG_PATH, DEFAULT_CONFIG_PATH, loadConfig } from '#lib/runtime/load-config.ts'
import { parseInstant } from '#lib/time.ts'
import { composeSlack } from '#services/alerter/messages/slack.ts'
import { composeWebhook } from '#services/alerter/messages/webhook.ts'

const NOW = parseInstant('2026-06-27T23:10:05Z')!
const CURRENT = 'whsec_dGhlIHNlY3JldCB0aGF0IGlzIHJpZ2h0IG5vdw=='
const PREVIOUS = 'whsec_dGhlIHNlY3JldCB0aGF0IHdhcyByaWdodCBiZWZvcmU='
const OTHER = 'whsec_YSBzZWNyZXQgb2Ygc29tZWJvZHkgZWxzZSBlbnRpcmVseQ=='

const NOTICE = { kind: 'test', channel: 'a <b> & c', by: 'ann', at: NOW } as const
const CONTEXT = { env: 'demo', locale: 'en', displayTimeZone: 'UTC', publicUrl: null, labelsOf: () => ({}) } as const
const TOLD = 'TEST of channel a <b> & c, asked for by ann. Nothing is wrong.'

let receivers: Listening
let printed: string[]

beforeEach(async () => {
  printed = []
  receivers = await startReceivers({
    port: 0,
    secrets: { current: CURRENT, previous: PREVIOUS },
    print: (line) => printed.push(line),
    now: () => NOW,
  })
})

afterEach(() => receivers.stop())

async function post(path: string, body: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${receivers.origin}${path}`, { method: 'POST', body, headers })
  return { status: response.status, answer: await response.text() }
}

const signed = (secret: string, body: string): Record<string, string> =>
  signMessage({ id: 'msg_1', at: NOW, body }, { current: secret })

test.each([
  ['the secret', CURRENT],
  ['the one before it', PREVIOUS],
])('a message signed with %s is printed in one line, with how it was checked and its id', async (_which, secret) => {
  const { body } = composeWebhook(NOTICE, CONTEXT)
  expect(await post('/ops', body, signed(secret, body))).toEqual({ status: 200, answer: 'ok\n' })
  expect(printed).toEqual([`23:10:05  received  ops  ${TOLD} — signature right (webhook-signature), msg_1`])
})

test('a wrong signature is printed as such, nothing of the message is, and it is answered 401', async () => {
  const { body } = composeWebhook(NOTICE, CONTEXT)
  const refused = { status: 401, answer: 'signature wrong\n' }
  expect(await post('/ops', body, signed(OTHER, body))).toEqual(refused)
  expect(await post('/ops', `${body} `, signed(CURRENT, body))).toEqual(refused)
  expect(await post('/ops', body)).toEqual(refused)
  const wrong = '23:10:05  received  ops  signature wrong, answered 401: '
  expect(printed).toEqual([
    `${wrong}no signature of webhook-signature fits: another secret, or something was changed`,
    `${wrong}no signature of webhook-signature fits: another secret, or something was changed`,
    `${wrong}there is neither webhook-signature nor x-obs-signature`,
  ])
})

test('the chat prints what Slack would show, and answers as it does', async () => {
  expect(await post('/chat', composeSlack(NOTICE, CONTEXT).body)).toEqual({ status: 200, answer: 'ok' })
  expect(printed).toEqual([`23:10:05  received  chat  ${TOLD}`])
})

test.each(['', 'no JSON', 'null', '[]', '{"data": 1}', '{"data": {"alerts": [null]}, "text": 1}'])(
  'what is no message is refused and no fault of ours: %j',
  async (body) => {
    expect(await post('/ops', body, signed(CURRENT, body))).toMatchObject({ status: 400 })
    expect(await post('/chat', body)).toMatchObject({ status: 400 })
    expect(printed).toEqual([
      '23:10:05  received  ops  no message in it, answered 400',
      '23:10:05  received  chat  no text in it, answered 400',
    ])
  },
)

test('a text cannot leave its line or command the terminal', async () => {
  await post('/chat', JSON.stringify({ text: 'one\n\u001b[2J\u009b1Atwo\u2028three' }))
  expect(printed).toEqual(['23:10:05  received  chat  one [2J 1Atwo three'])
})

test('another path or method is not found, and a sender that goes away ends nothing', async () => {
  expect((await fetch(`${receivers.origin}/ops`)).status).toBe(404)
  expect(await post('/else', '')).toMatchObject({ status: 404 })
  await goAwayInTheMiddle()
  expect(await post('/chat', '{"text": "after it"}')).toMatchObject({ status: 200 })
  expect(printed).toEqual(['23:10:05  received  chat  after it'])
})

/** Part of a body, and then the connection is gone. */
function goAwayInTheMiddle(): Promise<void> {
  return new Promise((resolve) => {
    const sending = request(`${receivers.origin}/chat`, { method: 'POST', headers: { expect: '100-continue' } })
    sending.on('continue', () => sending.write('{"te', () => sending.destroy()))
    sending.on('error', () => {})
    sending.on('close', () => resolve())
  })
}

test('a port that is taken is an error that names it', async () => {
  const port = Number(new URL(receivers.origin).port)
  await expect(
    startReceivers({ port, secrets: { current: CURRENT }, print: () => {}, now: () => NOW }),
  ).rejects.toMatchObject({
    code: 'OBS_HTTP_CANNOT_LISTEN',
    message: `the receivers of the demo cannot listen on 127.0.0.1:${port} (EADDRINUSE); stop what listens there`,
  })
})

/** The configuration that the demo starts with, in this environment. */
function demoConfig(env: Record<string, string>) {
  const dataDir = mkdtempSync(join(tmpdir(), 'obstream-demo-'))
  const demo = fileURLToPath(new URL('../../examples/router-demo/', import.meta.url))
  mkdirSync(dirname(join(dataDir, DEFAULT_ALERT_CONFIG_PATH)), { recursive: true })
  copyFileSync(join(demo, 'obstream.yaml'), join(dataDir, DEFAULT_CONFIG_PATH))
  copyFileSync(join(demo, 'latency_alert.yaml'), join(dataDir, DEFAULT_ALERT_CONFIG_PATH))
  return loadConfig({ dataDir, env: demoVariables(env), sends: true })
}

test('in an empty environment the channels of the demo have what they need, and it is what the receivers check with', () => {
  const { config, warnings } = demoConfig({})
  const { current } = opsSecrets(demoVariables({}))
  expect(warnings).toEqual([])
  expect(config.channels).toMatchObject([
    { name: 'ops', kind: 'webhook', url: 'http://127.0.0.1:9001/ops', secret: current },
    { name: 'chat', kind: 'slack', url: 'http://127.0.0.1:9001/chat' },
  ])
  expect(config.routes).toMatchObject({ warning: ['ops'], critical: ['ops', 'chat'] })
})

test('what is set stays: a secret, the file of one, and the secret before it', () => {
  const path = join(mkdtempSync(join(tmpdir(), 'obstream-demo-')), 'secret')
  writeFileSync(path, `${CURRENT}\n`)
  const env = { OBS_DEMO_OPS_SECRET_FILE: path, OBS_DEMO_OPS_SECRET_PREVIOUS: PREVIOUS }
  expect(demoConfig(env).config.channels[0]).toMatchObject({ secret: CURRENT, previousSecret: PREVIOUS })
  expect(opsSecrets(demoVariables(env))).toEqual({ current: CURRENT, previous: PREVIOUS })
})

test('messages to this machine go through no proxy', () => {
  const { proxy } = demoConfig({ HTTP_PROXY: 'http://proxy.example:3128', no_proxy: 'elsewhere.example' }).config
    .delivery
  expect(proxy.none).toBe('127.0.0.1')
})
