import { ObstreamError } from '#lib/errors.ts'
import { GroupSubscription } from '#lib/eventlog/group-subscription.ts'
import type {
  Appended,
  EventLog,
  LogRecord,
  Offset,
  PartitionHandler,
  PartitionOffsets,
  Progress,
  Subscription,
} from '#lib/eventlog/port.ts'
import type { RecordBatch } from '#lib/eventlog/record-batch.ts'
import type { Snapshot } from './snapshot.ts'

/**
 * The log of a replay: primary topics as a snapshot of the source holds them, at the same offsets, so that causes are those
 * of the source; all other topics, and what the services commit, in the scratch log and in memory. The source is only read.
 */
export class ReplayLog implements EventLog {
  readonly endsLagMs = 0
  readonly topics: EventLog['topics']
  readonly #source: EventLog
  readonly #scratch: EventLog
  readonly #snapshot: Snapshot
  readonly #commits = new Map<string, Progress>()

  constructor(source: EventLog, scratch: EventLog, snapshot: Snapshot) {
    this.#source = source
    this.#scratch = scratch
    this.#snapshot = snapshot
    this.topics = scratch.topics
  }

  async append(topic: string, partition: number, records: readonly LogRecord[]): Promise<Appended> {
    if (!this.#snapshot.has(topic)) return await this.#scratch.append(topic, partition, records)
    throw new ObstreamError('OBS_RUNTIME_UNEXPECTED', `a replay wanted to write ${topic}, which it only reads`)
  }

  read(topic: string, partition: number, from: Offset, to: Offset, signal?: AbortSignal): AsyncIterable<RecordBatch> {
    const kept = this.#snapshot.get(topic)?.[partition]
    return kept
      ? this.#source.read(topic, partition, from, Math.max(from, Math.min(to, kept.end)), signal)
      : this.#scratch.read(topic, partition, from, to, signal)
  }

  /** Nothing comes after the end of a snapshot. @throws OBS_LOG_CORRUPT there */
  async *follow(topic: string, partition: number, from: Offset, signal: AbortSignal): AsyncIterable<RecordBatch> {
    const kept = this.#snapshot.get(topic)?.[partition]
    if (!kept) return yield* this.#scratch.follow(topic, partition, from, signal)
    yield* this.read(topic, partition, from, kept.end, signal)
    throw new ObstreamError(
      'OBS_LOG_CORRUPT',
      `${topic} does not hold what another record of the log names, for instance the plan of a tick`,
    )
  }

  async offsets(topic: string, atMs?: number): Promise<readonly PartitionOffsets[]> {
    const kept = this.#snapshot.get(topic)
    if (!kept) return await this.#scratch.offsets(topic, atMs)
    if (atMs === undefined) return kept
    const places = await this.#source.offsets(topic, atMs)
    return kept.map((place, i) => ({ ...place, atOrAfter: Math.min(place.end, places[i]!.atOrAfter) }))
  }

  async subscribe(group: string, topic: string, handler: PartitionHandler): Promise<Subscription> {
    const partitions = (await this.offsets(topic)).length
    return new GroupSubscription(
      {
        partitions,
        committed: (partition) => this.#commits.get(commitName(group, topic, partition)) ?? null,
        commit: async (partition, progress) => this.begin({ group, topic, partition }, progress),
        follow: (partition, from, signal) => this.#followUntilStopped(topic, partition, from, signal),
        release: () => {},
      },
      handler,
    )
  }

  async *#followUntilStopped(
    topic: string,
    partition: number,
    from: Offset,
    signal: AbortSignal,
  ): AsyncIterable<RecordBatch> {
    const kept = this.#snapshot.get(topic)?.[partition]
    if (!kept) return yield* this.#scratch.follow(topic, partition, from, signal)
    for await (const batch of this.read(topic, partition, from, kept.end)) {
      if (signal.aborted) return
      yield batch
    }
    if (!signal.aborted)
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
  }

  /** Lets a group begin as if it had committed that. */
  begin(
    place: { readonly group: string; readonly topic: string; readonly partition: number },
    progress: Progress,
  ): void {
    this.#commits.set(commitName(place.group, place.topic, place.partition), progress)
  }

  async committed(group: string, topic: string): Promise<readonly ({ readonly partition: number } & Progress)[]> {
    return (await this.offsets(topic)).flatMap(({ partition }) => {
      const progress = this.#commits.get(commitName(group, topic, partition))
      return progress ? [{ partition, ...progress }] : []
    })
  }

  /** Closes the scratch log. */
  close(): Promise<void> {
    return this.#scratch.close()
  }
}

function commitName(group: string, topic: string, partition: number): string {
  return `${group} ${topic}/${partition}`
}
