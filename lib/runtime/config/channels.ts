import { canonicalJson } from '#lib/codec/canonical-json.ts'
import { sha256Hex } from '#lib/codec/sha256.ts'
import type { ChannelConfig, DeliveryConfig } from '#lib/config.ts'
import { type AllowedHost, HOW_TO_WRITE_A_HOST, parseAllowedHost, urlTextRefusal } from '#lib/delivery/address-guard.ts'
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

/**
 * Whether something will be sent to the channels in use; a list: to these only. `perhaps`: nothing need be set, but what is
 * set must be fit to be sent with.
 */
export type Sends = boolean | 'perhaps' | readonly string[]

interface ChannelChecks {
  readonly main: RawConfig
  readonly alert: RawAlertConfig
  readonly env: EnvironmentVariables
  readonly sends: Sends
}

/**
 * Channels that something will be sent to must have what they need, and nothing that the sender would refuse. In use are
 * those of routes and the one that takes over.
 */
export function checkChannels({ main, alert, env, sends }: ChannelChecks, report: Report): void {
  if (sends === false) return
  const inUse = [...Object.values(main.routes).flat(), alert.delivery.fallback]
  const used = new Set(typeof sends === 'object' ? sends : inUse)
  const allowed = alert.delivery.allow_hosts.flatMap((entry) => parseAllowedHost(entry) ?? [])
  for (const [name, channel] of Object.entries(main.channels))
    if (used.has(name)) {
      for (const key of ['url_env', 'secret_env', 'key_env'] as const) {
        const variable = channel[key]
        const fault = variable === undefined ? undefined : variableFault(key, variable, { env, allowed, sends })
        if (fault !== undefined) report(['channels', name, key], variable, fault)
      }
      const refusal = channel.url === undefined ? null : urlTextRefusal(channel.url, allowed)
      if (refusal !== null) report(['channels', name, 'url'], channel.url, `${refusal}; ${HOW_TO_WRITE_A_URL}`)
    }
}

/** Hosts that cannot be read would allow nothing. A URL is not shown: it may be a secret. */
export function checkAllowedHosts({ delivery }: RawAlertConfig, report: Report): void {
  for (const [index, entry] of delivery.allow_hosts.entries()) {
    if (parseAllowedHost(entry) !== null) continue
    const path = ['delivery', 'allow_hosts', index]
    const meant = hostMeantBy(entry)
    if (meant === null) report(path, entry, `is no host; ${HOW_TO_WRITE_A_HOST}`)
    else
      report(path, undefined, `is no host, so it allows nothing; write ${JSON.stringify(meant)}, no scheme and no path`)
  }
}

/** The host in an entry that is a URL, or a host with a path; `null`: there is none. */
function hostMeantBy(entry: string): string | null {
  const host = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(entry) ? entry : `http://${entry}`)?.host ?? ''
  return parseAllowedHost(host) === null ? null : host
}

const HOW_TO_WRITE_A_URL =
  'write all of it, https:// first, without a user or a password; for plain http or a private address name the host under delivery.allow_hosts'
const ROUTING_KEY = /^[A-Za-z0-9]{32}$/

/** What is wrong with what a variable holds, or that it holds nothing. The text does not hold the value. */
function variableFault(
  key: 'url_env' | 'secret_env' | 'key_env',
  variable: string,
  { env, allowed, sends }: Pick<ChannelChecks, 'env' | 'sends'> & { readonly allowed: readonly AllowedHost[] },
): string | undefined {
  const problem = secretProblem(env, variable)
  if (problem !== undefined) return sends === 'perhaps' && !env[`${variable}_FILE`] ? undefined : problem
  const value = readSecret(env, variable)!
  if (key === 'secret_env') return signingFault(variable, env)
  if (key === 'url_env') {
    const refusal = urlTextRefusal(value, allowed)
    return refusal === null
      ? undefined
      : `nothing can be sent to what ${variable} holds: ${refusal}; ${HOW_TO_WRITE_A_URL}`
  }
  return ROUTING_KEY.test(value)
    ? undefined
    : `the key in ${variable} is not 32 letters and digits; set it to the integration key of the service's Events API v2`
}

/** Of a secret that signs, or of the one before it while it is rotated. */
function signingFault(variable: string, env: EnvironmentVariables): string | undefined {
  for (const name of [variable, previousVariable(variable)]) {
    const secret = readSecret(env, name)
    const fault = secret === undefined ? undefined : secretFault(secret)
    if (fault !== undefined) return `the secret in ${name} cannot be used: ${fault}`
  }
  return undefined
}
