import type { Rule } from './plan.ts'
import type { Milliseconds } from './time.ts'

/**
 * The whole configuration as a value: both files read, checked against their schemas, defaults filled in, environment
 * and flags applied. What each key means stands in `schemas/config/*.schema.json` and, generated, in `docs/config.md`.
 */
export interface Config {
  /** Absolute; every relative path of the configuration starts here. */
  readonly dataDir: string
  readonly env: string
  readonly locale: 'en' | 'ja'
  readonly displayTimeZone: string
  /** `sqlite:<path>`, `memory:` or `kafka://…`. */
  readonly log: string
  readonly kafka: KafkaConfig
  /** `null`: the log keeps the schemas itself. */
  readonly registry: RegistryConfig | null
  readonly publicUrl: string | null
  readonly sources: readonly SourceConfig[]
  readonly window: {
    readonly lengthMs: Milliseconds
    readonly graceMs: Milliseconds
    readonly latenessMs: Milliseconds
  }
  readonly partitions: number
  readonly rules: readonly Rule[]
  readonly calendar: { readonly kind: 'always' | 'fx'; readonly holidays: readonly string[] }
  readonly week: 'iso-week' | 'fx-week'
  readonly datasetRows: Readonly<Record<string, number>>
  readonly jobs: { readonly latency: LatencyJobConfig }
  readonly bind: { readonly host: string; readonly port: number }
  /** Where notifications can go; secrets among it. */
  readonly channels: readonly ChannelConfig[]
  /** Names of channels. */
  readonly routes: Readonly<Record<Route, readonly string[]>>
  readonly delivery: DeliveryConfig
}

export type Route = 'info' | 'warning' | 'critical' | 'weekly' | 'unacknowledged' | 'owner'

export interface ChannelConfig {
  readonly name: string
  readonly kind: 'webhook' | 'pagerduty' | 'slack'
  readonly profile: 'full' | 'thin'
  /** A secret, but for PagerDuty's. `null`: its variable is not set, so nothing can be sent. */
  readonly url: string | null
  /** What signs requests (webhook), or the routing key (PagerDuty). `null`: there is none. */
  readonly secret: string | null
  /** The secret before a rotation; requests are signed with both. */
  readonly previousSecret: string | null
  /** Of what the file says about the channel, without secrets. */
  readonly configSha256: string
}

/** How notifications are sent; see `docs/config.md`. */
export interface DeliveryConfig {
  readonly maxRetries: number
  readonly retryWaitMs: Milliseconds
  readonly fallbackAfter: number
  readonly fallback: string | null
  readonly ackWithinMs: Milliseconds
  readonly flapping: { readonly changes: number; readonly withinMs: Milliseconds }
  readonly allowHosts: readonly string[]
  /** `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` of the environment; `null`: none. */
  readonly proxy: { readonly https: string | null; readonly http: string | null; readonly none: string | null }
}

/** How to speak to Kafka; secrets and the contents of files among it. */
export interface KafkaConfig {
  readonly clientId: string
  readonly connectTimeoutMs: Milliseconds
  /** `null`: three, or as many as there are brokers. */
  readonly replication: number | null
  /** `null`: the way to the brokers is not encrypted. Values are PEM. */
  readonly tls: {
    readonly ca?: string
    readonly cert?: string
    readonly key?: string
    readonly servername?: string
  } | null
  readonly sasl: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
    readonly username: string
    readonly password: string
  } | null
}

/** How to speak to the schema registry; secrets and the contents of a file among it. */
export interface RegistryConfig {
  /** Without user and password. */
  readonly url: string
  /** PEM; `null`: what this machine trusts. */
  readonly ca: string | null
  readonly credentials: { readonly username: string; readonly password: string } | null
  /** How long a start, or a command, waits for it. */
  readonly waitMs: Milliseconds
}

export interface LatencyJobConfig {
  /** Length between two starts in `up`, aligned to UTC. */
  readonly everyMs: Milliseconds
  readonly rawRetentionDays: number
  readonly rollupRetentionDays: number
  /** Relative to the data directory. */
  readonly rollupOutput: string
}

interface AnySource {
  readonly id: string
  readonly intervalMs: Milliseconds
  /** Slots are shifted by this against UTC. */
  readonly phaseMs: Milliseconds
  readonly labels: Readonly<Record<string, string>>
}

export interface HttpSource extends AnySource {
  readonly kind: 'http'
  readonly url: string
  readonly method: 'GET' | 'HEAD' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  readonly timeoutMs: Milliseconds
  /** Status codes that count as an answer. */
  readonly expectedStatus: readonly number[]
}

export interface CsvSource extends AnySource {
  readonly kind: 'csv'
  /** Absolute. The rows of this source in a file that another program appends to. */
  readonly path: string
}

export type SourceConfig = HttpSource | CsvSource

/** A fault of the configuration, for people. Lines and columns count from 1. */
export interface ConfigFault {
  readonly file: string
  readonly line: number
  readonly column: number
  readonly key: string
  readonly value: string
  readonly message: string
}
