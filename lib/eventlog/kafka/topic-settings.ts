import { COMPACTION_LAG_MS, MAX_BATCH_BYTES, MAX_DEAD_LETTER_BYTES, type TopicDefinition, topics } from '#lib/topics.ts'

/** Kafka's names and values of what a topic must be like; everything else is left to the brokers. */
export type TopicSettings = Readonly<Record<string, string>>

/**
 * What the catalogue means in Kafka's words. Brokers would otherwise drop records after a week or by size, keep the
 * producers' times, compact what readers have not seen, and after an election forget what they have acknowledged.
 *
 * @param minInSync replicas that must have a record before it is acknowledged
 */
export function settingsOf(topic: TopicDefinition, minInSync: number): TopicSettings {
  const maxBatchBytes = topic.name === topics.deadLetter.name ? MAX_DEAD_LETTER_BYTES : MAX_BATCH_BYTES
  return {
    'cleanup.policy': topic.cleanup,
    'retention.ms': String(topic.retentionMs ?? -1),
    'retention.bytes': '-1',
    'min.compaction.lag.ms': String(COMPACTION_LAG_MS),
    'max.message.bytes': String(maxBatchBytes),
    'message.timestamp.type': 'LogAppendTime',
    'min.insync.replicas': String(minInSync),
    'unclean.leader.election.enable': 'false',
  }
}

/** Of a list as `cleanup.policy` is one, in any order. */
export function isSameSetting(a: string, b: string): boolean {
  const inOrder = (list: string): string => list.split(',').sort().join(',')
  return inOrder(a) === inOrder(b)
}
