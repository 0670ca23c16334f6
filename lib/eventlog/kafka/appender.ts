import { ObstreamError } from '#lib/errors.ts'
import { type Instant, type Milliseconds, SECOND_MS } from '#lib/time.ts'
import { MAX_BATCH_BYTES, MAX_DEAD_LETTER_BYTES, topics } from '#lib/topics.ts'
import type { Appended, LogRecord, Offset } from '../port.ts'
import { encodeBatch } from '../record-batch.ts'
import { accessDenied, isRefusal, kafkaError, LostAnswerError } from './broker-errors.ts'
import type { Cluster } from './cluster.ts'
import type { BrokerLine } from './connection.ts'
import { patiently } from './patience.ts'
import { type Produced, produceRequest } from './requests.ts'

/** How long a leader may wait for its replicas. */
const REPLICAS_TIMEOUT_MS: Milliseconds = 10 * SECOND_MS

interface Append {
  /** As the cluster knows it. */
  readonly topic: string
  readonly partition: number
  readonly batch: Buffer
  readonly recordCount: number
  /** The batch's own time, for a topic that does not set the append time. */
  readonly createdAtMs: Instant
}

/**
 * Appends batches, one at a time to each partition, each sent once: what becomes of a request whose answer is lost is for
 * whoever asked to find out.
 */
export class Appender {
  readonly #cluster: Cluster
  readonly #nameOf: (topic: string) => string
  readonly #now: () => Instant
  /** The end of what was asked for last, by partition. */
  readonly #tails = new Map<string, Promise<unknown>>()
  /** Where the next append lands at the earliest, by partition. */
  readonly #ends = new Map<string, Offset>()

  /** @param nameOf the cluster's name of a topic */
  constructor(cluster: Cluster, nameOf: (topic: string) => string, now: () => Instant) {
    this.#cluster = cluster
    this.#nameOf = nameOf
    this.#now = now
  }

  /** As `EventLog.append`. */
  async append(topic: string, partition: number, records: readonly LogRecord[]): Promise<Appended> {
    const createdAtMs = this.#now()
    const batch = encodeBatch(records, { baseOffset: 0, appendedAtMs: createdAtMs, stampedBy: 'producer' })
    const limit = topic === topics.deadLetter.name ? MAX_DEAD_LETTER_BYTES : MAX_BATCH_BYTES
    if (batch.length > limit)
      throw new ObstreamError(
        'OBS_LOG_BATCH_TOO_LARGE',
        `${records.length} records for ${topic} make a batch of ${batch.length} bytes; ${limit} are allowed. Append fewer at once.`,
      )
    const append = { topic: this.#nameOf(topic), partition, batch, recordCount: records.length, createdAtMs }
    return this.#inOrder(`${append.topic}/${partition}`, () => this.#send(append))
  }

  /** The end of what was appended here and acknowledged; 0: nothing was. @param topic as the cluster knows it */
  acknowledgedEnd(topic: string, partition: number): Offset {
    return this.#ends.get(`${topic}/${partition}`) ?? 0
  }

  /** Resolves when nothing is on its way any more. */
  async idle(): Promise<void> {
    await Promise.all(this.#tails.values())
  }

  #inOrder<Result>(place: string, send: () => Promise<Result>): Promise<Result> {
    const sent = (this.#tails.get(place) ?? Promise.resolve()).then(send)
    const tail = sent.then(
      () => {},
      () => {},
    )
    this.#tails.set(place, tail)
    void tail.then(() => {
      if (this.#tails.get(place) === tail) this.#tails.delete(place)
    })
    return sent
  }

  async #send(append: Append): Promise<Appended> {
    const { topic, partition, batch } = append
    const place = `${topic}/${partition}`
    const request = () => produceRequest({ topic, partition, batch, timeoutMs: REPLICAS_TIMEOUT_MS })
    try {
      const produced = await patiently(`Nothing can be appended to ${place}`, async () =>
        this.#sendOnce(await this.#cluster.leaderLine(topic, partition, 'append'), request),
      )
      return this.#judge(append, produced)
    } catch (error) {
      this.#cluster.forgetTopic(topic)
      throw error
    }
  }

  /** @throws OBS_LOG_UNAVAILABLE when nothing was sent, so that it may be tried again · OBS_LOG_OUTCOME_UNKNOWN */
  async #sendOnce(line: BrokerLine, request: () => ReturnType<typeof produceRequest>): Promise<Produced> {
    try {
      return await line.send(request, REPLICAS_TIMEOUT_MS)
    } catch (error) {
      if (error instanceof LostAnswerError)
        throw new ObstreamError('OBS_LOG_OUTCOME_UNKNOWN', `${error.message}. It may have landed, or land later.`, {
          cause: error,
        })
      throw error
    }
  }

  #judge({ topic, partition, recordCount, createdAtMs }: Append, produced: Produced): Appended {
    const place = `${topic}/${partition}`
    const { errorCode, message, baseOffset, appendedAtMs } = produced
    const says = `${place}: Kafka answers ${errorCode}${message ? ` (${message})` : ''}`
    if (errorCode === kafkaError.topicAuthorizationFailed) throw accessDenied(place, new Error('it may not be written'))
    if (isRefusal(errorCode)) throw new ObstreamError('OBS_LOG_REFUSED', `${says}; nothing was appended.`)
    if (errorCode !== kafkaError.none)
      throw new ObstreamError('OBS_LOG_OUTCOME_UNKNOWN', `${says}. It may have landed, or land later.`)
    if (baseOffset < (this.#ends.get(place) ?? 0))
      throw new ObstreamError(
        'OBS_LOG_HISTORY_CHANGED',
        `${place}: an append landed at offset ${baseOffset}, before an earlier one. The topic was truncated or created anew.`,
      )
    this.#ends.set(place, baseOffset + recordCount)
    return { baseOffset, appendedAtMs: appendedAtMs < 0 ? createdAtMs : appendedAtMs }
  }
}
