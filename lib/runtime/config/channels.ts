import { canonicalJson } from '#lib/codec/canonical-json.ts'
import { sha256Hex } from '#lib/codec/sha256.ts'
import type { ChannelConfig, DeliveryConfig } from '#lib/config.ts'
import { secretFault } from '#lib/delivery/signature.ts'
import { parseDuration, SECOND_MS } from '#lib/time.ts'
import { type EnvironmentVariables, previousVariable, readSecret, secretProblem } from '../secrets.ts'
import type { RawAlertConfig, RawChannel, RawConfig } from './raw.ts'
import type { YamlPath } from './yaml-file.ts'

type Report = (path: YamlPath, value: unknown, message: string) => void

export function buildChannels(channels: RawConfig['channels'], env: EnvironmentVariables): readonly ChannelConfig[] {
  return Object.entries(channels).map(([name, channel]) => buildChannel(name, channel, env))
}

function buildChannel(name: string, channel: RawChannel, env: EnvironmentVariables): ChannelConfig {
  const secretEnv = channel.kind === 'pagerduty' ? channel.key_env : channel.secret_env
  const secretOf = (variable: string | undefined): string | null =>
    variable === undefined || secretProblem(env, variable) !== undefined ? null : readSecret(env, variable)!
  return {
    name,
    kind: channel.kind,
    profile: channel.profile ?? 'full',
    url: channel.kind === 'pagerduty' ? channel.url! : secretOf(channel.url_env),
    secret: secretOf(secretEnv),
    previousSecret: secretEnv === undefined ? null : secretOf(previousVariable(secretEnv)),
    configSha256: sha256Hex(canonicalJson({ name, ...channel })),
  }
}

export function buildDelivery({ delivery }: RawAlertConfig, env: EnvironmentVariables): DeliveryConfig {
  const variable = (name: string): string | null => env[name] || env[name.toLowerCase()] || null
  return {
    maxRetries: delivery.max_retries,
    retryWaitMs: delivery.retry_wait_seconds * SECOND_MS,
    fallbackAfter: delivery.fallback_after,
    fallback: delivery.fallback,
    ackWithinMs: parseDuration(delivery.ack_within)!,
    flapping: { changes: delivery.flapping.changes, withinMs: parseDuration(delivery.flapping.within)! },
    allowHosts: delivery.allow_hosts,
    proxy: { https: variable('HTTPS_PROXY'), http: variable('HTTP_PROXY'), none: variable('NO_PROXY') },
  }
}

/** Whether something will be sent to the channels in use; a list: to these only. */
export type Sends = boolean | readonly string[]

/**
 * Channels that something will be sent to must have what they need. In use are those of routes and the one that takes over.
 */
export function checkChannels(
  {
    main,
    alert,
    env,
    sends,
  }: {
    readonly main: RawConfig
    readonly alert: RawAlertConfig
    readonly env: EnvironmentVariables
    readonly sends: Sends
  },
  report: Report,
): void {
  if (sends === false) return
  const used = new Set(sends === true ? [...Object.values(main.routes).flat(), alert.delivery.fallback] : sends)
  for (const [name, channel] of Object.entries(main.channels))
    if (used.has(name))
      for (const key of ['url_env', 'secret_env', 'key_env'] as const) {
        const variable = channel[key]
        const problem =
          variable === undefined ? undefined : (secretProblem(env, variable) ?? weakness(key, variable, env))
        if (problem) report(['channels', name, key], variable, problem)
      }
}

/** What is wrong with a secret that signs, or with the one before it while it is rotated. */
function weakness(key: string, variable: string, env: EnvironmentVariables): string | undefined {
  if (key !== 'secret_env') return undefined
  for (const name of [variable, previousVariable(variable)]) {
    const secret = readSecret(env, name)
    const fault = secret === undefined ? undefined : secretFault(secret)
    if (fault !== undefined) return `the secret in ${name} cannot be used: ${fault}`
  }
  return undefined
}
