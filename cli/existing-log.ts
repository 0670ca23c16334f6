import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { ObstreamError } from '#lib/errors.ts'
import type { EmbeddedLog } from '#lib/eventlog/embedded-log.ts'
import { openLog } from '#lib/eventlog/open.ts'
import type { Session } from './session.ts'

/**
 * Opens the log of `--log`, else of the configuration, for a command that only looks: one that is not there is not made.
 *
 * @throws OBS_INPUT_MISSING when there is no log yet
 */
export async function openExistingLog({ flags, context, dataDir, loadConfig }: Session): Promise<EmbeddedLog> {
  const { log, partitions } = flags.log === undefined ? loadConfig().config : { log: flags.log, partitions: 1 }
  refuseMissingLog(log, dataDir)
  return openLog(log, { clock: context.clock, partitions, dataDir })
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
