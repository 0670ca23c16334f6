import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { SECOND_MS } from '#lib/time.ts'

export const WINDOW_MS = 10 * SECOND_MS
export const GRACE_MS = 2 * SECOND_MS
/** The source whose rows the trading system writes. */
export const CSV_SOURCE = 'signals'
/** From the data directory. */
export const CSV_PATH = 'inputs/signals.csv'
export const LOG_PATH = 'log/obstream.db'
/** Latencies above it are breaches. */
export const THRESHOLD_MS = 150

/** Two sources that are probed and one that is read from a file, every second, in windows of ten seconds. */
const configFor = ({ routerUrl, pagerDutyUrl, partitions }: DeskParts): string => `env: faults
sources:
  - {id: router_a, kind: http, url: "${routerUrl}", interval: 1s, timeout: 900ms}
  - {id: router_b, kind: http, url: "${routerUrl}", interval: 1s, timeout: 900ms}
  - {id: ${CSV_SOURCE}, kind: csv, path: ${CSV_PATH}, interval: 1s}
window: {length: ${WINDOW_MS}ms, grace: ${GRACE_MS}ms}
partitions: ${partitions}
channels:
  ops: {kind: webhook, url_env: FAULTS_OPS_URL, secret_env: FAULTS_OPS_SECRET}
  pd: {kind: pagerduty, url: "${pagerDutyUrl}", key_env: FAULTS_PD_KEY}
  chat: {kind: slack, url_env: FAULTS_CHAT_URL}
routes: {warning: [ops, chat], critical: [ops, pd, chat], unacknowledged: [chat]}
jobs: {latency: {every: 10s}}
page: {bind: "127.0.0.1:0"}
`

const ALERTS = `rules:
  - {id: p95, match: "*", threshold_ms: ${THRESHOLD_MS}, warning_after: 2, critical_after: 3, resolve_after: 2, reminder: 1m}
delivery: {max_retries: 100, retry_wait_seconds: 1, fallback: pd, fallback_after: 2, ack_within: 20s, allow_hosts: [127.0.0.1]}
`

/** What a desk is about. */
export interface DeskParts {
  readonly routerUrl: string
  /** Of the pager; the addresses of other channels are secrets. */
  readonly pagerDutyUrl: string
  /** Of the latency path. */
  readonly partitions: number
}

/** Makes a fresh data directory. @returns its path */
export function createDesk(parts: DeskParts): string {
  const dataDir = mkdtempSync(join(tmpdir(), 'obstream-faults-'))
  put(join(dataDir, 'obstream.yaml'), configFor(parts))
  put(join(dataDir, 'configs/observability/latency_alert.yaml'), ALERTS)
  put(join(dataDir, CSV_PATH), 'timestamp_utc,source,latency_ms\n')
  return dataDir
}

function put(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}
