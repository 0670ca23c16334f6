import { ObstreamError } from '#lib/errors.ts'
import type { Instant } from '#lib/time.ts'
import type { Offset, PartitionOffsets, Progress } from '../port.ts'
import { parseProgress } from '../progress.ts'
import type { Cluster } from './cluster.ts'
import { requestOf } from './kafkajs.ts'
import { patiently } from './patience.ts'

/** Kafka's "timestamps" for the ends of a partition. */
const EARLIEST = -2
const LATEST = -1
const READ_UNCOMMITTED = 0

interface ListedOffsets {
  readonly responses: readonly {
    readonly partitions: readonly { readonly partition: number; readonly offset: string }[]
  }[]
}

export interface OffsetsAsked {
  /** As the cluster knows it. */
  readonly topic: string
  readonly atMs?: Instant
  /** An end before it is that of a broker which leads no more, and is asked for again. Default: 0. */
  readonly knownEnd?: (partition: number) => Offset
}

/**
 * The bounds of all partitions of a topic. Each attempt looks at the topic anew: brokers answer by name, and only its id
 * tells a topic that was created anew from the one whose records a job counts on.
 *
 * @throws as {@link Cluster.topic}
 */
export async function listOffsets(
  cluster: Cluster,
  { topic, atMs, knownEnd = () => 0 }: OffsetsAsked,
): Promise<readonly PartitionOffsets[]> {
  return patiently(`The offsets of ${topic}`, async () => {
    cluster.forgetTopic(topic)
    await cluster.topic(topic)
    const [earliest, latest, asked] = await Promise.all([
      offsetsAt(cluster, topic, EARLIEST),
      offsetsAt(cluster, topic, LATEST),
      atMs === undefined ? undefined : offsetsAt(cluster, topic, Math.max(atMs, 0)),
    ])
    for (const [partition, end] of latest.entries()) refuseOldEnd(`${topic}/${partition}`, end, knownEnd(partition))
    return latest.map((end, partition) => {
      const found = asked?.[partition] ?? -1
      return { partition, earliest: earliest[partition]!, end, atOrAfter: found < 0 ? end : Math.min(found, end) }
    })
  })
}

function refuseOldEnd(place: string, end: Offset, known: Offset): void {
  if (end < known)
    throw new ObstreamError(
      'OBS_LOG_UNAVAILABLE',
      `${place}: a broker tells the end ${end}, but records before ${known} are acknowledged. It leads no more, or has lost them.`,
    )
}

/** -1 where there is no record at or after it. */
async function offsetsAt(cluster: Cluster, topic: string, timestamp: number): Promise<readonly Offset[]> {
  const { partitions } = await cluster.topic(topic)
  const offsets: Offset[] = new Array(partitions.length).fill(-1)
  await Promise.all(
    [...Map.groupBy(partitions, ({ leader }) => leader)].map(async ([, led]) => {
      const line = await cluster.leaderLine(topic, led[0]!.partition, 'ask')
      const asked = led.map(({ partition }) => ({ partition, timestamp }))
      const { responses } = await line.send<ListedOffsets>((versions) =>
        requestOf('ListOffsets', versions, {
          isolationLevel: READ_UNCOMMITTED,
          topics: [{ topic, partitions: asked }],
        }),
      )
      for (const { partition, offset } of responses[0]!.partitions) offsets[partition] = Number(offset)
    }),
  )
  return offsets
}

interface FetchedCommits {
  readonly responses: readonly {
    readonly partitions: readonly { readonly partition: number; readonly offset: string; readonly metadata: string }[]
  }[]
}

/** What a group has committed; partitions without a commit, or with one of another program, are left out. */
export async function fetchCommits(
  cluster: Cluster,
  group: string,
  topic: string,
): Promise<readonly ({ readonly partition: number } & Progress)[]> {
  const { partitions } = await cluster.topic(topic)
  const asked = partitions.map(({ partition }) => ({ partition }))
  const { responses } = await patiently(`The commits of ${group}`, async () => {
    try {
      const line = await cluster.coordinatorLine(group, 'ask')
      return await line.send<FetchedCommits>((versions) =>
        requestOf('OffsetFetch', versions, { groupId: group, topics: [{ topic, partitions: asked }] }),
      )
    } catch (error) {
      cluster.forgetCoordinator(group)
      throw error
    }
  })
  return (responses[0]?.partitions ?? [])
    .map(({ partition, offset, metadata }) => ({ partition, progress: parseProgress(Number(offset), metadata ?? '') }))
    .flatMap(({ partition, progress }) => (progress ? [{ partition, ...progress }] : []))
    .sort((a, b) => a.partition - b.partition)
}
