import { partitionCount, type TopicDefinition } from '#lib/topics.ts'
import type { BatchStore, TopicSettings } from './batch-store.ts'
import type { TopicDifference } from './port.ts'

/** What a log should be like, and the store that it is in. */
export interface TopicContext {
  readonly store: BatchStore
  /** Partitions of the latency path as configured; the store may have been created with another number. */
  readonly latencyPartitions: number
}

/** Creates missing topics and corrects settings. Runs within a transaction. */
export function applyTopics(catalogue: readonly TopicDefinition[], { store }: TopicContext): void {
  for (const topic of catalogue) {
    const { name, cleanup, retentionMs } = topic
    const stored = store.topic(name)
    const partitions = stored?.partitions ?? partitionCount(topic, store.latencyPartitions)
    if (stored?.cleanup !== cleanup || stored.retentionMs !== retentionMs)
      store.saveTopic({ name, cleanup, retentionMs, partitions })
  }
}

/** What differs from the catalogue, with the names of settings and values that Kafka has for them. */
export function topicDifferences(
  catalogue: readonly TopicDefinition[],
  context: TopicContext,
): readonly TopicDifference[] {
  return catalogue.flatMap((topic): TopicDifference[] => {
    const expected = printable({ ...topic, partitions: partitionCount(topic, context.latencyPartitions) })
    const stored = context.store.topic(topic.name)
    if (!stored) return [{ topic: topic.name, setting: 'partitions', expected: expected.partitions, actual: null }]
    const actual = printable(stored)
    return (Object.keys(expected) as (keyof typeof expected)[])
      .filter((setting) => expected[setting] !== actual[setting])
      .map((setting) => ({ topic: topic.name, setting, expected: expected[setting], actual: actual[setting] }))
  })
}

function printable({ partitions, cleanup, retentionMs }: Omit<TopicSettings, 'name'>) {
  return { partitions: String(partitions), 'cleanup.policy': cleanup, 'retention.ms': String(retentionMs ?? -1) }
}
