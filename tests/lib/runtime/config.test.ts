import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'
import { loadConfig } from '#lib/runtime/load-config.ts'
import { freshDesk, putFile, VALID_ALERT, VALID_MAIN } from '#tests/support/desk.ts'

const FULL_ALERT = `rules:
  - {id: latency_p95, match: "*", threshold_ms: 5000, warning_after: 2, critical_after: 3, min_samples: 3, error_ratio: 0.5,
     no_data_after_slots: 2, max_insufficient: 3, resolve_after: 2, resolve_below: 0.9, reminder: 4h}
delivery: {max_retries: 3, retry_wait_seconds: 10, fallback_after: 2, fallback: slack, ack_within: 30m, flapping: {changes: 4, within: 12h}, allow_hosts: []}
`
const FULL_MAIN = `env: staging
locale: ja
display_time_zone: Asia/Tokyo        # page, messages and HTML report show it beside UTC; files and topics are UTC
log: sqlite:log/obstream.db          # group locks lie beside it; artefacts may be deleted, this may not
public_url: https://obs.example      # evidence_url = <public_url>/alerts/<id>
sources: [{id: router_demo, kind: http, url: "http://127.0.0.1:9000/ping", interval: 15m, timeout: 10s, labels: {desk: fx}}]
window: {length: 1h, grace: 10m, lateness: 14d}
partitions: 1                        # of the latency path; fixed when the topics are created
inputs: {root: ., runs: {time_zone: UTC, pip_value: null}}
channels: {ops: {kind: webhook, url_env: OBS_WEEKLY_WEBHOOK_URL, secret_env: OBS_WEBHOOK_SECRET}, pd: {kind: pagerduty, key_env: OBS_PAGERDUTY_KEY}, slack: {kind: slack, url_env: OBS_SLACK_URL, profile: full}}
routes: {info: [], warning: [ops], critical: [ops, pd], weekly: [ops, slack], unacknowledged: [slack], owner: [slack]}
calendar: fx                         # always | fx (Sunday 17:00–Friday 17:00 New York, no holidays) | a file
jobs: {weekly: {schedule: after-week, lost_after: 30m, freshness: 8d, owner: owner}}
dataset_rows: {ev_history: 200}
upload: {command: [], timeout: 5m, retries: 2}
deadman: {url_env: OBS_DEADMAN_URL}
signing: {key_id: "1"}
weekly: {week: iso-week}
page: {bind: "127.0.0.1:8080"}
`

test('a configuration with every key becomes a value with units, without a warning', () => {
  const dataDir = freshDesk(FULL_MAIN, FULL_ALERT)
  const { config, warnings } = loadConfig({ dataDir, env: {} })
  expect(warnings).toEqual([])
  expect(config).toEqual({
    dataDir,
    env: 'staging',
    locale: 'ja',
    displayTimeZone: 'Asia/Tokyo',
    log: 'sqlite:log/obstream.db',
    kafka: { clientId: 'obstream', connectTimeoutMs: 30_000, replication: null, tls: null, sasl: null },
    registry: null,
    publicUrl: 'https://obs.example',
    sources: [
      {
        id: 'router_demo',
        kind: 'http',
        url: 'http://127.0.0.1:9000/ping',
        method: 'GET',
        headers: {},
        intervalMs: 900_000,
        phaseMs: 0,
        timeoutMs: 10_000,
        expectedStatus: [200],
        labels: { desk: 'fx' },
      },
    ],
    window: { lengthMs: 3_600_000, graceMs: 600_000, latenessMs: 1_209_600_000 },
    partitions: 1,
    rules: [
      {
        id: 'latency_p95',
        match: '*',
        thresholdMs: 5000,
        warningAfter: 2,
        criticalAfter: 3,
        minSamples: 3,
        errorRatio: 0.5,
        noDataAfterSlots: 2,
        maxInsufficient: 3,
        resolveAfter: 2,
        resolveBelow: 0.9,
        reminderMs: 14_400_000,
      },
    ],
    calendar: { kind: 'fx', holidays: [] },
    week: 'iso-week',
    datasetRows: { ev_history: 200 },
    jobs: {
      latency: {
        everyMs: 3_600_000,
        rawRetentionDays: 14,
        rollupRetentionDays: 90,
        rollupOutput: 'ops/signal_latency_rollup.csv',
      },
    },
    bind: { host: '127.0.0.1', port: 8080 },
    channels: [
      channel('ops', 'webhook', null),
      channel('pd', 'pagerduty', 'https://events.pagerduty.com/v2/enqueue'),
      channel('slack', 'slack', null),
    ],
    routes: {
      critical: ['ops', 'pd'],
      warning: ['ops'],
      info: [],
      unacknowledged: ['slack'],
      owner: ['slack'],
      weekly: ['ops', 'slack'],
    },
    delivery: {
      maxRetries: 3,
      retryWaitMs: 10_000,
      fallbackAfter: 2,
      fallback: 'slack',
      ackWithinMs: 1_800_000,
      flapping: { changes: 4, withinMs: 43_200_000 },
      allowHosts: [],
      proxy: { https: null, http: null, none: null },
    },
  })
})

/** As it is without its secrets in the environment. */
function channel(name: string, kind: string, url: string | null): object {
  const configSha256 = expect.stringMatching(/^[0-9a-f]{64}$/)
  return { name, kind, profile: 'full', url, secret: null, previousSecret: null, configSha256 }
}

test('what is left out gets the default of its schema, the same that the full example writes', () => {
  const full = loadConfig({ dataDir: freshDesk(FULL_MAIN, FULL_ALERT), env: {} }).config
  const short = loadConfig({ dataDir: freshDesk(), env: {} }).config
  expect(short.rules).toEqual(full.rules)
  expect(short.window).toEqual(full.window)
  expect(short.jobs).toEqual(full.jobs)
  expect(short.bind).toEqual(full.bind)
})

test('defaults of one load do not leak into the next', () => {
  loadConfig({ dataDir: freshDesk(FULL_MAIN, FULL_ALERT), env: {} })
  expect(loadConfig({ dataDir: freshDesk(), env: {} }).config).toMatchObject({
    env: 'local',
    locale: 'en',
    publicUrl: null,
  })
})

test('flags go before the files', () => {
  const dataDir = freshDesk('jobs: {latency: {raw_retention_days: 7}}\n')
  const overrides = { log: 'memory:', rawRetentionDays: 3, rollupOutput: 'x.csv' }
  const { config } = loadConfig({ dataDir, env: {}, overrides })
  expect(config.log).toBe('memory:')
  expect(config.jobs.latency).toMatchObject({ rawRetentionDays: 3, rollupRetentionDays: 90, rollupOutput: 'x.csv' })
})

test('shares may be written as percentages', () => {
  const dataDir = freshDesk(
    VALID_MAIN,
    'rules:\n  - {id: a, match: "*", threshold_ms: 1, error_ratio: 12.5%, resolve_below: 90%}\n',
  )
  expect(loadConfig({ dataDir, env: {} }).config.rules[0]).toMatchObject({ errorRatio: 0.125, resolveBelow: 0.9 })
})

test('ids may be of any script', () => {
  const dataDir = freshDesk('sources: [{id: 口座_α, kind: csv, path: in.csv}]\n')
  expect(loadConfig({ dataDir, env: {} }).config.sources[0]).toMatchObject({ id: '口座_α', path: `${dataDir}/in.csv` })
})

test('the holidays of a calendar file are part of the value', () => {
  const dataDir = freshDesk('calendar: holidays.yaml\n')
  putFile(dataDir, 'holidays.yaml', 'kind: fx\nholidays: [2026-12-25]\n')
  expect(loadConfig({ dataDir, env: {} }).config.calendar).toEqual({ kind: 'fx', holidays: ['2026-12-25'] })
  putFile(dataDir, 'holidays.yaml', 'kind: fx\nholidays: [2026-02-30]\n')
  expect(() => loadConfig({ dataDir, env: {} })).toThrow(
    /holidays\.yaml:2:12 holidays\[0\] = "2026-02-30": write a date that exists/,
  )
})

test('an address that others reach is fine with a token', () => {
  const dataDir = freshDesk('page: {bind: "0.0.0.0:8080"}\n')
  const { config, secrets } = loadConfig({ dataDir, env: { OBS_API_TOKEN: 'a-token-of-ours' } })
  expect(config.bind).toEqual({ host: '0.0.0.0', port: 8080 })
  expect(secrets).toEqual(['a-token-of-ours'])
})

test('what is allowed and hardly meant is a warning with its place', () => {
  const main = `sources:
  - {id: router_demo, kind: http, url: "http://127.0.0.1:9000/ping", timeout: 3s}
  - {id: lonely, kind: csv, path: in.csv}
jobs: {latency: {raw_retention_days: 114, rollup_retention_days: 393}}
`
  const alert = `rules:
  - {id: first, match: "router*", threshold_ms: 3000, min_samples: 5}
  - {id: shadowed, match: router_demo, threshold_ms: 1}
`
  const { warnings } = loadConfig({ dataDir: freshDesk(main, alert), env: {} })
  expect(warnings.map(({ line, key, message }) => [line, key, message])).toEqual([
    [2, 'rules[0].min_samples', 'a window of router_demo has only 4 (1h / 15m), which is used instead'],
    [3, 'rules[1].match', expect.stringContaining('applies to no source')],
    [2, 'sources[0].timeout', expect.stringContaining('no p95 can breach')],
    [3, 'sources[1].id', expect.stringContaining('no rule applies')],
    [4, 'jobs.latency.raw_retention_days', expect.stringMatching(/is kept for 120 days.*write at most 113,/)],
  ])
})

test.each([
  ['the files that init writes', 'configs', 'obstream.yaml', 'observability/latency_alert.yaml'],
  ['the router demo', 'examples/router-demo', 'obstream.yaml', 'latency_alert.yaml'],
])('%s are valid without a warning', (_, folder, configPath, alertConfigPath) => {
  const dataDir = fileURLToPath(new URL(`../../../${folder}`, import.meta.url))
  const { warnings, config } = loadConfig({ dataDir, configPath, alertConfigPath, env: {} })
  expect(warnings).toEqual([])
  expect(config.sources).toHaveLength(1)
})

test('a rule with a threshold alone is enough', () => {
  expect(loadConfig({ dataDir: freshDesk(VALID_MAIN, VALID_ALERT), env: {} }).config.rules).toHaveLength(1)
})
