import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { ConfigFault } from '#lib/config.ts'
import { isObstreamError } from '#lib/errors.ts'
import { ConfigError } from '#lib/runtime/config-faults.ts'
import { loadConfig } from '#lib/runtime/load-config.ts'
import { freshDesk, VALID_ALERT, VALID_MAIN } from '#tests/support/desk.ts'

function faultsOf(
  main: string | Uint8Array,
  alert: string | Uint8Array = VALID_ALERT,
  env = {},
): readonly ConfigFault[] {
  const dataDir = freshDesk(main, alert)
  try {
    loadConfig({ dataDir, env })
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    expect(error.exitCode).toBe(78)
    for (const fault of error.faults) expect(error.message).toContain(`${fault.file}:${fault.line}:${fault.column} `)
    return error.faults.map((fault) => ({ ...fault, file: fault.file.replace(`${dataDir}/`, '') }))
  }
  throw new Error('there was no fault')
}

describe('text that is no configuration is refused with file, line, key, value and what to write', () => {
  const cases: readonly [string, string | Uint8Array, Partial<ConfigFault>][] = [
    [
      'truncated in a quote',
      'env: demo\nlog: "sqlite:log',
      { line: 2, key: 'log', value: 'log: "sqlite:log', message: expect.stringContaining('ends too early') as never },
    ],
    [
      'truncated in a list',
      'sources: [{id: a, kind: csv',
      { line: 1, key: 'sources', message: expect.stringContaining('close') as never },
    ],
    [
      'indented by a tab',
      'window:\n\tlength: 1h\n',
      { line: 2, column: 1, key: 'length', value: 'length: 1h', message: expect.stringContaining('tab') as never },
    ],
    [
      'a key twice',
      'env: a\nlocale: en\nenv: b\n',
      { line: 3, column: 1, key: 'env', value: 'env: b', message: expect.stringContaining('twice') as never },
    ],
    [
      'the key __proto__',
      'page:\n  __proto__: {bind: x}\n',
      { line: 2, column: 3, key: '__proto__', message: expect.stringContaining('remove') as never },
    ],
    ['the key constructor', 'sources:\n  - {constructor: 1}\n', { line: 2, column: 6, key: 'constructor' }],
    [
      'two documents',
      `${VALID_MAIN}---\nenv: b\n`,
      { line: 3, message: expect.stringContaining('more than one document') as never },
    ],
    [
      'a tag',
      'env: !js/function "x"\n',
      { line: 1, column: 6, key: 'env', message: expect.stringContaining('tags') as never },
    ],
    [
      'an alias without an anchor',
      'env: *nobody\n',
      { line: 1, column: 6, key: '*nobody', message: expect.stringContaining('anchor') as never },
    ],
    ['another version of YAML', '%YAML 1.1\n---\nenv: demo\n', { key: '%YAML' }],
    ['a key that is a list', '? [a, b]\n: 1\n', { line: 1, message: expect.stringContaining('plain word') as never }],
    [
      'Latin-1 instead of UTF-8',
      Buffer.from('env: demo\nlocale: d\xe9\n', 'latin1'),
      { line: 2, column: 10, value: 'byte 0xe9', message: expect.stringContaining('UTF-8') as never },
    ],
    ['UTF-8 cut off inside of a character', Buffer.from('env: d\xc3', 'latin1'), { line: 1, value: 'byte 0xc3' }],
    ['UTF-16', Buffer.from('env: demo\n', 'utf16le'), { line: 1, column: 2, value: 'byte 0x00' }],
    ['2 MiB', `# ${'x'.repeat(2 << 20)}\n`, { line: 1, message: expect.stringContaining('1048576') as never }],
    ['nested 100,000 deep', '['.repeat(100_000), { message: expect.stringContaining('deep') as never }],
    ['a list', '- env\n', { line: 1, column: 1, message: expect.stringContaining('keys and values') as never }],
    ['one word', 'hello\n', { line: 1, column: 1, value: '"hello"' }],
  ]
  test.each(cases)('%s', (_, text, expected) => {
    const [first] = faultsOf(text)
    expect(first).toMatchObject({ file: 'obstream.yaml', ...expected })
    expect(first!.message).not.toBe('')
  })

  test('an alias bomb ends quickly, at its first alias', () => {
    const levels = ['a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]']
    for (const [from, to] of ['ab', 'bc', 'cd', 'de', 'ef', 'fg', 'gh'].map((pair) => [...pair]))
      levels.push(`${to}: &${to} [${Array(9).fill(`*${from}`).join(', ')}]`)
    const [bomb] = faultsOf(`${levels.join('\n')}\n`)
    expect(bomb).toMatchObject({ line: 2, column: 8, message: expect.stringContaining('at most 100') })
  })

  test('a byte order mark and CRLF line ends are no faults', () => {
    const dataDir = freshDesk(`\ufeff${VALID_MAIN.replaceAll('\n', '\r\n')}`)
    expect(loadConfig({ dataDir, env: {} }).config.sources).toHaveLength(1)
  })

  test('a few aliases are fine', () => {
    const dataDir = freshDesk(`sources:
  - {id: a, kind: http, url: "http://127.0.0.1/", labels: &desk {desk: fx}}
  - {id: b, kind: http, url: "http://127.0.0.1/", labels: *desk}
`)
    expect(loadConfig({ dataDir, env: {} }).config.sources.map(({ labels }) => labels)).toEqual([
      { desk: 'fx' },
      { desk: 'fx' },
    ])
  })
})

describe('values that do not fit', () => {
  const source = (more: string): string => `sources:\n  - {id: a, kind: http, url: "http://127.0.0.1/", ${more}}\n`
  const cases: readonly [string, string, string, Partial<ConfigFault>][] = [
    [
      'a number instead of a duration',
      source('timeout: 5'),
      VALID_ALERT,
      { line: 2, key: 'sources[0].timeout', value: '5', message: 'write a duration from 1ms to 10m, e.g. "10s"' },
    ],
    [
      'text instead of a number',
      VALID_MAIN,
      'rules:\n  - id: a\n    match: "*"\n    threshold_ms: 5s\n',
      {
        file: 'configs/observability/latency_alert.yaml',
        line: 4,
        column: 19,
        key: 'rules[0].threshold_ms',
        value: '"5s"',
        message: 'write a whole number, e.g. 5000',
      },
    ],
    [
      'no threshold: there is no default',
      VALID_MAIN,
      'rules:\n  - {id: a, match: "*"}\n',
      {
        line: 2,
        column: 5,
        key: 'rules[0].threshold_ms',
        message: 'this key is missing; add it, e.g. `threshold_ms: 5000`',
      },
    ],
    [
      'a misspelt key',
      source('intervall: 5m'),
      VALID_ALERT,
      {
        line: 2,
        column: 51,
        key: 'sources[0].intervall',
        value: '"5m"',
        message: 'there is no such key; did you mean interval?',
      },
    ],
    [
      'a key in camel case',
      VALID_MAIN,
      'rules:\n  - {id: a, match: "*", thresholdMs: 5, threshold_ms: 5}\n',
      { key: 'rules[0].thresholdMs', message: 'there is no such key; did you mean threshold_ms?' },
    ],
    [
      'an unknown kind',
      'sources:\n  - {id: a, kind: smtp}\n',
      VALID_ALERT,
      { line: 2, key: 'sources[0].kind', value: '"smtp"', message: 'write one of http, csv' },
    ],
    [
      'no kind',
      'sources:\n  - {id: a}\n',
      VALID_ALERT,
      { key: 'sources[0].kind', message: expect.stringContaining('http, csv') as never },
    ],
    [
      'an id with a space',
      'sources:\n  - {id: a b, kind: csv, path: x.csv}\n',
      VALID_ALERT,
      { key: 'sources[0].id', value: '"a b"', message: expect.stringContaining('1–64') as never },
    ],
    [
      'a fraction of a second',
      source('interval: 1500ms'),
      VALID_ALERT,
      { key: 'sources[0].interval', message: expect.stringContaining('steps of 1s') as never },
    ],
    [
      'a window that does not divide a day',
      'window: {length: 7m, grace: 1m}\nsources: []\n',
      VALID_ALERT,
      {
        line: 1,
        column: 18,
        key: 'window.length',
        value: '"7m"',
        message: expect.stringContaining('divide 24h') as never,
      },
    ],
    [
      'a window of 5 s',
      'window: {length: 5s, grace: 1s}\n',
      VALID_ALERT,
      { key: 'window.length', message: 'write a duration from 10s to 24h in steps of 1s, e.g. "1h"' },
    ],
    [
      'a grace as long as the window',
      'window: {length: 10m}\n',
      VALID_ALERT,
      {
        key: 'window.grace',
        value: '"10m"',
        message: expect.stringContaining('shorter than the window (10m)') as never,
      },
    ],
    [
      'an interval longer than the window',
      source('interval: 2h'),
      VALID_ALERT,
      { key: 'sources[0].interval', message: expect.stringContaining('no sample at all') as never },
    ],
    ['a phase as long as the interval', source('interval: 1m, phase: 1m'), VALID_ALERT, { key: 'sources[0].phase' }],
    [
      'two sources with one id',
      'sources:\n  - {id: a, kind: csv, path: x}\n  - {id: a, kind: csv, path: y}\n',
      VALID_ALERT,
      { line: 3, key: 'sources[1].id', message: expect.stringContaining('sources[0]') as never },
    ],
    [
      'two rules with one id',
      VALID_MAIN,
      'rules:\n  - {id: a, match: "x", threshold_ms: 1}\n  - {id: a, match: "*", threshold_ms: 1}\n',
      { line: 3, key: 'rules[1].id' },
    ],
    [
      'critical before warning',
      VALID_MAIN,
      'rules:\n  - {id: a, match: "*", threshold_ms: 1, warning_after: 3, critical_after: 2}\n',
      { key: 'rules[0].critical_after', value: '2', message: expect.stringContaining('at least 4') as never },
    ],
    [
      'a percentage above 100',
      VALID_MAIN,
      'rules:\n  - {id: a, match: "*", threshold_ms: 1, error_ratio: 150%}\n',
      { key: 'rules[0].error_ratio', value: '"150%"' },
    ],
    [
      'the name of one of our own jobs',
      'sources:\n  - {id: job.latency, kind: csv, path: x}\n',
      VALID_ALERT,
      { key: 'sources[0].id', message: expect.stringContaining('own jobs') as never },
    ],
    [
      'our own output as a source',
      'sources:\n  - {id: a, kind: csv, path: ./ops/signal_latency.csv}\n',
      VALID_ALERT,
      { key: 'sources[0].path', message: expect.stringContaining('itself') as never },
    ],
    [
      'a rollup file outside of the data directory',
      'jobs: {latency: {rollup_output: ../x.csv}}\n',
      VALID_ALERT,
      { key: 'jobs.latency.rollup_output', message: expect.stringContaining('inside') as never },
    ],
    [
      'a route to a channel that is not there',
      'routes: {warning: [ops]}\n',
      VALID_ALERT,
      { key: 'routes.warning[0]', value: '"ops"' },
    ],
    [
      'a fallback that is not there',
      VALID_MAIN,
      `${VALID_ALERT}delivery: {fallback: slack}\n`,
      { key: 'delivery.fallback', value: '"slack"' },
    ],
    [
      'an unknown time zone',
      'display_time_zone: Tokyo\n',
      VALID_ALERT,
      { key: 'display_time_zone', value: '"Tokyo"', message: expect.stringContaining('Asia/Tokyo') as never },
    ],
    [
      'a calendar that is no file',
      'calendar: fxx\n',
      VALID_ALERT,
      { line: 1, column: 11, key: 'calendar', value: '"fxx"' },
    ],
    [
      'an address that others reach, without a token',
      'page: {bind: "0.0.0.0:8080"}\n',
      VALID_ALERT,
      { key: 'page.bind', value: '"0.0.0.0:8080"', message: expect.stringContaining('OBS_API_TOKEN') as never },
    ],
    ['no port', 'page: {bind: "127.0.0.1"}\n', VALID_ALERT, { key: 'page.bind' }],
    [
      'an unset variable',
      source('headers_env: {authorization: ROUTER_TOKEN}'),
      VALID_ALERT,
      {
        key: 'sources[0].headers_env.authorization',
        message: expect.stringContaining('ROUTER_TOKEN is not set') as never,
      },
    ],
  ]
  test.each(cases)('%s', (_, main, alert, expected) => {
    expect(faultsOf(main, alert)).toContainEqual(expect.objectContaining(expected))
  })

  test('all faults of both files are told at once, in order of place', () => {
    const faults = faultsOf('env: A B\nlocale: fr\nsources: [{id: a}]\n', 'rules: 3\n')
    expect(faults.map(({ file, line, key }) => [file, line, key])).toEqual([
      ['configs/observability/latency_alert.yaml', 1, 'rules'],
      ['obstream.yaml', 1, 'env'],
      ['obstream.yaml', 2, 'locale'],
      ['obstream.yaml', 3, 'sources[0].kind'],
    ])
  })

  test('one value has one fault, however many rules it breaks', () => {
    expect(faultsOf('window: {length: soon}\n').map(({ key }) => key)).toEqual(['window.length'])
  })
})

describe('secrets', () => {
  const leaks: readonly [string, string][] = [
    ['a webhook URL in the wrong key', 'channels: {s: {kind: slack, url: "https://hooks.example/T0/hunter2"}}\n'],
    ['a secret instead of its variable', 'channels: {s: {kind: webhook, url_env: URL, secret_env: whsec_hunter2}}\n'],
    ['a password in a URL', 'sources:\n  - {id: a, kind: http, url: "http://me:hunter2@127.0.0.1/"}\n'],
    [
      'an authorization header',
      'sources:\n  - {id: a, kind: http, url: "http://127.0.0.1/", headers: {Authorization: hunter2}}\n',
    ],
    ['a line that is no YAML', 'token: "hunter2\n'],
    ['a key of another name', 'api_key: hunter2\n'],
  ]
  test.each(leaks)('%s is refused and not repeated in the message', (_, main) => {
    const faults = faultsOf(main)
    expect(faults.length).toBeGreaterThan(0)
    expect(JSON.stringify(faults)).not.toContain('hunter2')
  })

  test('a secret can stand in a file, whose line end is not part of it', () => {
    const dataDir = freshDesk(
      'sources:\n  - {id: a, kind: http, url: "http://127.0.0.1/", headers_env: {authorization: ROUTER_TOKEN}}\n',
    )
    const { config, secrets } = loadConfig({ dataDir, env: { ROUTER_TOKEN_FILE: secretFile('Bearer hunter2\n') } })
    expect(config.sources[0]).toMatchObject({ headers: { authorization: 'Bearer hunter2' } })
    expect(secrets).toEqual(['Bearer hunter2'])
  })

  test('a value that cannot be a header is told before anything is sent', () => {
    const main = 'sources:\n  - {id: a, kind: http, url: "http://127.0.0.1/", headers_env: {authorization: T}}\n'
    expect(faultsOf(main, VALID_ALERT, { T: 'hunter2\r\nx: y' })[0]?.message).toContain('cannot be a header')
  })

  function secretFile(content: string): string {
    return join(freshDesk(content), 'obstream.yaml')
  }
})

test('a file that is not there is an error of its own, which says what writes one', () => {
  const dataDir = freshDesk()
  const load = (): unknown => loadConfig({ dataDir, configPath: 'nowhere.yaml', env: {} })
  expect(load).toThrow(/nowhere\.yaml.*obstream init/)
  try {
    load()
  } catch (error) {
    expect(isObstreamError(error, 'OBS_CONFIG_NOT_FOUND')).toBe(true)
  }
})

test('a file cut off or garbled anywhere is loaded or refused by places, never anything else', () => {
  const whole = Buffer.from(`${VALID_MAIN}window: {length: "1h", grace: 10m}\njobs:\n  latency: {every: 1h}\n`)
  fc.assert(
    fc.property(fc.nat(whole.length), fc.nat(whole.length - 1), fc.nat(255), (length, at, byte) => {
      const text = Buffer.from(whole)
      text[at] = byte
      const dataDir = freshDesk(text.subarray(0, length))
      try {
        loadConfig({ dataDir, env: {} })
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error
        for (const { line, column, message } of error.faults) {
          expect(line).toBeGreaterThanOrEqual(1)
          expect(column).toBeGreaterThanOrEqual(1)
          expect(message).not.toBe('')
        }
      } finally {
        rmSync(dataDir, { recursive: true })
      }
    }),
    { numRuns: 300 },
  )
})
