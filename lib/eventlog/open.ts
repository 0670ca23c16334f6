import { resolve } from 'node:path'
import { ObstreamError } from '#lib/errors.ts'
import type { EmbeddedLog, EmbeddedLogOptions } from './embedded-log.ts'
import { openMemoryLog } from './memory.ts'
import { openSqliteLog } from './sqlite.ts'

export interface OpenLogOptions extends EmbeddedLogOptions {
  /** Paths in the URL are relative to it. */
  readonly dataDir: string
}

type Open = (rest: string, options: OpenLogOptions) => Promise<EmbeddedLog>

const schemes: Readonly<Record<string, Open>> = {
  sqlite: async (path, options) => openSqliteLog({ ...options, path: resolve(options.dataDir, path) }),
  memory: async (_, options) => openMemoryLog(options),
}

/**
 * Opens the log that a URL names; an embedded one is created when it is not there.
 *
 * @param url `sqlite:log/obstream.db` (a file, relative to the data directory) or `memory:` (gone with the process)
 * @throws OBS_LOG_UNSUPPORTED for another scheme, a file that is no log, a network file system · OBS_LOG_IO, OBS_LOG_BUSY
 */
export async function openLog(url: string, options: OpenLogOptions): Promise<EmbeddedLog> {
  const [, scheme = '', rest = ''] = /^([a-z]+):(.*)$/.exec(url) ?? []
  const open = Object.hasOwn(schemes, scheme) ? schemes[scheme] : undefined
  if (!open || (scheme === 'sqlite' && rest === '') || (scheme === 'memory' && rest !== ''))
    throw new ObstreamError(
      'OBS_LOG_UNSUPPORTED',
      `"${url}" names no log. Write sqlite:<path> for a file or memory: for one that is gone afterwards.`,
    )
  return open(rest, options)
}
