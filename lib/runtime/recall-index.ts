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

/** What is looked for: see `Recall` in `define-service.ts`. */
export interface Ask {
  readonly name: string
  readonly notBefore?: Instant
}

/** The stretch that is remembered by name; about 200 bytes a record. What lies further back is read anew each time. */
const REMEMBERED_RECORDS = 200_000

/**
 * Finds what a fold has said about something, in one partition of its own output, without holding the values.
 *
 * Remembers where the newest facts stand, as far back as it was asked and at most `REMEMBERED_RECORDS`, and learns of later
 * ones as they are appended. An offset that compaction has emptied makes it read that stretch anew.
 */
export class RecallIndex {
  readonly #log: EventLog
  readonly #topic: string
  readonly #partition: number
  readonly #remembered: number
  #sayings = new Map<string, Saying[]>()
  /** Everything in [from, to) is known. */
  #from: Offset | null = null
  #to: Offset = 0

  /** @param remembered records that are remembered; default 200,000 */
  constructor(log: EventLog, topic: string, partition: number, remembered = REMEMBERED_RECORDS) {
    this.#log = log
    this.#topic = topic
    this.#partition = partition
    this.#remembered = remembered
  }

  /**
   * The newest saying about each name whose cause lies before `before`; a name without one is absent.
   *
   * A name that may have been said further back than is remembered costs one reading of all that lies between, for all
   * such names together.
   */
  async newestOf(asks: readonly Ask[], before: Cause): Promise<ReadonlyMap<string, BatchRecord>> {
    const { earliest, end } = (await this.#log.offsets(this.#topic))[this.#partition]!
    const rememberedFrom = Math.max(earliest, end - this.#remembered)
    const oldest = asks.reduce((at, { notBefore = 0 }) => Math.min(at, notBefore), Number.POSITIVE_INFINITY)
    const asked = (await this.#log.offsets(this.#topic, oldest))[this.#partition]!.atOrAfter
    await this.#learn(Math.max(rememberedFrom, asked), end)
    const found =
      asked < rememberedFrom ? await this.#readBack(asks, before, { from: asked, to: rememberedFrom }) : new Map()
    for (const { name } of asks) {
      const record = await this.#remembers(name, before)
      if (record) found.set(name, record)
    }
    return found
  }

  async #remembers(name: string, before: Cause): Promise<BatchRecord | undefined> {
    for (let attempt = 0; attempt < 2; attempt++) {
      const saying = this.#sayings.get(name)?.findLast((candidate) => compareCauses(candidate.cause, before) < 0)
      if (!saying) return undefined
      const record = await this.#recordAt(saying.offset)
      if (record && factName(record.key.toString()) === name) return record
      await this.#learnAnew()
    }
    return undefined
  }

  async #recordAt(offset: Offset): Promise<BatchRecord | undefined> {
    for await (const { record } of this.#records(offset, offset + 1)) return record
    return undefined
  }

  /** Makes everything in [from, end) known. */
  async #learn(from: Offset, end: Offset): Promise<void> {
    const isGrown = end - (this.#from ?? end) > 2 * this.#remembered
    if (this.#from === null || isGrown) {
      this.#sayings = new Map()
      this.#from = this.#to = from
    }
    if (this.#to < end) await this.#scan(this.#to, end)
    this.#to = end
    if (from < this.#from) {
      await this.#scan(from, this.#from)
      this.#from = from
    }
  }

  async #learnAnew(): Promise<void> {
    const place = (await this.#log.offsets(this.#topic))[this.#partition]!
    this.#sayings = new Map()
    this.#from = Math.max(this.#from ?? 0, place.earliest)
    this.#to = place.end
    await this.#scan(this.#from, this.#to)
  }

  async #scan(from: Offset, to: Offset): Promise<void> {
    const touched = new Set<Saying[]>()
    for await (const { record, name, cause } of this.#records(from, to))
      touched.add(this.#note(name, { cause, offset: record.offset }))
    for (const sayings of touched) sayings.sort((a, b) => compareCauses(a.cause, b.cause))
  }

  async #readBack(
    asks: readonly Ask[],
    before: Cause,
    stretch: { readonly from: Offset; readonly to: Offset },
  ): Promise<Map<string, BatchRecord>> {
    const names = new Set(asks.map(({ name }) => name))
    const found = new Map<string, { readonly cause: Cause; readonly record: BatchRecord }>()
    for await (const { record, name, cause } of this.#records(stretch.from, stretch.to)) {
      if (!names.has(name) || compareCauses(cause, before) >= 0) continue
      const known = found.get(name)
      if (!known || compareCauses(known.cause, cause) < 0) found.set(name, { cause, record })
    }
    return new Map([...found].map(([name, { record }]) => [name, record]))
  }

  async *#records(
    from: Offset,
    to: Offset,
  ): AsyncGenerator<{ readonly record: BatchRecord; readonly name: string; readonly cause: Cause }> {
    for await (const batch of this.#log.read(this.#topic, this.#partition, from, to))
      for (const record of batch.records()) {
        if (record.offset < from || record.offset >= to) continue
        const cause = causeOf(record)
        if (cause) yield { record, name: factName(record.key.toString()), cause }
      }
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
