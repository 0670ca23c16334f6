import type { Route } from '#lib/config.ts'

/**
 * The two files as their schemas leave them: every default filled in, names as people write them. Durations are text
 * that `parseDuration` reads.
 */
export interface RawConfig {
  readonly env: string
  readonly locale: 'en' | 'ja'
  readonly display_time_zone: string
  readonly log: string
  readonly kafka: RawKafka
  readonly registry: RawRegistry
  readonly public_url: string | null
  readonly sources: readonly RawSource[]
  readonly window: { readonly length: string; readonly grace: string; readonly lateness: string }
  readonly partitions: number | null
  readonly channels: Readonly<Record<string, RawChannel>>
  readonly routes: Readonly<Record<Route, readonly string[]>>
  readonly calendar: string
  readonly jobs: { readonly latency: RawLatencyJob }
  readonly dataset_rows: Readonly<Record<string, number>>
  readonly deadman: { readonly url_env: string | null }
  readonly weekly: { readonly week: 'iso-week' | 'fx-week' }
  readonly page: { readonly bind: string }
}

export interface RawKafka {
  readonly client_id: string
  readonly connect_timeout: string
  readonly replication: number | null
  readonly tls: {
    readonly enabled: boolean
    readonly ca_file: string | null
    readonly cert_file: string | null
    readonly key_file: string | null
    readonly server_name: string | null
  }
  readonly sasl: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512' | null
    readonly username_env: string
    readonly password_env: string
  }
}

export interface RawRegistry {
  readonly url: string | null
  readonly ca_file: string | null
  readonly username_env: string
  readonly password_env: string
  readonly wait: string
}

interface RawLatencyJob {
  readonly every: string | null
  readonly raw_retention_days: number
  readonly rollup_retention_days: number
  readonly rollup_output: string
}

interface AnyRawSource {
  readonly id: string
  readonly interval: string
  readonly phase: string
  readonly labels: Readonly<Record<string, string>>
}

export interface RawHttpSource extends AnyRawSource {
  readonly kind: 'http'
  readonly url: string
  readonly method: 'GET' | 'HEAD' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  readonly headers_env: Readonly<Record<string, string>>
  readonly timeout: string
  readonly expected_status: readonly number[]
}

export interface RawCsvSource extends AnyRawSource {
  readonly kind: 'csv'
  readonly path: string
}

export type RawSource = RawHttpSource | RawCsvSource

export interface RawChannel {
  readonly kind: 'webhook' | 'pagerduty' | 'slack'
  readonly profile?: 'full' | 'thin'
  readonly url?: string
  readonly url_env?: string
  readonly secret_env?: string
  readonly key_env?: string
}

export interface RawAlertConfig {
  readonly rules: readonly RawRule[]
  readonly delivery: {
    readonly max_retries: number
    readonly retry_wait_seconds: number
    readonly fallback_after: number
    readonly fallback: string | null
    readonly ack_within: string
    readonly flapping: { readonly changes: number; readonly within: string }
    readonly allow_hosts: readonly string[]
  }
}

export interface RawRule {
  readonly id: string
  readonly match: string
  readonly threshold_ms: number
  readonly warning_after: number
  readonly critical_after: number
  readonly min_samples: number
  readonly error_ratio: number | string
  readonly no_data_after_slots: number
  readonly max_insufficient: number
  readonly resolve_after: number
  readonly resolve_below: number | string
  readonly reminder: string
}

export interface RawCalendar {
  readonly kind: 'always' | 'fx'
  readonly holidays: readonly string[]
}
