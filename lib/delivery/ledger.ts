import type { TopicCodec } from '#lib/codec/avro.ts'
import { isObstreamError, ObstreamError } from '#lib/errors.ts'
import type { EventLog, LogRecord, Offset } from '#lib/eventlog/port.ts'
import { readFacts } from '#lib/jobs/read-facts.ts'
import type { Instant } from '#lib/time.ts'
import { MAX_BATCH_BYTES, topics } from '#lib/topics.ts'
import type { DeliveryDecision, DeliveryFact, DeliveryIntent, DeliveryOutcome, MessageName } from './facts.ts'
import { deliveryFactKey, messageKey } from './message-name.ts'

/** One attempt as the ledger tells it. Without an outcome it may have arrived. */
export interface LedgerAttempt {
  readonly intent: DeliveryIntent
  readonly outcome: DeliveryOutcome | null
}

/** One message as the ledger tells it: the decision that counts, and its attempts in order. */
export interface LedgerMessage {
  readonly decision: DeliveryDecision
  readonly attempts: readonly LedgerAttempt[]
}

/** What of a ledger is read. */
export interface LedgerPlace {
  readonly partition: number
  readonly sinceAt: Instant
  isAbout?(subject: string): boolean
}

const APPEND_ATTEMPTS = 3
/** Leaves room for keys and framing. */
const BATCH_BYTES = MAX_BATCH_BYTES / 2

/**
 * One partition of `obs.delivery.v1`. Nobody owns it: whoever wants to say something appends it and reads back, and the
 * first record of a key counts for everybody. A decision of a dry run binds nobody and is not remembered.
 */
export class Ledger {
  readonly #log: EventLog
  readonly #codec: TopicCodec<DeliveryFact>
  readonly #partition: number
  readonly #isAbout: (subject: string) => boolean
  readonly #messages = new Map<string, LedgerMessage>()
  /** Keys of the messages of each subject. */
  readonly #subjects = new Map<string, Set<string>>()
  readonly #gone = new Map<string, Instant>()
  #next: Offset
  #reading: Promise<void> = Promise.resolve()
  /** The read that begins when the one that runs has ended. */
  #asked: Promise<void> | null = null
  readonly #stopping = new AbortController()

  private constructor(
    log: EventLog,
    codec: TopicCodec<DeliveryFact>,
    place: Required<Omit<LedgerPlace, 'sinceAt'>> & { readonly from: Offset },
  ) {
    this.#log = log
    this.#codec = codec
    this.#partition = place.partition
    this.#next = place.from
    this.#isAbout = place.isAbout
  }

  /**
   * Reads what was said since an instant.
   *
   * @param sinceAt every message that anybody still asks for was decided after it
   * @param isAbout whether a subject is asked for; others are not remembered. Default: all
   */
  static async open(
    log: EventLog,
    codec: TopicCodec<DeliveryFact>,
    { partition, sinceAt, isAbout = () => true }: LedgerPlace,
  ): Promise<Ledger> {
    const from = (await log.offsets(topics.delivery.name, sinceAt))[partition]!.atOrAfter
    const ledger = new Ledger(log, codec, { partition, from, isAbout })
    await ledger.readOn()
    return ledger
  }

  /** The message, as far as has been read; `undefined`: nothing was decided. */
  message(name: Pick<MessageName, 'subject' | 'channel'>): LedgerMessage | undefined {
    return this.#messages.get(messageKey(name))
  }

  /** All messages about a subject. */
  about(subject: string): readonly LedgerMessage[] {
    return [...(this.#subjects.get(subject) ?? [])].map((key) => this.#messages.get(key)!)
  }

  /** All messages, in the order of their decisions. */
  messages(): Iterable<LedgerMessage> {
    return this.#messages.values()
  }

  /**
   * When a channel last answered that it is gone for good; `null`: it never has, with this configuration.
   *
   * @param channelConfig sha256 of the channel's configuration
   */
  goneAt(channel: string, channelConfig: string): Instant | null {
    return this.#gone.get(configKey({ channel, channelConfig })) ?? null
  }

  /** Forgets a subject that nobody asks for any more. */
  forget(subject: string): void {
    for (const key of this.#subjects.get(subject) ?? []) this.#messages.delete(key)
    this.#subjects.delete(subject)
  }

  /**
   * Appends facts, then reads on until they, or others with their keys that came first, are known here. Not knowing
   * whether they landed, it says the same again.
   *
   * @throws OBS_LOG_OUTCOME_UNKNOWN when that stays so · what `EventLog.append` and `read` throw
   */
  async claim(facts: readonly DeliveryFact[]): Promise<void> {
    for (const records of this.#batchesOf(facts)) await this.#append(records)
    await this.readOn()
  }

  /**
   * Reads what was appended before the call. One reader at a time, since two would fold the same records twice; who asks
   * while one runs shares the next.
   */
  readOn(): Promise<void> {
    this.#asked ??= this.#reading
      .catch(() => {})
      .then(() => {
        this.#asked = null
        return this.#read()
      })
    this.#reading = this.#asked
    return this.#asked
  }

  /** Ends reads that wait. */
  stop(): void {
    this.#stopping.abort(new ObstreamError('OBS_LOG_UNAVAILABLE', 'the ledger is read no more: its reader stops'))
  }

  *#batchesOf(facts: readonly DeliveryFact[]): Generator<readonly LogRecord[]> {
    let batch: LogRecord[] = []
    let sizeBytes = 0
    for (const fact of facts) {
      const record = { key: Buffer.from(deliveryFactKey(fact)), value: this.#codec.encode(fact) }
      if (batch.length > 0 && sizeBytes + record.value.length > BATCH_BYTES) {
        yield batch
        ;[batch, sizeBytes] = [[], 0]
      }
      batch.push(record)
      sizeBytes += record.value.length
    }
    if (batch.length > 0) yield batch
  }

  async #append(records: readonly LogRecord[]): Promise<void> {
    for (let attempt = 1; ; attempt++)
      try {
        await this.#log.append(topics.delivery.name, this.#partition, records)
        return
      } catch (error) {
        if (!isObstreamError(error, 'OBS_LOG_OUTCOME_UNKNOWN') || attempt === APPEND_ATTEMPTS) throw error
      }
  }

  async #read(): Promise<void> {
    const { earliest, end } = (await this.#log.offsets(topics.delivery.name))[this.#partition]!
    const stretch = { partition: this.#partition, from: Math.max(this.#next, earliest), to: end }
    for await (const { offset, value } of readFacts(this.#log, this.#codec, stretch, this.#stopping.signal)) {
      this.#take(value)
      this.#next = offset + 1
    }
    this.#next = Math.max(end, stretch.from)
  }

  #take(fact: DeliveryFact): void {
    if (!this.#isAbout(fact.subject)) return
    const key = messageKey(fact)
    const message = this.#messages.get(key)
    if (fact.type === 'decision') {
      if (!message && !fact.dryRun) this.#remember(key, { decision: fact, attempts: [] })
    } else if (message) {
      this.#messages.set(key, withAttempt(message, fact))
      if (fact.type === 'outcome' && fact.result === 'gone') this.#gone.set(configKey(message.decision), fact.at)
    }
  }

  #remember(key: string, message: LedgerMessage): void {
    const { subject } = message.decision
    this.#messages.set(key, message)
    const keys = this.#subjects.get(subject) ?? new Set()
    this.#subjects.set(subject, keys.add(key))
  }
}

function configKey({ channel, channelConfig }: Pick<DeliveryDecision, 'channel' | 'channelConfig'>): string {
  return `${channel}/${channelConfig}`
}

/** The first intent and the first outcome of an attempt count. */
function withAttempt(message: LedgerMessage, fact: DeliveryIntent | DeliveryOutcome): LedgerMessage {
  const known = message.attempts.find(({ intent }) => intent.attempt === fact.attempt)
  if (fact.type === 'intent') {
    if (known) return message
    return { ...message, attempts: [...message.attempts, { intent: fact, outcome: null }] }
  }
  if (!known || known.outcome) return message
  const attempts = message.attempts.map((attempt) => (attempt === known ? { ...known, outcome: fact } : attempt))
  return { ...message, attempts }
}
