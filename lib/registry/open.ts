import type { RegistryConfig } from '#lib/config.ts'
import { ObstreamError } from '#lib/errors.ts'
import type { LogSchemas } from '#lib/eventlog/open.ts'
import { openConfluentRegistry } from './confluent.ts'
import { openEmbeddedRegistry } from './embedded.ts'
import type { SchemaRegistry } from './port.ts'

/** Who uses a registry, and how patiently. */
export interface RegistryUse {
  /** A service waits for a schema as long as it takes; a command no longer than its start would. */
  readonly isService?: boolean
  /** Hears why somebody waits, when he begins to. */
  readonly onWait?: (reason: string) => void
}

/**
 * The registry of a log's schemas: the log itself where it keeps them, else the one that the configuration names.
 *
 * @throws OBS_CONFIG_INVALID when the log keeps none and none is named
 */
export function openRegistry(
  log: LogSchemas,
  config: RegistryConfig | null,
  { isService = false, ...told }: RegistryUse = {},
): SchemaRegistry {
  const use = { ...told, ...(isService ? { schemaWaitMs: Number.POSITIVE_INFINITY } : {}) }
  if (log.schemas) return openEmbeddedRegistry(log.schemas, use)
  if (config) return openConfluentRegistry({ ...config, ...use, prefix: log.prefix })
  throw new ObstreamError(
    'OBS_CONFIG_INVALID',
    'a log on Kafka keeps its schemas in a registry, and none is named; write registry.url, or --registry http://host:8081',
  )
}
