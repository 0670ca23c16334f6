import { setImmediate as turnOfTheLoop, setTimeout as wait } from 'node:timers/promises'
import { isObstreamError } from '#lib/errors.ts'
import type { Milliseconds } from '#lib/time.ts'
import type { BatchStore } from './batch-store.ts'

const RETRY_MS = 2

interface Job {
  readonly work: () => unknown
  readonly resolve: (value: never) => void
  readonly reject: (error: unknown) => void
}

/**
 * Writes of one process, in the order they were asked for.
 *
 * What is asked for in one turn of the event loop shares one transaction, hence one fsync; it succeeds or fails together.
 * While another process has the lock the event loop goes on.
 */
export class WriteQueue {
  readonly #store: BatchStore
  readonly #busyTimeoutMs: Milliseconds
  #waiting: Job[] = []
  #draining: Promise<void> | undefined

  constructor(store: BatchStore, busyTimeoutMs: Milliseconds) {
    this.#store = store
    this.#busyTimeoutMs = busyTimeoutMs
  }

  /**
   * @param work runs inside of a transaction, perhaps more than once
   * @throws OBS_LOG_BUSY, OBS_LOG_IO, OBS_LOG_OUTCOME_UNKNOWN
   */
  run<T>(work: () => T): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    this.#waiting.push({ work, resolve, reject })
    this.#draining ??= this.#drain()
    return promise
  }

  /** Resolves when nothing is waiting. */
  async idle(): Promise<void> {
    while (this.#draining) await this.#draining
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      await turnOfTheLoop()
      const jobs = this.#waiting
      this.#waiting = []
      try {
        const results = await this.#transact(jobs)
        for (const [i, job] of jobs.entries()) job.resolve(results[i] as never)
      } catch (error) {
        for (const job of jobs) job.reject(error)
      }
    }
    this.#draining = undefined
  }

  /** The lock is held in real time, whatever clock the log stamps its batches with. */
  async #transact(jobs: readonly Job[]): Promise<readonly unknown[]> {
    const deadline = performance.now() + this.#busyTimeoutMs
    for (;;) {
      try {
        return this.#store.transact(() => jobs.map((job) => job.work()))
      } catch (error) {
        if (!isObstreamError(error, 'OBS_LOG_BUSY') || performance.now() >= deadline) throw error
        await wait(RETRY_MS)
      }
    }
  }
}
