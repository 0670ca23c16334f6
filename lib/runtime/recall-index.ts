import type { Cause } from '#lib/cause.ts'
import { compareCauses } from '#lib/cause.ts'
import type { EventLog, Offset } from '#lib/eventlog/port.ts'
import type { BatchRecord } from '#lib/eventlog/record-batch.ts'
import { factName } from '#lib/keys.ts'
import type { Instant } from '#lib/time.ts'
import { causeOf } from './record-headers.ts'

interface Saying {
  readonly cause: Cause
  readonly offset: Offset
}

/**
 * Finds what a fold has said about something, in one partition of its own output, without holding the values.
 *
 * Reads back only as far as it is asked, remembers where the facts of that stretch stand, and learns of later ones as
 * they are appended. An offset that compaction has emptied makes it read that stretch anew.
 */
export class RecallIndex {
  readonly #log: EventLog
  readonly #topic: string
  readonly #partition: number
  #sayings = new Map<string, Saying[]>()
  /** Everything in [from, to) is known. */
  #from: Offset | null = null
  #to: Offset = 0

  constructor(log: EventLog, topic: string, partition: number) {
    this.#log = log
    this.#topic = topic
    this.#partition = partition
  }

  /**
   * The newest saying about `name` whose cause lies before `before`.
   *
   * @param notBefore nothing about it was appended before this instant
   * @returns `undefined` when there is none
   */
  async newest(name: string, before: Cause, notBefore: Instant | undefined): Promise<BatchRecord | undefined> {
    await this.#readBackTo(notBefore)
    for (let attempt = 0; attempt < 2; attempt++) {
      const saying = this.#sayings.get(name)?.findLast((candidate) => compareCauses(candidate.cause, before) < 0)
      if (!saying) return undefined
      const record = await this.#recordAt(saying.offset)
      if (record && factName(record.key.toString()) === name) return record
      await this.#readAnew()
    }
    return undefined
  }

  async #recordAt(offset: Offset): Promise<BatchRecord | undefined> {
    for await (const batch of this.#log.read(this.#topic, this.#partition, offset, offset + 1))
      for (const record of batch.records()) if (record.offset === offset) return record
    return undefined
  }

  async #readBackTo(notBefore: Instant | undefined): Promise<void> {
    const place = (await this.#log.offsets(this.#topic, notBefore ?? 0))[this.#partition]!
    const from = Math.max(place.earliest, notBefore === undefined ? 0 : place.atOrAfter)
    if (this.#from === null) this.#from = this.#to = from
    if (this.#to < place.end) await this.#scan(this.#to, place.end)
    this.#to = place.end
    if (from < this.#from) {
      await this.#scan(from, this.#from)
      this.#from = from
    }
  }

  async #readAnew(): Promise<void> {
    const place = (await this.#log.offsets(this.#topic))[this.#partition]!
    this.#sayings = new Map()
    this.#from = Math.max(this.#from ?? 0, place.earliest)
    this.#to = place.end
    await this.#scan(this.#from, this.#to)
  }

  async #scan(from: Offset, to: Offset): Promise<void> {
    const touched = new Set<Saying[]>()
    for await (const batch of this.#log.read(this.#topic, this.#partition, from, to))
      for (const record of batch.records()) {
        if (record.offset < from || record.offset >= to) continue
        const cause = causeOf(record)
        if (cause) touched.add(this.#note(factName(record.key.toString()), { cause, offset: record.offset }))
      }
    for (const sayings of touched) sayings.sort((a, b) => compareCauses(a.cause, b.cause))
  }

  #note(name: string, saying: Saying): Saying[] {
    const sayings = this.#sayings.get(name)
    if (sayings) {
      sayings.push(saying)
      return sayings
    }
    const first = [saying]
    this.#sayings.set(name, first)
    return first
  }
}
