import type { LedgerMessage } from '#lib/delivery/ledger.ts'
import { isObstreamError } from '#lib/errors.ts'
import type { Offset } from '#lib/eventlog/port.ts'
import type { PartitionObserver } from '#lib/runtime/run.ts'
import { SECOND_MS } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import type { EpisodeBook } from './episode-book.ts'
import { type CourierDependencies, PartitionCourier } from './partition-courier.ts'

const RETRY_MS = SECOND_MS

/** A partition that this process has. */
interface Taken {
  readonly partition: number
  readonly book: EpisodeBook
  nextOffset: Offset
  /** Where the log ended when the partition was taken; `null`: not asked yet. */
  end: Offset | null
  courier: PartitionCourier | null
}

/**
 * The couriers of the partitions that this process has. One starts when the book holds what the log held when the
 * partition was taken: only then is it known which transitions are news.
 */
export class Couriers {
  /** Rejects with the fault that no new start can cure. */
  readonly ended: Promise<never>
  readonly observer: PartitionObserver<EpisodeBook>
  readonly #deps: CourierDependencies
  readonly #failed = Promise.withResolvers<never>()
  readonly #taken = new Map<number, Taken>()
  readonly #stopping = new AbortController()
  #started = Promise.withResolvers<void>()

  constructor(deps: CourierDependencies) {
    this.#deps = deps
    this.ended = this.#failed.promise
    this.ended.catch(() => {})
    this.observer = {
      restored: (partition, book, nextOffset) => this.#take({ partition, book, nextOffset, end: null, courier: null }),
      folded: (partition, _, nextOffset) => this.#reach(this.#taken.get(partition), nextOffset),
      revoked: (partition) => this.#release(partition),
    }
  }

  /** As `RunningService.waitsFor`. */
  get waitsFor(): string | null {
    return this.#couriers().find(({ waitsFor }) => waitsFor !== null)?.waitsFor ?? null
  }

  /** Resolves when all that the log holds is told, or past its fast schedule, or at `stop`. For a process that has all partitions. */
  async settled(): Promise<void> {
    const partitions = (await this.#deps.log.offsets(topics.alert.name)).length
    for (;;) {
      const couriers = this.#couriers()
      if (this.#stopping.signal.aborted) return
      if (couriers.length < partitions) await Promise.race([this.#started.promise, this.ended])
      else {
        await Promise.all(couriers.map((courier) => courier.settled()))
        // A partition that was given up and taken anew meanwhile has another one.
        const now = new Set(this.#couriers())
        if (couriers.every((courier) => now.has(courier))) return
      }
    }
  }

  /** Messages that no receiver has taken while this process had their partitions. */
  untold(): readonly LedgerMessage[] {
    return [...this.#taken.values()].flatMap(({ courier }) => courier?.untold() ?? [])
  }

  /** Lets running requests end; what waits is told by the next start. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#started.resolve()
    await Promise.all([...this.#taken.values()].map(({ courier }) => courier?.stop()))
  }

  #couriers(): readonly PartitionCourier[] {
    return [...this.#taken.values()].flatMap(({ courier }) => courier ?? [])
  }

  #take(taken: Taken): void {
    this.#release(taken.partition)
    this.#taken.set(taken.partition, taken)
    this.#learnEnd(taken).catch(this.#failed.reject)
  }

  async #learnEnd(taken: Taken): Promise<void> {
    const { log, clock } = this.#deps
    while (this.#has(taken) && taken.end === null)
      try {
        taken.end = (await log.offsets(topics.alert.name))[taken.partition]!.end
      } catch (error) {
        if (!isObstreamError(error) || !error.retryable) throw error
        await clock.sleep(RETRY_MS, this.#stopping.signal)
      }
    this.#start(taken)
  }

  #reach(taken: Taken | undefined, nextOffset: Offset): void {
    if (!taken) return
    taken.nextOffset = nextOffset
    if (taken.courier) taken.courier.wake()
    else this.#start(taken)
  }

  #start(taken: Taken): void {
    if (!this.#has(taken) || taken.courier || taken.end === null || taken.nextOffset < taken.end) return
    taken.courier = new PartitionCourier(this.#deps, taken.partition, taken.book)
    taken.courier.ended.catch(this.#failed.reject)
    this.#started.resolve()
    this.#started = Promise.withResolvers()
  }

  /** It is still ours, and nobody has asked to stop. */
  #has(taken: Taken): boolean {
    return this.#taken.get(taken.partition) === taken && !this.#stopping.signal.aborted
  }

  #release(partition: number): void {
    const courier = this.#taken.get(partition)?.courier
    this.#taken.delete(partition)
    courier?.stop().catch(this.#failed.reject)
  }
}
