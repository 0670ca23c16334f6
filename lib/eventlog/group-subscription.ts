import { setImmediate as turnOfTheLoop } from 'node:timers/promises'
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
  readonly #owned = new Set<number>()

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
    for (const partition of this.#owned) this.#handler.revoked(partition)
    this.#topic.release()
    const failed = outcomes.find((outcome) => outcome.status === 'rejected')
    if (failed) throw failed.reason
  }

  /** One partition's failure ends all of them. */
  async #ownUntilStopped(partition: number): Promise<void> {
    try {
      await this.#own(partition)
    } finally {
      this.#stopping.abort()
    }
  }

  async #own(partition: number): Promise<void> {
    await turnOfTheLoop()
    if (this.#stopping.signal.aborted) return
    const from = await this.#handler.assigned(partition, this.#topic.committed(partition))
    this.#owned.add(partition)
    let uncommitted: Progress | null = null
    for await (const { batch, isLast } of lookAhead(this.#topic.follow(partition, from, this.#stopping.signal))) {
      if (this.#stopping.signal.aborted) break
      uncommitted = (await this.#handler.batch(partition, batch)) ?? uncommitted
      if (!uncommitted || !isLast) continue
      await this.#topic.commit(partition, uncommitted)
      uncommitted = null
    }
    if (uncommitted) await this.#topic.commit(partition, uncommitted)
  }
}

/**
 * Each batch, and whether it is the last one at hand. Only then a commit is worth its fsync: one that is left out costs a
 * restart some reading, and nothing else.
 *
 * `batches` is read ahead by one and not told when the reader leaves; its signal ends it.
 */
async function* lookAhead(
  batches: AsyncIterable<RecordBatch>,
): AsyncGenerator<{ readonly batch: RecordBatch; readonly isLast: boolean }> {
  const iterator = batches[Symbol.asyncIterator]()
  for (let next = iterator.next(); ; ) {
    const { value: batch, done } = await next
    if (done) return
    let isLast = true
    const arrived = (): void => {
      isLast = false
    }
    next = iterator.next()
    next.then(arrived, arrived)
    await turnOfTheLoop()
    yield { batch, isLast }
  }
}
