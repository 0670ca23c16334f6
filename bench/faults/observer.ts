import { type Cause, compareCauses } from '#lib/cause.ts'
import { sha256Hex } from '#lib/codec/sha256.ts'
import type { EmbeddedLog } from '#lib/eventlog/embedded-log.ts'
import type { Offset } from '#lib/eventlog/port.ts'
import { openSqliteLog } from '#lib/eventlog/sqlite.ts'
import { systemClock } from '#lib/runtime/clock.ts'
import { causeOf } from '#lib/runtime/record-headers.ts'
import { type TopicDefinition, topics } from '#lib/topics.ts'

/** A record that a reader was given while the system ran: what has been seen cannot be taken back. */
export interface ObservedRecord {
  readonly topic: string
  readonly offset: Offset
  readonly key: string
  /** Of the value. */
  readonly sha256: string
}

const OBSERVED: readonly TopicDefinition[] = [topics.sample, topics.window, topics.breach, topics.alert]

/**
 * An outside consumer: follows the log in a process of its own right, and goes on where it was when it comes back. Of a
 * derived topic it takes a record only if its cause is newer than the newest it has taken, as every reader must.
 */
export class Observer {
  readonly taken: ObservedRecord[] = []
  readonly #path: string
  readonly #next = new Map<TopicDefinition, Offset>()
  readonly #newest = new Map<TopicDefinition, Cause>()

  constructor(path: string) {
    this.#path = path
  }

  /** Follows until the function given back is called; the topics must exist. */
  watch(): () => Promise<void> {
    const log = openSqliteLog({ path: this.#path, clock: systemClock, partitions: 1 })
    const leaving = new AbortController()
    const following = Promise.all(OBSERVED.map((topic) => this.#follow(log, topic, leaving.signal)))
    following.catch(() => {})
    return async () => {
      leaving.abort()
      await following
      await log.close()
    }
  }

  async #follow(log: EmbeddedLog, topic: TopicDefinition, signal: AbortSignal): Promise<void> {
    for await (const batch of log.follow(topic.name, 0, this.#next.get(topic) ?? 0, signal)) {
      for (const { offset, key, value, headers } of batch.records())
        if (value && offset >= (this.#next.get(topic) ?? 0) && this.#accepts(topic, causeOf({ headers })))
          this.taken.push({ topic: topic.name, offset, key: key.toString(), sha256: sha256Hex(value) })
      this.#next.set(topic, batch.lastOffset + 1)
    }
  }

  #accepts(topic: TopicDefinition, cause: Cause | undefined): boolean {
    if (!topic.derived) return true
    const newest = this.#newest.get(topic)
    if (!cause || (newest && compareCauses(cause, newest) <= 0)) return false
    this.#newest.set(topic, cause)
    return true
  }
}
