import type { RegistryConfig } from '#lib/config.ts'
import { ObstreamError } from '#lib/errors.ts'
import type { LogSchemas } from '#lib/eventlog/open.ts'
import { openConfluentRegistry } from './confluent.ts'
import { openEmbeddedRegistry } from './embedded.ts'
import type { SchemaRegistry } from './port.ts'

/**
 * The registry of a log's schemas: the log itself where it keeps them, else the one that the configuration names.
 *
 * @param onWait hears why a start waits
 * @throws OBS_CONFIG_INVALID when the log keeps none and none is named
 */
export function openRegistry(
  log: LogSchemas,
  config: RegistryConfig | null,
  onWait?: (reason: string) => void,
): SchemaRegistry {
  if (log.schemas) return openEmbeddedRegistry(log.schemas)
  if (config) return openConfluentRegistry({ ...config, prefix: log.prefix, ...(onWait ? { onWait } : {}) })
  throw new ObstreamError(
    'OBS_CONFIG_INVALID',
    'a log on Kafka keeps its schemas in a registry, and none is named; write registry.url, or --registry http://host:8081',
  )
}
