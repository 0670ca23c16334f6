import { type OwnedPartition, ownPartition } from './partition-owner.ts'
import type { Offset, PartitionHandler, Progress, Subscription } from './port.ts'
import type { RecordBatch } from './record-batch.ts'

/** The topic of a subscription, as its group sees it. */
export interface GroupTopic {
  readonly partitions: number
  committed(partition: number): Progress | null
  commit(partition: number, progress: Progress): Promise<void>
  follow(partition: number, from: Offset, signal: AbortSignal): AsyncIterable<RecordBatch>
  /** Gives the group back. */
  release(): void
}

/** Feeds a handler with all partitions of a topic, until it is stopped or anything fails. */
export class GroupSubscription implements Subscription {
  readonly ended: Promise<void>
  readonly #topic: GroupTopic
  readonly #handler: PartitionHandler
  readonly #stopping = new AbortController()

  constructor(topic: GroupTopic, handler: PartitionHandler) {
    this.#topic = topic
    this.#handler = handler
    this.ended = this.#run()
    // Whoever subscribed looks at it when it suits; until then a failure is not "unhandled".
    this.ended.catch(() => {})
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.ended.catch(() => {})
  }

  async #run(): Promise<void> {
    const partitions = Array.from({ length: this.#topic.partitions }, (_, partition) =>
      this.#ownUntilStopped(partition),
    )
    const outcomes = await Promise.allSettled(partitions)
    this.#topic.release()
    const failed = outcomes.find((outcome) => outcome.status === 'rejected')
    if (failed) throw failed.reason
  }

  /** One partition's failure ends all of them. */
  async #ownUntilStopped(partition: number): Promise<void> {
    const topic = this.#topic
    const owned: OwnedPartition = {
      partition,
      committed: async () => topic.committed(partition),
      commit: (progress) => topic.commit(partition, progress),
      follow: (from, signal) => topic.follow(partition, from, signal),
    }
    try {
      await ownPartition(owned, this.#handler, this.#stopping.signal)
    } finally {
      this.#stopping.abort()
    }
  }
}
