import type { EventLog, PartitionOffsets } from '#lib/eventlog/port.ts'
import { type TopicDefinition, topics } from '#lib/topics.ts'

/** By topic, the stretch of each partition that a replay reads. */
export type Snapshot = ReadonlyMap<string, readonly PartitionOffsets[]>

/**
 * What nobody derives: it happened outside, so a replay takes it as it was recorded. Facts that name others come before
 * these: the log may grow while the ends are read, and each end read later is later. So no job has a cut above the samples,
 * and no tick a plan beyond the plans.
 */
const primaryTopics: readonly TopicDefinition[] = [
  topics.job,
  topics.delivery,
  topics.command,
  topics.run,
  topics.portfolio,
  topics.evState,
  topics.slippage,
  topics.sample,
  topics.plan,
]

/** Where the primary topics begin and end now. */
export async function takeSnapshot(log: EventLog): Promise<Snapshot> {
  const snapshot = new Map<string, readonly PartitionOffsets[]>()
  for (const { name } of primaryTopics) snapshot.set(name, await log.offsets(name))
  return snapshot
}
