import { describe, expect, test } from '@jest/globals'
import type { ConfigFault } from '#lib/config.ts'
import { ConfigError } from '#lib/runtime/config-faults.ts'
import { type LoadConfigOptions, loadConfig } from '#lib/runtime/load-config.ts'
import { freshDesk } from '#tests/support/desk.ts'

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
const KEY = 'R0123456789ABCDEFGHIJKLMNOPQRSTU'
const MAIN = `sources: [{id: router_demo, kind: http, url: "http://127.0.0.1:9/"}]
channels:
  ops: {kind: webhook, url_env: OPS_URL, secret_env: OPS_SECRET}
  pd: {kind: pagerduty, key_env: PD_KEY}
  chat: {kind: slack, url_env: CHAT_URL}
  spare: {kind: slack, url_env: SPARE_URL}
routes: {warning: [ops], critical: [ops, pd]}
`
const alertOf = (allowHosts: readonly string[]): string =>
  `rules: [{id: p95, match: "*", threshold_ms: 100}]\ndelivery: {fallback: chat, allow_hosts: ${JSON.stringify(allowHosts)}}\n`

const GOOD = {
  OPS_URL: 'https://hooks.example/hunter2',
  OPS_SECRET: SECRET,
  PD_KEY: KEY,
  CHAT_URL: 'https://hooks.slack.example/services/T0/B0/hunter2',
}

interface Desk {
  readonly env?: Readonly<Record<string, string>>
  readonly main?: string
  readonly allowHosts?: readonly string[]
  readonly sends?: LoadConfigOptions['sends']
}

function faultsOf({ env = GOOD, main = MAIN, allowHosts = [], sends = 'perhaps' }: Desk): readonly ConfigFault[] {
  try {
    loadConfig({ dataDir: freshDesk(main, alertOf(allowHosts)), env, sends: sends as never })
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    expect(error.exitCode).toBe(78)
    expect(`${error.message}${JSON.stringify(error.faults)}`).not.toContain('hunter2')
    return error.faults
  }
}

const told = (desk: Desk): readonly string[] => faultsOf(desk).map(({ key, message }) => `${key}: ${message}`)

describe('a channel that could never be sent to is a fault, which says what to write', () => {
  test.each([
    ['hooks.example/hunter2', 'the URL cannot be read'],
    ['hooks.example:8080/hunter2', 'the URL is not one of https'],
    ['http://hooks.example/hunter2', 'the URL is one of plain http, and delivery.allow_hosts does not name its host'],
    ['https://me:hunter2@hooks.example/', 'the URL holds a user or a password'],
    ['https://10.0.0.5/hunter2', 'the URL holds a private address, and delivery.allow_hosts does not name it'],
    ['https://[::1]/hunter2', 'the URL holds a loopback address, and delivery.allow_hosts does not name it'],
  ])('a URL in a variable: %s', (OPS_URL, why) => {
    for (const sends of ['perhaps', true, ['ops']] as const)
      expect(told({ env: { ...GOOD, OPS_URL }, sends })).toEqual([
        expect.stringMatching(
          /^channels\.ops\.url_env: nothing can be sent to what OPS_URL holds: .*; write all of it, https:\/\/ first/,
        ),
      ])
    expect(told({ env: { ...GOOD, OPS_URL } })[0]).toContain(why)
  })

  test('the URL of PagerDuty in the file', () => {
    const main = MAIN.replace('key_env: PD_KEY', 'key_env: PD_KEY, url: "http://10.0.0.5/v2/enqueue"')
    expect(told({ main })).toEqual([expect.stringContaining('channels.pd.url: the URL is one of plain http')])
    expect(told({ main, allowHosts: ['10.0.0.5'] })).toEqual([])
  })

  test.each(['hunter2', KEY.slice(1), `${KEY}X`, KEY.replace('R', '-')])('a key of PagerDuty: %s', (PD_KEY) => {
    const faults = faultsOf({ env: { ...GOOD, PD_KEY } })
    expect(faults).toEqual([
      expect.objectContaining({
        key: 'channels.pd.key_env',
        message: expect.stringContaining('is not 32 letters and digits'),
      }),
    ])
    expect(JSON.stringify(faults)).not.toContain(PD_KEY)
  })

  test('a secret that cannot sign, or the one before it', () => {
    expect(told({ env: { ...GOOD, OPS_SECRET: 'short' } })).toEqual([
      expect.stringContaining('the secret in OPS_SECRET'),
    ])
    expect(told({ env: { ...GOOD, OPS_SECRET_PREVIOUS: 'short' } })).toEqual([
      expect.stringContaining('the secret in OPS_SECRET_PREVIOUS'),
    ])
  })

  test('a file of a secret that cannot be read', () => {
    const { CHAT_URL: _, ...env } = GOOD
    expect(told({ env: { ...env, CHAT_URL_FILE: '/nowhere/at/all' } })).toEqual([
      expect.stringContaining('CHAT_URL_FILE names /nowhere/at/all, which cannot be read'),
    ])
  })

  test.each([
    ['https://hooks.example/', 'is no host, so it allows nothing; write "hooks.example", no scheme and no path'],
    ['http://me:hunter2@10.0.0.5:8080/hunter2', 'write "10.0.0.5:8080"'],
    ['hooks.example/hunter2', 'write "hooks.example"'],
    ['http://[fd00::5]/', 'write "[fd00::5]"'],
    ['*.example', 'is no host; write "host" or "host:port"'],
    ['hooks.example:99999', 'is no host; write "host" or "host:port"'],
  ])('a host that cannot be allowed, whoever asks: %s', (entry, why) => {
    for (const sends of ['perhaps', true, false] as const)
      expect(told({ allowHosts: ['127.0.0.1', entry], sends })).toEqual([
        expect.stringMatching(/^delivery\.allow_hosts\[1\]: is no host/),
      ])
    expect(told({ allowHosts: [entry] })[0]).toContain(why)
  })
})

describe('no fault', () => {
  test('is what the operator vouches for', () => {
    const env = { ...GOOD, OPS_URL: 'http://10.0.0.5:8080/hook', CHAT_URL: 'http://localhost/hook' }
    expect(told({ env, allowHosts: ['10.0.0.5:8080', 'localhost'] })).toEqual([])
  })

  test('is a channel that nothing is sent to, whatever its variable holds', () => {
    expect(told({ env: { ...GOOD, SPARE_URL: 'hunter2' }, sends: true })).toEqual([])
    expect(told({ env: { ...GOOD, OPS_URL: 'hunter2' }, sends: false })).toEqual([])
  })

  test('is a variable that is not set, unless something will be sent', () => {
    expect(told({ env: {} })).toEqual([])
    expect(told({ env: {}, sends: true })).toHaveLength(4)
  })
})
