import type { TopicCodec } from './codec/avro.ts'
import { isObstreamError, ObstreamError } from './errors.ts'
import type { EventLog, LogRecord, Offset } from './eventlog/port.ts'
import { type ReadFact, readFacts } from './jobs/read-facts.ts'

const APPEND_ATTEMPTS = 3

export interface OwnerlessPlace<Value> {
  readonly codec: TopicCodec<Value>
  readonly partition: number
  /** Records before it are not read; default: all that are kept are. */
  readonly from?: Offset
  /** Hears each fact that is good in itself, in the order of the log. */
  readonly take: (fact: ReadFact<Value>) => void
}

/**
 * A partition that nobody owns: whoever has something to say appends it, then reads what stands. Of two records with one
 * key the first counts for everybody, which its readers see to.
 */
export class OwnerlessPartition<Value> {
  readonly #log: EventLog
  readonly #place: OwnerlessPlace<Value>
  readonly #stopping = new AbortController()
  #next: Offset
  /** The end of what was appended here. */
  #saidEnd: Offset = 0
  #reading: Promise<void> = Promise.resolve()
  /** The read that begins when the one that runs has ended, and whether it goes to the end of the partition. */
  #asked: Promise<void> | null = null
  #isEndAsked = false

  constructor(log: EventLog, place: OwnerlessPlace<Value>) {
    this.#log = log
    this.#place = place
    this.#next = place.from ?? 0
  }

  /** Everything before it has been read. */
  get next(): Offset {
    return this.#next
  }

  /** Aborts when it is stopped. */
  get stopped(): AbortSignal {
    return this.#stopping.signal
  }

  /**
   * Appends records. Not knowing whether they landed, it says the same again.
   *
   * @throws OBS_LOG_OUTCOME_UNKNOWN when that stays so · what `EventLog.append` throws
   */
  async append(records: readonly LogRecord[]): Promise<void> {
    const { codec, partition } = this.#place
    for (let attempt = 1; ; attempt++)
      try {
        const { baseOffset } = await this.#log.append(codec.topic.name, partition, records)
        this.#saidEnd = Math.max(this.#saidEnd, baseOffset + records.length)
        return
      } catch (error) {
        if (!isObstreamError(error, 'OBS_LOG_OUTCOME_UNKNOWN') || attempt === APPEND_ATTEMPTS) throw error
      }
  }

  /**
   * Reads what anybody appended before the call.
   *
   * @throws what `EventLog.read` and the registry throw; asking again goes on where it ended
   */
  readOn(): Promise<void> {
    this.#isEndAsked = true
    return this.#readNext()
  }

  /** Reads what was appended here, and what stands before it; does not ask for the end. @throws as `readOn` */
  async readOwn(): Promise<void> {
    if (this.#next < this.#saidEnd) await this.#readNext()
  }

  /** One reader at a time: two would fold the same records twice, or in another order. Who asks while one runs shares the next. */
  #readNext(): Promise<void> {
    this.#asked ??= this.#reading
      .catch(() => {})
      .then(() => {
        const isEndAsked = this.#isEndAsked
        this.#asked = null
        this.#isEndAsked = false
        return isEndAsked ? this.#readToEnd() : this.#readFrom(this.#next, this.#saidEnd)
      })
    this.#reading = this.#asked
    return this.#asked
  }

  /**
   * Ends reads that wait, as for a schema that nobody knows yet, and refuses later ones with OBS_LOG_UNAVAILABLE.
   *
   * @param what is no longer read: `the jobs are`
   */
  stop(what: string): void {
    this.#stopping.abort(new ObstreamError('OBS_LOG_UNAVAILABLE', `${what} read no more: their reader stops`))
  }

  async #readToEnd(): Promise<void> {
    const { codec, partition } = this.#place
    const { earliest, end } = (await this.#log.offsets(codec.topic.name))[partition]!
    await this.#readFrom(Math.max(this.#next, earliest), end)
  }

  async #readFrom(from: Offset, to: Offset): Promise<void> {
    const { codec, partition, take } = this.#place
    this.#stopping.signal.throwIfAborted()
    if (from < to)
      for await (const fact of readFacts(this.#log, codec, { partition, from, to }, this.#stopping.signal)) {
        take(fact)
        this.#next = fact.offset + 1
      }
    this.#next = Math.max(from, to)
  }
}
