import type { Config, SourceConfig } from '#lib/config.ts'
import type { Rule } from '#lib/plan.ts'
import { parseDuration } from '#lib/time.ts'
import type { EnvironmentVariables } from '../secrets.ts'
import { readSecret } from '../secrets.ts'
import { buildChannels, buildDelivery } from './channels.ts'
import { parseBind, parsePercentage } from './formats.ts'
import { buildKafka, isKafka } from './kafka.ts'
import { absolutePath } from './paths.ts'
import type { RawAlertConfig, RawCalendar, RawConfig, RawHttpSource, RawRule, RawSource } from './raw.ts'
import { buildRegistry } from './registry.ts'

/** What flags and their environment twins say; it goes before the files. */
export interface ConfigOverrides {
  readonly log?: string
  readonly registry?: string
  readonly rawRetentionDays?: number
  readonly rollupRetentionDays?: number
  readonly rollupOutput?: string
}

export interface ConfigParts {
  readonly dataDir: string
  /** With the places of log and registry as flags say them. */
  readonly main: RawConfig
  readonly alert: RawAlertConfig
  readonly calendar: RawCalendar
  readonly env: EnvironmentVariables
  readonly overrides: ConfigOverrides
}

/** Of the latency path, when nothing else is said: enough for 32 replicas of a service. */
const KAFKA_PARTITIONS = 32

/** Turns files that have passed every check into the value that the program works with. */
export function buildConfig(parts: ConfigParts): Config {
  const { dataDir, main, alert, calendar, env, overrides } = parts
  const job = main.jobs.latency
  const lengthMs = parseDuration(main.window.length)!
  const { log } = main
  return {
    dataDir,
    env: main.env,
    locale: main.locale,
    displayTimeZone: main.display_time_zone,
    log,
    kafka: buildKafka(log, main.kafka, dataDir, env),
    registry: isKafka(log) ? buildRegistry(main.registry, dataDir, env) : null,
    publicUrl: main.public_url?.replace(/\/+$/, '') ?? null,
    sources: main.sources.map((source) => buildSource(source, dataDir, env)),
    window: { lengthMs, graceMs: parseDuration(main.window.grace)!, latenessMs: parseDuration(main.window.lateness)! },
    partitions: main.partitions ?? (isKafka(log) ? KAFKA_PARTITIONS : 1),
    rules: alert.rules.map(buildRule),
    calendar: { kind: calendar.kind, holidays: calendar.holidays },
    week: main.weekly.week,
    datasetRows: main.dataset_rows,
    jobs: {
      latency: {
        everyMs: job.every === null ? lengthMs : parseDuration(job.every)!,
        rawRetentionDays: overrides.rawRetentionDays ?? job.raw_retention_days,
        rollupRetentionDays: overrides.rollupRetentionDays ?? job.rollup_retention_days,
        rollupOutput: overrides.rollupOutput ?? job.rollup_output,
      },
    },
    bind: parseBind(main.page.bind)!,
    channels: buildChannels(main.channels, env),
    routes: main.routes,
    delivery: buildDelivery(alert, env),
  }
}

function buildSource(source: RawSource, dataDir: string, env: EnvironmentVariables): SourceConfig {
  const { id, labels } = source
  const shared = { id, intervalMs: parseDuration(source.interval)!, phaseMs: parseDuration(source.phase)!, labels }
  if (source.kind === 'csv') return { ...shared, kind: 'csv', path: absolutePath(dataDir, source.path) }
  const { url, method, expected_status: expectedStatus } = source
  return {
    ...shared,
    kind: 'http',
    url,
    method,
    headers: buildHeaders(source, env),
    timeoutMs: parseDuration(source.timeout)!,
    expectedStatus,
  }
}

function buildHeaders(source: RawHttpSource, env: EnvironmentVariables): Readonly<Record<string, string>> {
  const secret = Object.entries(source.headers_env).map(([header, name]) => [header, readSecret(env, name)!] as const)
  return { ...source.headers, ...Object.fromEntries(secret) }
}

function buildRule(rule: RawRule): Rule {
  return {
    id: rule.id,
    match: rule.match,
    thresholdMs: rule.threshold_ms,
    warningAfter: rule.warning_after,
    criticalAfter: rule.critical_after,
    minSamples: rule.min_samples,
    errorRatio: share(rule.error_ratio),
    noDataAfterSlots: rule.no_data_after_slots,
    maxInsufficient: rule.max_insufficient,
    resolveAfter: rule.resolve_after,
    resolveBelow: share(rule.resolve_below),
    reminderMs: parseDuration(rule.reminder)!,
  }
}

const share = (value: number | string): number => (typeof value === 'number' ? value : parsePercentage(value)!)
