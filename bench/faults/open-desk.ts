import type { EventLog } from '#lib/eventlog/port.ts'
import { openSqliteLog } from '#lib/eventlog/sqlite.ts'
import { openRegistry } from '#lib/registry/open.ts'
import { systemClock } from '#lib/runtime/clock.ts'
import { type Environment, type EnvironmentParts, environmentOn, openEnvironment } from '#lib/runtime/environment.ts'
import { randomIds } from '#lib/runtime/ids.ts'
import { loadConfig } from '#lib/runtime/load-config.ts'
import { createMetricsRegistry } from '#lib/runtime/metrics.ts'
import { catalogue } from '#lib/topics.ts'

/** A log, and the data directory whose configuration it is written with. */
export interface DeskPlaces {
  readonly dataDir: string
  /** URL. */
  readonly log: string
  /** URL, for a log on Kafka. */
  readonly registry?: string
}

/** Opens a log as the product does. */
export function openDesk(places: DeskPlaces): Promise<Environment> {
  return openEnvironment(partsOf(places))
}

/**
 * Copies a log that nobody writes: each batch with the same records at the same offsets. What groups have committed is
 * not copied.
 *
 * @param path of a SQLite file that is not there yet
 */
export async function copyRecords(log: EventLog, path: string): Promise<void> {
  const partitions = (await log.offsets(catalogue[0]!.name)).length
  const copy = openSqliteLog({ path, clock: systemClock, partitions })
  try {
    await copy.topics.apply(catalogue)
    for (const { name } of catalogue)
      for (const { partition, earliest, end } of await log.offsets(name))
        for await (const batch of log.read(name, partition, earliest, end)) {
          const records = [...batch.records()].map(({ key, value, headers }) => ({ key, value: value!, headers }))
          const { baseOffset } = await copy.append(name, partition, records)
          if (baseOffset !== batch.baseOffset)
            throw new Error(`${name}/${partition}: offset ${batch.baseOffset} became ${baseOffset} in the copy`)
        }
  } finally {
    await copy.close()
  }
}

/** Opens such a copy; its schemas are where they were. */
export async function openCopiedRecords(path: string, places: DeskPlaces): Promise<Environment> {
  const parts = partsOf(places)
  const { partitions, registry } = parts.config
  const log = openSqliteLog({ path, clock: systemClock, partitions })
  try {
    return await environmentOn(log, openRegistry({ schemas: null, prefix: '' }, registry), parts)
  } catch (error) {
    await log.close()
    throw error
  }
}

function partsOf({ dataDir, log, registry }: DeskPlaces): EnvironmentParts {
  const overrides = { log, ...(registry === undefined ? {} : { registry }) }
  return {
    config: loadConfig({ dataDir, env: {}, overrides }).config,
    clock: systemClock,
    ids: randomIds,
    logger: { info: () => {}, warn: () => {} },
    metrics: createMetricsRegistry(),
  }
}
