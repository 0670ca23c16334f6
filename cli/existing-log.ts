import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Config } from '#lib/config.ts'
import { ObstreamError } from '#lib/errors.ts'
import { type OpenedLog, openLog, plainKafka } from '#lib/eventlog/open.ts'
import { openRegistry } from '#lib/registry/open.ts'
import type { SchemaRegistry } from '#lib/registry/port.ts'
import { plainRegistry } from '#lib/runtime/config/registry.ts'
import { DEFAULT_CONFIG_PATH } from '#lib/runtime/load-config.ts'
import type { Session } from './session.ts'

/**
 * Opens the log of `--log`, else of the configuration, for a command that only looks: one that is not there is not made.
 *
 * @throws OBS_INPUT_MISSING when there is no log yet
 */
export async function openExistingLog(session: Session): Promise<OpenedLog> {
  return openPlace(session, placeOf(session))
}

/** The same with the registry of its schemas. @throws OBS_CONFIG_INVALID when its schemas lie nobody says where */
export async function openReadableLog(
  session: Session,
): Promise<{ readonly log: OpenedLog; readonly registry: SchemaRegistry }> {
  const place = placeOf(session)
  const log = await openPlace(session, place)
  try {
    return { log, registry: openRegistry(log, place.registry, { onWait: (reason) => session.terminal.warn(reason) }) }
  } catch (error) {
    await log.close()
    throw error
  }
}

/** Where no configuration says how many partitions a log should have; nothing is created then. */
const ANY_NUMBER = 1

type Place = Pick<Config, 'log' | 'partitions' | 'kafka' | 'registry'>

async function openPlace({ context, dataDir }: Session, { log, partitions, kafka }: Place): Promise<OpenedLog> {
  refuseMissingLog(log, dataDir)
  return openLog(log, { clock: context.clock, partitions, dataDir, kafka })
}

/** `--log` needs no configuration, unless it names a cluster that one tells how to speak to. */
export function needsConfig({ flags, dataDir }: Session): boolean {
  const { log, config = DEFAULT_CONFIG_PATH } = flags
  return log === undefined || (log.startsWith('kafka:') && existsSync(resolve(dataDir, config)))
}

function placeOf(session: Session): Place {
  if (needsConfig(session)) return session.loadConfig().config
  const { flags, context } = session
  const { log = '', registry } = flags
  return {
    log,
    partitions: ANY_NUMBER,
    kafka: plainKafka,
    registry: registry === undefined ? null : plainRegistry(registry, context.env),
  }
}

/**
 * @param log as the configuration or `--log` names it
 * @throws OBS_INPUT_MISSING when it is a file that is not there
 */
export function refuseMissingLog(log: string, dataDir: string): void {
  const path = /^sqlite:(.+)$/.exec(log)?.[1]
  if (path !== undefined && !existsSync(resolve(dataDir, path)))
    throw new ObstreamError(
      'OBS_INPUT_MISSING',
      `there is no log ${resolve(dataDir, path)} yet; \`obstream up\` or \`obstream topics apply\` creates it, --data-dir or --log names another`,
    )
}
