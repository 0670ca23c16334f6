import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { systemClock } from '#lib/runtime/clock.ts'
import { type Environment, openEnvironment } from '#lib/runtime/environment.ts'
import { randomIds } from '#lib/runtime/ids.ts'
import { loadConfig } from '#lib/runtime/load-config.ts'
import { createMetricsRegistry } from '#lib/runtime/metrics.ts'

/** Where a log is that the configuration does not name. */
export interface LogPlaces {
  /** URL. */
  readonly log?: string
  /** URL, for a log on Kafka. */
  readonly registry?: string
}

/** The channel's secrets, as the configuration names them. */
export function secretsFor(receiverUrl: string): Readonly<Record<string, string>> {
  return { BENCH_URL: receiverUrl, BENCH_SECRET: `whsec_${Buffer.alloc(32, 7).toString('base64')}` }
}

/** Everything is told to one webhook on this machine, and no alert is held back because it opens too often. */
const CHANNELS = `channels:
  hook: {kind: webhook, url_env: BENCH_URL, secret_env: BENCH_SECRET}
routes: {warning: [hook], critical: [hook]}
page: {bind: "127.0.0.1:0"}
`
const DELIVERY = 'delivery: {allow_hosts: [127.0.0.1], flapping: {changes: 1000, within: 12h}}\n'

/**
 * Makes a data directory.
 *
 * @param main more of `obstream.yaml`
 * @param rule of all sources, as YAML
 * @returns its path
 */
export function createDesk(main: string, rule: string): string {
  const dataDir = mkdtempSync(join(tmpdir(), 'obstream-bench-deliveries-'))
  put(join(dataDir, 'obstream.yaml'), `env: bench\n${main}${CHANNELS}`)
  put(join(dataDir, 'configs/observability/latency_alert.yaml'), `rules:\n  - ${rule}\n${DELIVERY}`)
  return dataDir
}

/** Opens the log of a data directory as the product does. */
export function openDesk(dataDir: string, places: LogPlaces = {}): Promise<Environment> {
  const { config } = loadConfig({ dataDir, env: process.env, overrides: places })
  return openEnvironment({
    config,
    clock: systemClock,
    ids: randomIds,
    logger: { info: () => {}, warn: (fields, message) => console.error(message, fields) },
    metrics: createMetricsRegistry(),
  })
}

function put(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}
