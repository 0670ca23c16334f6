import { ObstreamError } from '#lib/errors.ts'
import type { EventLog, Offset, PartitionHandler, Progress, Subscription } from '#lib/eventlog/port.ts'

/** What may go wrong with one request; `how` is drawn for each. */
export type Fate = 'ok' | 'refused' | 'answer lost' | 'late'

export interface Faults {
  /** The fate of the next append. */
  append(): Fate
  /** Whether the next commit gets lost. */
  losesCommit(): boolean
}

export const calm: Faults = { append: () => 'ok', losesCommit: () => false }

/** Commits of all groups; shared by everybody on one log, as a coordinator would. */
export type Commits = Map<string, Progress>

/**
 * A view of a log in which requests fail, answers get lost and requests land late, and whose groups are not exclusive: two
 * owners of a partition are possible on purpose. Each process of a test has a view of its own; `die` ends it as SIGKILL
 * does, whatever is under way.
 */
export class FaultyLog {
  readonly log: EventLog
  readonly #inner: EventLog
  readonly #commits: Commits
  readonly #late: (() => Promise<unknown>)[]
  readonly #faults: Faults
  #dead = false

  constructor(
    inner: EventLog,
    shared: { readonly commits: Commits; readonly late: (() => Promise<unknown>)[] },
    faults: Faults,
  ) {
    this.#inner = inner
    this.#commits = shared.commits
    this.#late = shared.late
    this.#faults = faults
    this.log = {
      endsLagMs: inner.endsLagMs,
      append: (topic, partition, records) => this.#append(() => inner.append(topic, partition, records)),
      read: (topic, partition, from, to, signal) => this.#alive(inner.read(topic, partition, from, to, signal)),
      follow: (topic, partition, from, signal) => this.#alive(inner.follow(topic, partition, from, signal)),
      offsets: async (topic, atMs) => this.#check(await inner.offsets(topic, atMs)),
      subscribe: async (group, topic, handler) => this.#subscribe(group, topic, handler),
      committed: (group, topic) => inner.committed(group, topic),
      topics: inner.topics,
      close: async () => {},
    }
  }

  die(): void {
    this.#dead = true
  }

  #check<T>(value: T): T {
    if (this.#dead) throw new Error('this process is dead')
    return value
  }

  async *#alive<T>(records: AsyncIterable<T>): AsyncIterable<T> {
    for await (const record of records) yield this.#check(record)
  }

  async #append<T>(request: () => Promise<T>): Promise<T> {
    this.#check(null)
    const fate = this.#faults.append()
    if (fate === 'refused') throw new ObstreamError('OBS_LOG_BUSY', 'refused on purpose')
    if (fate === 'late') {
      this.#late.push(request)
      throw new ObstreamError('OBS_LOG_OUTCOME_UNKNOWN', 'sent, and not there yet')
    }
    const appended = await request()
    if (fate === 'answer lost') throw new ObstreamError('OBS_LOG_OUTCOME_UNKNOWN', 'there, and nobody heard')
    return this.#check(appended)
  }

  #subscribe(group: string, topic: string, handler: PartitionHandler): Subscription {
    const stopping = new AbortController()
    const ended = this.#own(group, topic, handler, stopping.signal)
    ended.catch(() => {})
    return { ended, stop: async () => stopping.abort() }
  }

  async #own(group: string, topic: string, handler: PartitionHandler, stopping: AbortSignal): Promise<void> {
    const places = await this.log.offsets(topic)
    await Promise.all(
      places.map(async ({ partition }) => {
        const name = `${group}/${partition}`
        let next: Offset = await handler.assigned(partition, this.#commits.get(name) ?? null, stopping)
        while (!stopping.aborted) {
          const { end } = this.#check((await this.#inner.offsets(topic))[partition]!)
          for await (const batch of this.log.read(topic, partition, next, Math.max(next, end))) {
            const progress = await handler.batch(partition, batch)
            this.#check(null)
            if (progress && !this.#faults.losesCommit()) this.#commits.set(name, progress)
            next = Math.max(next, batch.lastOffset + 1)
          }
          await new Promise(setImmediate)
        }
      }),
    )
  }
}
