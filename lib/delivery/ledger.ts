import type { TopicCodec } from '#lib/codec/avro.ts'
import type { EventLog, LogRecord, Offset } from '#lib/eventlog/port.ts'
import { OwnerlessPartition } from '#lib/ownerless-partition.ts'
import { HOUR_MS, type Instant } from '#lib/time.ts'
import { MAX_BATCH_BYTES, topics } from '#lib/topics.ts'
import type { DeliveryDecision, DeliveryFact, DeliveryIntent, DeliveryOutcome, MessageName } from './facts.ts'
import { deliveryFactKey, laneOf, messageKey } from './message-name.ts'
import { isAccepted, isGivenUp } from './next-step.ts'

/** One attempt as the ledger tells it. Without an outcome it may have arrived. */
export interface LedgerAttempt {
  readonly intent: DeliveryIntent
  readonly outcome: DeliveryOutcome | null
}

/** One message as the ledger tells it: the decision that counts, and its attempts in order. */
export interface LedgerMessage {
  /** Messages that were decided later have a larger one; it says nothing else. */
  readonly order: number
  readonly decision: DeliveryDecision
  readonly attempts: readonly LedgerAttempt[]
}

/** What of a ledger is read. */
export interface LedgerPlace {
  readonly partition: number
  readonly sinceAt: Instant
  isAbout?(subject: string): boolean
  /** Whether bodies of messages that are over are remembered, too; default: yes. */
  readonly keepsBodies?: boolean
  /** Ends the reading of what the log holds already. */
  readonly signal?: AbortSignal
}

/** By no more than this any two clocks of an installation differ; a sampler that is off by half a minute stops itself. */
const CLOCKS_DIFFER_MS = HOUR_MS
/** Leaves room for keys and framing. */
const BATCH_BYTES = MAX_BATCH_BYTES / 2

/**
 * One partition of `obs.delivery.v1`. Nobody owns it: whoever wants to say something appends it and reads back, and the
 * first record of a key counts for everybody. A decision of a dry run binds nobody and is not remembered.
 */
export class Ledger {
  readonly #codec: TopicCodec<DeliveryFact>
  readonly #facts: OwnerlessPartition<DeliveryFact>
  readonly #isAbout: (subject: string) => boolean
  readonly #keepsBodies: boolean
  readonly #messages = new Map<string, LedgerMessage>()
  /** Keys of the messages of each subject. */
  readonly #subjects = new Map<string, Set<string>>()
  /** And those of each lane. */
  readonly #lanes = new Map<string, Set<string>>()
  readonly #gone = new Map<string, Instant>()
  readonly #new = new Set<string>()
  #decided = 0

  private constructor(
    log: EventLog,
    codec: TopicCodec<DeliveryFact>,
    place: Required<Omit<LedgerPlace, 'sinceAt' | 'signal'>> & { readonly from: Offset },
  ) {
    const { partition, from, isAbout, keepsBodies } = place
    this.#codec = codec
    this.#isAbout = isAbout
    this.#keepsBodies = keepsBodies
    this.#facts = new OwnerlessPartition(log, { codec, partition, from, take: ({ value }) => this.#take(value) })
  }

  /**
   * Reads what was said since an instant.
   *
   * @param sinceAt every message that anybody still asks for was decided after it, by whatever clock: an hour before it is
   *   read, too
   * @param isAbout whether a subject is asked for; others are not remembered. Default: all
   */
  static async open(
    log: EventLog,
    codec: TopicCodec<DeliveryFact>,
    { partition, sinceAt, isAbout = () => true, keepsBodies = true, signal }: LedgerPlace,
  ): Promise<Ledger> {
    const from = (await log.offsets(topics.delivery.name, Math.max(sinceAt - CLOCKS_DIFFER_MS, 0)))[partition]!
      .atOrAfter
    const ledger = new Ledger(log, codec, { partition, from, isAbout, keepsBodies })
    const stop = (): void => ledger.stop()
    signal?.addEventListener('abort', stop, { once: true })
    try {
      if (signal?.aborted) stop()
      await ledger.readOn()
      return ledger
    } finally {
      signal?.removeEventListener('abort', stop)
    }
  }

  /** The message, as far as has been read; `undefined`: nothing was decided. */
  message(name: Pick<MessageName, 'subject' | 'channel'>): LedgerMessage | undefined {
    return this.#messages.get(messageKey(name))
  }

  /** All messages about a subject. */
  about(subject: string): readonly LedgerMessage[] {
    return [...(this.#subjects.get(subject) ?? [])].map((key) => this.#messages.get(key)!)
  }

  /** The messages of a lane of `laneOf`, in the order of their decisions; those that were held back, too. */
  lane(name: string): readonly LedgerMessage[] {
    return [...(this.#lanes.get(name) ?? [])].map((key) => this.#messages.get(key)!)
  }

  /** The lane that a message stands in. */
  laneWith({ decision }: Pick<LedgerMessage, 'decision'>): readonly LedgerMessage[] {
    return this.lane(laneOf(decision))
  }

  /** The messages whose decisions were read since the last call, whoever made them. */
  takeNew(): readonly LedgerMessage[] {
    const messages = [...this.#new].flatMap((key) => this.#messages.get(key) ?? [])
    this.#new.clear()
    return messages
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
    for (const key of this.#subjects.get(subject) ?? []) {
      const lane = laneOf(this.#messages.get(key)!.decision)
      this.#lanes.get(lane)!.delete(key)
      if (this.#lanes.get(lane)!.size === 0) this.#lanes.delete(lane)
      this.#messages.delete(key)
    }
    this.#subjects.delete(subject)
  }

  /**
   * Appends facts, then reads on until they, or others with their keys that came first, are known here. Not knowing
   * whether they landed, it says the same again.
   *
   * @throws OBS_LOG_OUTCOME_UNKNOWN when that stays so · what `EventLog.append` and `read` throw
   */
  async claim(facts: readonly DeliveryFact[]): Promise<void> {
    for (const records of this.#batchesOf(facts)) await this.#facts.append(records)
    await this.#facts.readOwn()
  }

  /** Reads what was appended before the call. */
  readOn(): Promise<void> {
    return this.#facts.readOn()
  }

  /** Ends reads that wait. */
  stop(): void {
    this.#facts.stop('deliveries are')
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

  #take(fact: DeliveryFact): void {
    if (!this.#isAbout(fact.subject)) return
    const key = messageKey(fact)
    const message = this.#messages.get(key)
    if (fact.type === 'decision') {
      if (!message && !fact.dryRun) this.#remember(key, { order: this.#decided++, decision: fact, attempts: [] })
    } else if (message) {
      const told = withAttempt(message, fact)
      const isOver = isAccepted(told) || isGivenUp(told)
      this.#messages.set(key, isOver && !this.#keepsBodies ? withoutBody(told) : told)
      if (fact.type === 'outcome' && fact.result === 'gone') this.#gone.set(configKey(message.decision), fact.at)
    }
  }

  #remember(key: string, message: LedgerMessage): void {
    this.#messages.set(key, message)
    this.#new.add(key)
    addTo(this.#subjects, message.decision.subject, key)
    addTo(this.#lanes, laneOf(message.decision), key)
  }
}

function addTo(sets: Map<string, Set<string>>, name: string, key: string): void {
  sets.set(name, (sets.get(name) ?? new Set()).add(key))
}

function configKey({ channel, channelConfig }: Pick<DeliveryDecision, 'channel' | 'channelConfig'>): string {
  return `${channel}/${channelConfig}`
}

/** What nobody sends any more need not be held in memory: an alert may be open, and told of, for weeks. */
function withoutBody(message: LedgerMessage): LedgerMessage {
  return { ...message, decision: { ...message.decision, body: null } }
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
