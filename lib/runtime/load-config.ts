import { resolve } from 'node:path'
import type { Config, ConfigFault } from '#lib/config.ts'
import { isObstreamError } from '#lib/errors.ts'
import type { ConfigOverrides } from './config/build.ts'
import { buildConfig } from './config/build.ts'
import type { Sends } from './config/channels.ts'
import type { Checked } from './config/checks.ts'
import { findFaults, findWarnings } from './config/checks.ts'
import { fitToSchema } from './config/fit.ts'
import { absolutePath } from './config/paths.ts'
import type { RawAlertConfig, RawCalendar, RawConfig } from './config/raw.ts'
import type { ConfigSchemaName } from './config/schema.ts'
import type { YamlFile } from './config/yaml-file.ts'
import { readYamlFile } from './config/yaml-file.ts'
import { ConfigError, shownValue, sortFaults } from './config-faults.ts'
import type { EnvironmentVariables } from './secrets.ts'
import { previousVariable, readSecret } from './secrets.ts'

export type { ConfigOverrides } from './config/build.ts'
export type { Sends } from './config/channels.ts'

export const DEFAULT_CONFIG_PATH = 'obstream.yaml'
export const DEFAULT_ALERT_CONFIG_PATH = 'configs/observability/latency_alert.yaml'

export interface LoadConfigOptions {
  readonly dataDir: string
  /** From the data directory; default `obstream.yaml`. */
  readonly configPath?: string
  /** From the data directory; default `configs/observability/latency_alert.yaml`. */
  readonly alertConfigPath?: string
  readonly env: EnvironmentVariables
  readonly overrides?: ConfigOverrides
  /**
   * Whether notifications will be sent: then the channels in use must have their secrets, and such that the sender does not
   * refuse. A list names the channels that alone will be sent to, in use or not. `perhaps`: only what is set must be fit.
   * Default `false`.
   */
  readonly sends?: Sends
  /** Whether there is a warning of alerts that nobody would hear of, and of channels that nothing leads to. Default `false`. */
  readonly asksWhoIsTold?: boolean
}

export interface LoadedConfig {
  readonly config: Config
  /** What is allowed and yet hardly meant, by place. */
  readonly warnings: readonly ConfigFault[]
  /** Values of the secrets that the configuration names, for the logger to hide. */
  readonly secrets: readonly string[]
}

/**
 * Reads and checks the whole configuration before anything connects.
 *
 * @throws ConfigError (OBS_CONFIG_INVALID) with all faults of all files at once
 * @throws OBS_CONFIG_NOT_FOUND, OBS_INPUT_MISSING
 */
export function loadConfig(options: LoadConfigOptions): LoadedConfig {
  const dataDir = resolve(options.dataDir)
  const { env } = options
  const mainFile = readYamlFile(absolutePath(dataDir, options.configPath ?? DEFAULT_CONFIG_PATH))
  const alertFile = readYamlFile(absolutePath(dataDir, options.alertConfigPath ?? DEFAULT_ALERT_CONFIG_PATH))
  const faults = [...faultsOf(mainFile, 'obstream'), ...faultsOf(alertFile, 'latency_alert')]
  if (faults.length > 0) throw new ConfigError(faults)

  const overrides = options.overrides ?? {}
  const main = withPlaces(mainFile.value as RawConfig, overrides)
  const alert = alertFile.value as RawAlertConfig
  const { sends = false, asksWhoIsTold = false } = options
  const checked: Checked = { dataDir, env, mainFile, alertFile, main, alert, sends, asksWhoIsTold }
  const calendar = readCalendar(mainFile, dataDir, main.calendar)
  faults.push(...findFaults(checked), ...calendar.faults)
  if (faults.length > 0) throw new ConfigError(faults)

  const config = buildConfig({
    dataDir,
    main,
    alert,
    calendar: calendar.value,
    env,
    overrides,
  })
  return { config, warnings: sortFaults(findWarnings(checked)), secrets: secretsOf(main, env) }
}

function faultsOf(file: YamlFile, schema: ConfigSchemaName): readonly ConfigFault[] {
  return file.faults.length > 0 ? file.faults : fitToSchema(file, schema)
}

function withPlaces(main: RawConfig, { log, registry }: ConfigOverrides): RawConfig {
  const url = registry ?? main.registry.url
  return { ...main, log: log ?? main.log, registry: { ...main.registry, url } }
}

interface ReadCalendar {
  readonly value: RawCalendar
  readonly faults: readonly ConfigFault[]
}

function readCalendar(mainFile: YamlFile, dataDir: string, calendar: string): ReadCalendar {
  if (calendar === 'always' || calendar === 'fx') return { value: { kind: calendar, holidays: [] }, faults: [] }
  try {
    const file = readYamlFile(absolutePath(dataDir, calendar))
    return { value: file.value as RawCalendar, faults: faultsOf(file, 'calendar') }
  } catch (error) {
    if (!isObstreamError(error)) throw error
    const message = 'is neither `always` nor `fx` nor a file that can be read; write one of them'
    const fault = {
      file: mainFile.path,
      ...mainFile.place(['calendar'], 'value'),
      key: 'calendar',
      value: shownValue('calendar', calendar),
      message,
    }
    return { value: { kind: 'always', holidays: [] }, faults: [fault] }
  }
}

const FIXED_SECRETS = ['OBS_API_TOKEN', 'OBS_PUSH_TOKEN', 'OBS_WEBHOOK_SECRET', 'OBS_WEBHOOK_SECRET_PREVIOUS']

function secretsOf(main: RawConfig, env: EnvironmentVariables): readonly string[] {
  const channels = Object.values(main.channels).flatMap(({ url_env, secret_env, key_env }) => {
    const signing = secret_env ?? key_env
    return [url_env, signing, signing && previousVariable(signing)]
  })
  const headers = main.sources.flatMap((source) => (source.kind === 'http' ? Object.values(source.headers_env) : []))
  const { kafka, registry } = main
  const names = new Set([
    ...FIXED_SECRETS,
    ...channels,
    ...headers,
    main.deadman.url_env,
    kafka.sasl.username_env,
    kafka.sasl.password_env,
    registry.username_env,
    registry.password_env,
  ])
  return [...names].flatMap((name) => (name ? (readSecret(env, name) ?? []) : []))
}
