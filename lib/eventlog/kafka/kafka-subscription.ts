import { type OwnedPartition, ownPartition } from '../partition-owner.ts'
import type { PartitionHandler, Subscription } from '../port.ts'
import type { GroupMember } from './group-member.ts'

/** What a subscription needs of its log. */
export interface SubscriptionParts {
  readonly handler: PartitionHandler
  /** Makes the member; it tells what is ours. */
  member(assigned: (partitions: readonly number[]) => void): GroupMember
  partition(partition: number, member: GroupMember): OwnedPartition
}

interface Owner {
  readonly stopping: AbortController
  readonly ended: Promise<void>
}

/** Feeds a handler with the partitions that a group gives us, until it is stopped or anything fails. */
export class KafkaSubscription implements Subscription {
  readonly ended: Promise<void>
  readonly #parts: SubscriptionParts
  readonly #member: GroupMember
  readonly #stopping = new AbortController()
  /** Leaves the group; only after all partitions have ended. */
  readonly #leaving = new AbortController()
  readonly #owners = new Map<number, Owner>()
  #failure: { readonly error: unknown } | null = null

  constructor(parts: SubscriptionParts) {
    this.#parts = parts
    this.#member = parts.member((partitions) => this.#own(partitions))
    this.#stopping.signal.addEventListener('abort', () => void this.#end())
    this.ended = this.#run()
    // Whoever subscribed looks at it when it suits; until then a failure is not "unhandled".
    this.ended.catch(() => {})
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.ended.catch(() => {})
  }

  async #run(): Promise<void> {
    try {
      await this.#member.run(this.#leaving.signal)
    } catch (error) {
      this.#fail(error)
    }
    await this.#end()
    if (this.#failure) throw this.#failure.error
  }

  /** The first failure is the one to tell of. */
  #fail(error: unknown): void {
    this.#failure ??= { error }
    this.#stopping.abort()
  }

  async #end(): Promise<void> {
    this.#own([])
    await Promise.all([...this.#owners.values()].map(({ ended }) => ended))
    this.#leaving.abort()
  }

  /** Goes on with what it keeps, ends what is lost, begins what is new. */
  #own(partitions: readonly number[]): void {
    for (const [partition, { stopping }] of this.#owners) if (!partitions.includes(partition)) stopping.abort()
    if (this.#stopping.signal.aborted) return
    for (const partition of partitions) {
      const before = this.#owners.get(partition)
      if (before && !before.stopping.signal.aborted) continue
      const stopping = new AbortController()
      const ended = this.#ownOne(partition, stopping.signal, before?.ended)
      const owner = { stopping, ended }
      this.#owners.set(partition, owner)
      void ended.then(() => {
        if (this.#owners.get(partition) === owner) this.#owners.delete(partition)
      })
    }
  }

  /** Never rejects: one partition's failure ends all of them. */
  async #ownOne(partition: number, signal: AbortSignal, before: Promise<void> | undefined): Promise<void> {
    try {
      await before
      await ownPartition(this.#parts.partition(partition, this.#member), this.#parts.handler, signal)
    } catch (error) {
      this.#fail(error)
    }
  }
}
