import type { Registry } from 'prom-client'
import type { TopicCodec, ValueOf } from '#lib/codec/avro.ts'
import { openCodec } from '#lib/codec/avro.ts'
import type { Config } from '#lib/config.ts'
import { ObstreamError } from '#lib/errors.ts'
import { openLog } from '#lib/eventlog/open.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import { openRegistry } from '#lib/registry/open.ts'
import type { SchemaRegistry } from '#lib/registry/port.ts'
import type { TopicDefinition } from '#lib/topics.ts'
import { catalogue, topics } from '#lib/topics.ts'
import type { Clock } from './clock.ts'
import type { Ids } from './ids.ts'
import { createRunCounters } from './metrics.ts'
import { PlanStore } from './plan-store.ts'
import type { RunDependencies, RunLogger } from './run.ts'

/** What every service of one process shares. Services get it, and nothing else, from outside. */
export interface Environment extends RunDependencies {
  readonly config: Config
  readonly ids: Ids
  readonly registry: SchemaRegistry
  /** Of the process; services declare their own metrics in it. */
  readonly metrics: Registry
  /** Closes the log. Stop the services first. */
  close(): Promise<void>
}

/** What a process brings to its environment. */
export interface EnvironmentParts {
  readonly config: Config
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: RunLogger
  readonly metrics: Registry
  /** Whether it is there to stay: then it waits for a schema as long as it takes. Default: it ends by itself. */
  readonly isService?: boolean
  /** Ends a start that waits. */
  readonly interrupted?: AbortSignal
}

/**
 * Opens the log of a configuration, creates its topics, registers its schemas.
 *
 * @throws OBS_LOG_UNSUPPORTED, OBS_LOG_TOPIC_DIFFERS with every difference · OBS_REGISTRY_INCOMPATIBLE,
 *   OBS_REGISTRY_UNAVAILABLE when the registry stays away longer than the configuration waits, OBS_REGISTRY_ACCESS_DENIED ·
 *   the reason of `interrupted`
 */
export async function openEnvironment(parts: EnvironmentParts): Promise<Environment> {
  const { config, clock } = parts
  const log = await openLog(config.log, {
    clock,
    partitions: config.partitions,
    dataDir: config.dataDir,
    kafka: config.kafka,
    onBackgroundError: (error) => parts.logger.warn({ error }, 'the log could not be tidied up; it tries again'),
  })
  try {
    const registry = openRegistry(log, config.registry, {
      isService: parts.isService === true,
      onWait: (reason) => parts.logger.warn({}, reason),
    })
    return await environmentOn(log, registry, parts)
  } catch (error) {
    await log.close()
    throw error
  }
}

/** The same on a log and a registry that are open already. */
export async function environmentOn(
  log: EventLog,
  registry: SchemaRegistry,
  parts: EnvironmentParts,
): Promise<Environment> {
  await assertTopics(log)
  const counters = createRunCounters(parts.metrics)
  const codecs = new Map<TopicDefinition, TopicCodec<object>>()
  for (const topic of catalogue)
    if (topic.schema !== null)
      codecs.set(topic, (await openCodec(topic, registry, parts.interrupted)) as TopicCodec<object>)
  const plans = new PlanStore(log, await openCodec(topics.plan, registry, parts.interrupted))
  return { ...parts, log, registry, counters, codecs, plans, close: () => log.close() }
}

/** The codec of a topic, with the type of its values. @throws TypeError for a topic without a schema */
export function codecOf<Topic extends TopicDefinition>(
  { codecs }: Pick<Environment, 'codecs'>,
  topic: Topic,
): TopicCodec<ValueOf<Topic>> {
  const codec = codecs.get(topic)
  if (!codec) throw new TypeError(`${topic.name} has no schema`)
  return codec as TopicCodec<object> as TopicCodec<ValueOf<Topic>>
}

async function assertTopics(log: EventLog): Promise<void> {
  const differences = await log.topics.apply(catalogue)
  if (differences.length === 0) return
  const lines = differences.map(
    ({ topic, setting, expected, actual }) => `  ${topic}: ${setting} is ${actual ?? 'absent'}, should be ${expected}`,
  )
  throw new ObstreamError(
    'OBS_LOG_TOPIC_DIFFERS',
    `the log's topics are not as the catalogue says:\n${lines.join('\n')}`,
  )
}
