import { resolve } from 'node:path'
import type { KafkaConfig } from '#lib/config.ts'
import { ObstreamError } from '#lib/errors.ts'
import type { SchemaStore } from '#lib/registry/port.ts'
import type { EmbeddedLogOptions } from './embedded-log.ts'
import { openKafkaLog } from './kafka/kafka-log.ts'
import { parseKafkaUrl } from './kafka/kafka-url.ts'
import { openMemoryLog } from './memory.ts'
import type { EventLog } from './port.ts'
import { openSqliteLog } from './sqlite.ts'

export interface OpenLogOptions extends EmbeddedLogOptions {
  /** Paths in the URL are relative to it. */
  readonly dataDir: string
  /** For `kafka://…`. */
  readonly kafka?: KafkaConfig
}

/** Where the schemas of a log lie: in itself, or (`null`) in a registry elsewhere, where its prefix keeps them apart. */
export type LogSchemas = { readonly schemas: SchemaStore } | { readonly schemas: null; readonly prefix: string }

export type OpenedLog = EventLog & LogSchemas

type Open = (rest: string, options: OpenLogOptions) => Promise<OpenedLog>

/** When nothing is configured: a cluster that asks nobody who he is. */
export const plainKafka: KafkaConfig = {
  clientId: 'obstream',
  connectTimeoutMs: 30_000,
  replication: null,
  tls: null,
  sasl: null,
}

const schemes: Readonly<Record<string, Open>> = {
  sqlite: async (path, options) => openSqliteLog({ ...options, path: resolve(options.dataDir, path) }),
  memory: async (_, options) => openMemoryLog(options),
  kafka: (rest, { clock, partitions, kafka = plainKafka }) =>
    openKafkaLog({
      ...parseKafkaUrl(rest),
      clock,
      partitions,
      clientId: kafka.clientId,
      connectTimeoutMs: kafka.connectTimeoutMs,
      ...(kafka.replication === null ? {} : { replication: kafka.replication }),
      ...(kafka.tls === null ? {} : { tls: kafka.tls }),
      ...(kafka.sasl === null ? {} : { sasl: kafka.sasl }),
    }),
}

/**
 * Opens the log that a URL names; an embedded one is created when it is not there.
 *
 * @param url `sqlite:log/obstream.db` (a file, relative to the data directory) or `memory:` (gone with the process)
 *   or `kafka://host:port[,…][/prefix]`
 * @throws OBS_LOG_UNSUPPORTED for another scheme, a file that is no log, a network file system · OBS_LOG_IO, OBS_LOG_BUSY ·
 *   OBS_LOG_UNAVAILABLE, OBS_LOG_ACCESS_DENIED
 */
export async function openLog(url: string, options: OpenLogOptions): Promise<OpenedLog> {
  const [, scheme = '', rest = ''] = /^([a-z]+):(.*)$/.exec(url) ?? []
  const open = Object.hasOwn(schemes, scheme) ? schemes[scheme] : undefined
  if (!open || (scheme === 'sqlite' && rest === '') || (scheme === 'memory' && rest !== ''))
    throw new ObstreamError(
      'OBS_LOG_UNSUPPORTED',
      `"${url}" names no log. Write sqlite:<path> for a file, kafka://host:port for a cluster, or memory: for one that is gone afterwards.`,
    )
  return open(rest, options)
}
