import { setTimeout as rest, setImmediate as turnOfTheLoop } from 'node:timers/promises'
import { isObstreamError, ObstreamError } from '#lib/errors.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import type { Milliseconds } from '#lib/time.ts'
import type { BatchStore, TopicSettings } from './batch-store.ts'
import { cleanPartition } from './compaction.ts'
import type { Compaction } from './port.ts'
import type { WriteQueue } from './write-queue.ts'

export interface HousekeepingOptions {
  readonly clock: Clock
  readonly everyMs: Milliseconds
  readonly onError: (error: unknown) => void
}

/** How eager a round is. */
interface Effort {
  readonly minDirtyRatio: number
  readonly restMs: Milliseconds
}

const NOW: Effort = { minDirtyRatio: 0, restMs: 0 }
/** Takes a small share of a core; a pass over what is compacted pays when half as much is waiting, as Kafka has it. */
const BACKGROUND: Effort = { minDirtyRatio: 0.5, restMs: 20 }
/** Only one process at a time removes records. */
const HOLD = 'topics-compact'

/** Removes copies and expired records, step by step between other writes: in the background and when asked to. */
export class Housekeeping {
  readonly #store: BatchStore
  readonly #writes: WriteQueue
  readonly #options: HousekeepingOptions
  readonly #timer: NodeJS.Timeout
  #lastRound: Promise<unknown> = Promise.resolve()
  #isStopped = false

  constructor(store: BatchStore, writes: WriteQueue, options: HousekeepingOptions) {
    this.#store = store
    this.#writes = writes
    this.#options = options
    this.#timer = setInterval(() => this.#runInBackground(), options.everyMs).unref()
  }

  /**
   * One round over these topics, after the one that may be running.
   *
   * @returns the partitions that something was removed from
   * @throws OBS_LOG_GROUP_HELD when another process is at it · OBS_LOG_CORRUPT, OBS_LOG_BUSY, OBS_LOG_IO
   */
  run(topics: readonly TopicSettings[], effort: Effort = NOW): Promise<readonly Compaction[]> {
    const round = this.#lastRound.then(() => this.#cleanTopics(topics, effort))
    this.#lastRound = round.catch(() => {})
    return round
  }

  /** Ends a running round after its step. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#isStopped = true
    await this.#lastRound
  }

  #runInBackground(): void {
    this.run(this.#store.topics(), BACKGROUND).catch((error) => {
      if (!this.#isStopped && !isObstreamError(error, 'OBS_LOG_GROUP_HELD')) this.#options.onError(error)
    })
  }

  async #cleanTopics(topics: readonly TopicSettings[], effort: Effort): Promise<readonly Compaction[]> {
    await this.#pause(effort)
    const release = this.#store.hold(HOLD)
    try {
      const done: Compaction[] = []
      for (const topic of topics)
        for (let partition = 0; partition < topic.partitions; partition++)
          done.push(await this.#clean(topic, partition, effort))
      return done.filter(({ removedRecords }) => removedRecords > 0)
    } finally {
      release()
    }
  }

  async #clean(topic: TopicSettings, partition: number, effort: Effort): Promise<Compaction> {
    const removed = await cleanPartition(
      this.#store.partition(topic.name, partition)!,
      topic,
      `${topic.name}/${partition}`,
      {
        now: this.#options.clock.now(),
        writes: this.#writes,
        minDirtyRatio: effort.minDirtyRatio,
        pause: () => this.#pause(effort),
      },
    )
    return { topic: topic.name, partition, removedRecords: removed.records, removedBytes: removed.bytes }
  }

  async #pause({ restMs }: Effort): Promise<void> {
    await (restMs > 0 ? rest(restMs) : turnOfTheLoop())
    if (this.#isStopped)
      throw new ObstreamError('OBS_LOG_UNAVAILABLE', 'the log was closed while its topics were compacted')
  }
}
