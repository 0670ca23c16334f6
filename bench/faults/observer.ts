import { type Cause, compareCauses } from '#lib/cause.ts'
import { sha256Hex } from '#lib/codec/sha256.ts'
import { isObstreamError } from '#lib/errors.ts'
import type { EventLog, Offset } from '#lib/eventlog/port.ts'
import { causeOf } from '#lib/runtime/record-headers.ts'
import { type TopicDefinition, topics } from '#lib/topics.ts'

/**
 * A record that somebody was told of while the system ran: it was given to a reader, or acknowledged to its writer. It
 * cannot be taken back.
 */
export interface ObservedRecord {
  readonly topic: string
  readonly partition: number
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
  readonly #places = new Map<string, Place>()

  /** Follows until the function given back is called, which also closes the log; the topics must exist. */
  async watch(log: EventLog): Promise<() => Promise<void>> {
    const leaving = new AbortController()
    const following = Promise.all((await this.#placesIn(log)).map((place) => this.#follow(log, place, leaving.signal)))
    following.catch(() => {})
    return async () => {
      leaving.abort()
      await following
      await log.close()
    }
  }

  async #placesIn(log: EventLog): Promise<readonly Place[]> {
    for (const topic of OBSERVED)
      for (const { partition } of await log.offsets(topic.name)) {
        const name = `${topic.name}/${partition}`
        if (!this.#places.has(name)) this.#places.set(name, { topic, partition, next: 0, newest: null })
      }
    return [...this.#places.values()]
  }

  /** Comes back when brokers were away for long. */
  async #follow(log: EventLog, place: Place, signal: AbortSignal): Promise<void> {
    while (!signal.aborted)
      try {
        await this.#take(log, place, signal)
      } catch (error) {
        if (!isObstreamError(error, 'OBS_LOG_UNAVAILABLE')) throw error
      }
  }

  async #take(log: EventLog, place: Place, signal: AbortSignal): Promise<void> {
    const { topic, partition } = place
    for await (const batch of log.follow(topic.name, partition, place.next, signal)) {
      for (const { offset, key, value, headers } of batch.records())
        if (value && offset >= place.next && accepts(place, causeOf({ headers })))
          this.taken.push({ topic: topic.name, partition, offset, key: key.toString(), sha256: sha256Hex(value) })
      place.next = batch.lastOffset + 1
    }
  }
}

interface Place {
  readonly topic: TopicDefinition
  readonly partition: number
  next: Offset
  newest: Cause | null
}

function accepts(place: Place, cause: Cause | undefined): boolean {
  if (!place.topic.derived) return true
  if (!cause || (place.newest && compareCauses(cause, place.newest) <= 0)) return false
  place.newest = cause
  return true
}
