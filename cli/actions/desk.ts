import type { Config } from '#lib/config.ts'
import { readBuildInfo } from '#lib/runtime/build-info.ts'
import { type Environment, type EnvironmentParts, openEnvironment } from '#lib/runtime/environment.ts'
import { randomIds } from '#lib/runtime/ids.ts'
import type { LoadedConfig, Sends } from '#lib/runtime/load-config.ts'
import { createMetricsRegistry } from '#lib/runtime/metrics.ts'
import type { RunLogger } from '#lib/runtime/run.ts'
import { refuseMissingLog } from '../existing-log.ts'
import type { Session } from '../session.ts'

/** What a command asks of its configuration. */
export interface DeskRequest {
  /** From the data directory. */
  readonly alertConfig: string
  /** Ends a start that waits. */
  readonly interrupted?: AbortSignal
  /** Channels that will be sent to; default: none. */
  readonly sends?: Sends
}

/**
 * Opens the log that the configuration names, for a command that works on it.
 *
 * @param service name in the logger's lines
 * @throws OBS_CONFIG_INVALID and what `openEnvironment` throws
 */
export async function openDesk(session: Session, service: string, request: DeskRequest): Promise<Environment> {
  const { alertConfig, sends = false } = request
  const loaded = session.loadConfig({ alertConfigPath: alertConfig, sends })
  return openLoaded(session, loaded, { service, ...request })
}

/** The same for a command that only looks. @throws OBS_INPUT_MISSING when there is no log yet */
export async function openExistingDesk(session: Session, service: string, request: DeskRequest): Promise<Environment> {
  const { alertConfig, sends = [] } = request
  const loaded = session.loadConfig({ alertConfigPath: alertConfig, sends })
  return openExistingLoaded(session, loaded, { service, ...request })
}

/** The same for one that has loaded its configuration. @throws OBS_INPUT_MISSING when there is no log yet */
export function openExistingLoaded(
  session: Session,
  loaded: LoadedConfig,
  request: { readonly service: string; readonly interrupted?: AbortSignal },
): Promise<Environment> {
  refuseMissingLog(loaded.config.log, loaded.config.dataDir)
  return openLoaded(session, loaded, request)
}

function openLoaded(
  session: Session,
  { config, secrets }: LoadedConfig,
  { service, interrupted }: { readonly service: string; readonly interrupted?: AbortSignal },
): Promise<Environment> {
  const logger = withoutNews(session.logger(service, secrets))
  return openEnvironment({ ...partsOf(session, config, logger), ...(interrupted ? { interrupted } : {}) })
}

/** For commands that end by themselves: what they do, they say at the end; warnings are told at once. */
export function withoutNews(logger: RunLogger): RunLogger {
  return { info: () => {}, warn: (fields, message) => logger.warn(fields, message) }
}

/** Opens the log of a configuration that is at hand, for services. @throws what `openEnvironment` throws */
export function openServiceDesk(session: Session, config: Config, logger: RunLogger): Promise<Environment> {
  return openEnvironment({ ...partsOf(session, config, logger), isService: true })
}

function partsOf(session: Session, config: Config, logger: RunLogger): EnvironmentParts {
  return { config, clock: session.context.clock, ids: randomIds, logger, metrics: createMetricsRegistry() }
}

/** What started this process, for the records of its jobs; flags hold no secrets, those come from the environment. */
export function provenanceOf(session: Session): {
  readonly command: readonly string[]
  readonly commitSha: string | null
} {
  return { command: ['obstream', ...process.argv.slice(2)], commitSha: readBuildInfo(session.context.env).commitSha }
}
