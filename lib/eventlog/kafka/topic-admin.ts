import { ObstreamError } from '#lib/errors.ts'
import { SECOND_MS } from '#lib/time.ts'
import { partitionCount, type TopicDefinition } from '#lib/topics.ts'
import type { TopicDifference } from '../port.ts'
import { answerOf } from './broker-errors.ts'
import type { Cluster } from './cluster.ts'
import { requestOf } from './kafkajs.ts'
import { listOffsets } from './offsets.ts'
import { patiently } from './patience.ts'
import { isSameSetting, settingsOf, type TopicSettings } from './topic-settings.ts'

export interface TopicAdminOptions {
  readonly cluster: Cluster
  readonly nameOf: (topic: string) => string
  /** Of the latency path. */
  readonly latencyPartitions: number
  /** Copies of each record; default: three, or as many as there are brokers. */
  readonly replication?: number
}

const DEFAULT_REPLICATION = 3
const CREATE_TIMEOUT_MS = 15 * SECOND_MS
const TOPIC_RESOURCE = 2
/** Where a setting of a topic's own comes from, in an answer about its settings. */
const OF_THE_TOPIC = 1

interface DescribedConfigs {
  readonly resources: readonly {
    readonly resourceName: string
    readonly configEntries: readonly {
      readonly configName: string
      readonly configValue: string | null
      readonly configSource: number
    }[]
  }[]
}

interface DescribedTopic {
  readonly values: TopicSettings
  /** Those that were set for this topic. */
  readonly own: TopicSettings
}

/** Creates topics, tells and corrects their settings. */
export class TopicAdmin {
  readonly #options: TopicAdminOptions

  constructor(options: TopicAdminOptions) {
    this.#options = options
  }

  /** As `EventLog.topics.apply`. */
  async apply(catalogue: readonly TopicDefinition[]): Promise<readonly TopicDifference[]> {
    const differences = await this.check(catalogue)
    const isMissing = (topic: TopicDefinition): boolean =>
      differences.some((d) => d.topic === topic.name && d.actual === null)
    const missing = catalogue.filter(isMissing)
    if (missing.length > 0) await this.#create(missing)
    const different = catalogue.filter((topic) =>
      differences.some((d) => d.topic === topic.name && d.actual !== null && d.setting !== 'partitions'),
    )
    if (different.length > 0) await this.#correct(different)
    return differences.length === 0 ? [] : this.#untilApplied(catalogue, [...missing, ...different])
  }

  /** As `EventLog.topics.check`. */
  async check(catalogue: readonly TopicDefinition[]): Promise<readonly TopicDifference[]> {
    const there = await this.#existing(catalogue)
    const described = await this.#describe(catalogue.filter(({ name }) => there.has(name)))
    return catalogue.flatMap((topic) => {
      const count = String(partitionCount(topic, this.#options.latencyPartitions))
      const differs = (setting: string, expected: string, actual: string | null): TopicDifference => ({
        topic: topic.name,
        setting,
        expected,
        actual,
      })
      const partitions = there.get(topic.name)
      if (partitions === undefined) return [differs('partitions', count, null)]
      const { values } = described.get(topic.name)!
      return [
        ...(String(partitions) === count ? [] : [differs('partitions', count, String(partitions))]),
        ...Object.entries(this.#settingsOf(topic))
          .filter(([name, expected]) => !isSameSetting(expected, values[name] ?? ''))
          .map(([name, expected]) => differs(name, expected, values[name] ?? '')),
      ]
    })
  }

  /** Numbers of partitions by topic. */
  async #existing(catalogue: readonly TopicDefinition[]): Promise<ReadonlyMap<string, number>> {
    const { cluster, nameOf } = this.#options
    const found = new Map<string, number>()
    for (const { name } of catalogue) {
      const topic = await patiently(name, () => cluster.findTopic(nameOf(name)))
      if (topic) found.set(name, topic.partitions.length)
    }
    return found
  }

  async #describe(topics: readonly TopicDefinition[]): Promise<ReadonlyMap<string, DescribedTopic>> {
    if (topics.length === 0) return new Map()
    const { cluster, nameOf } = this.#options
    const resources = topics.map(({ name }) => ({ type: TOPIC_RESOURCE, name: nameOf(name) }))
    const described = await patiently('The settings of topics', () =>
      cluster.askAnyone<DescribedConfigs>((versions) =>
        requestOf('DescribeConfigs', versions, { resources, includeSynonyms: false }),
      ),
    )
    const byName = new Map(described.resources.map(({ resourceName, configEntries }) => [resourceName, configEntries]))
    return new Map(
      topics.map(({ name }) => {
        const entries = byName.get(nameOf(name)) ?? []
        return [
          name,
          { values: settings(entries), own: settings(entries.filter((e) => e.configSource === OF_THE_TOPIC)) },
        ]
      }),
    )
  }

  async #create(topics: readonly TopicDefinition[]): Promise<void> {
    const { cluster, nameOf, latencyPartitions } = this.#options
    const values = {
      validateOnly: false,
      timeout: CREATE_TIMEOUT_MS,
      topics: topics.map((topic) => ({
        topic: nameOf(topic.name),
        numPartitions: partitionCount(topic, latencyPartitions),
        replicationFactor: this.#replication,
        configEntries: entriesOf(this.#settingsOf(topic)),
      })),
    }
    await patiently('Topics cannot be created', async () => {
      const line = await cluster.controllerLine()
      try {
        await line.send((versions) => requestOf('CreateTopics', versions, values), CREATE_TIMEOUT_MS)
      } catch (error) {
        const [fault] = faultsOf(error)
        if (fault !== undefined) throw fault
      }
    })
  }

  /** Kafka takes all settings of a topic's own at once, so those that are not ours are sent along as they are. */
  async #correct(topics: readonly TopicDefinition[]): Promise<void> {
    const { cluster, nameOf } = this.#options
    const described = await this.#describe(topics)
    const resources = topics.map((topic) => ({
      type: TOPIC_RESOURCE,
      name: nameOf(topic.name),
      configEntries: entriesOf({ ...described.get(topic.name)!.own, ...this.#settingsOf(topic) }),
    }))
    await patiently('The settings of topics cannot be corrected', async () => {
      const line = await cluster.controllerLine()
      await line.send((versions) => requestOf('AlterConfigs', versions, { resources, validateOnly: false }))
    })
  }

  /** Brokers hear of a change a moment after it was made. */
  async #untilApplied(
    catalogue: readonly TopicDefinition[],
    changed: readonly TopicDefinition[],
  ): Promise<readonly TopicDifference[]> {
    const { cluster, nameOf } = this.#options
    const changedNames = new Set(changed.map(({ name }) => name))
    let differences: readonly TopicDifference[] = []
    try {
      await patiently('Topics are not as they were set', async () => {
        for (const { name } of changed) cluster.forgetTopic(nameOf(name))
        differences = await this.check(catalogue)
        const waits = differences.some(
          ({ topic, setting, actual }) => changedNames.has(topic) && (setting !== 'partitions' || actual === null),
        )
        if (waits) throw new ObstreamError('OBS_LOG_UNAVAILABLE', 'Topics are not as they were set yet.')
        // A leader answers this only once it knows that it is one.
        for (const { name } of changed) await listOffsets(cluster, { topic: nameOf(name) })
      })
    } catch (error) {
      if (differences.length === 0) throw error
    }
    return differences
  }

  #settingsOf(topic: TopicDefinition): TopicSettings {
    return settingsOf(topic, Math.max(1, this.#replication - 1))
  }

  get #replication(): number {
    return this.#options.replication ?? Math.min(DEFAULT_REPLICATION, this.#options.cluster.size)
  }
}

function settings(entries: DescribedConfigs['resources'][number]['configEntries']): TopicSettings {
  return Object.fromEntries(entries.map(({ configName, configValue }) => [configName, configValue ?? '']))
}

function entriesOf(values: TopicSettings): { readonly name: string; readonly value: string }[] {
  return Object.entries(values).map(([name, value]) => ({ name, value }))
}

/** The faults of single topics, which kafkajs tells in one error. What another process was faster with is none. */
function faultsOf(error: unknown): readonly unknown[] {
  const { errors = [error] } = error as { readonly errors?: readonly unknown[] }
  return errors.filter((each) => answerOf(each) !== 'TOPIC_ALREADY_EXISTS')
}
