import { ObstreamError } from '#lib/errors.ts'
import type { Milliseconds } from '#lib/time.ts'
import type { RecordBatch } from '../record-batch.ts'
import { kafkaError, unavailable } from './broker-errors.ts'
import type { Cluster, Lane } from './cluster.ts'
import { type FetchRange, FetchStream } from './fetch-stream.ts'
import { ENDS_LAG_MS, mayPass, PATIENCE_MS } from './patience.ts'
import { type FetchedPartition, type FetchLimits, type FetchPlace, fetchRequest } from './requests.ts'

/** How long a broker waits for records before it says that there are none. */
const WAIT_MS = 500
/** The same while somebody is left out, who has enough for the moment or reads a partition that is asked for already. */
const WAIT_BESIDE_OTHERS_MS = 20
/** How much of a partition is fetched before anybody has asked for it, as long as all together hold no more than that. */
const LOOKAHEAD_BYTES = 4_194_304
const MOST_HELD_BYTES = 16_777_216
const MAX_BYTES = 8_388_608
const PARTITION_MAX_BYTES = 2_097_152
const FIRST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 500

/** Which offsets a partition has, to tell a reader why its own is not among them. */
export type Bounds = (topic: string, partition: number) => Promise<{ readonly earliest: number; readonly end: number }>

/**
 * Reads partitions, all of one leader with one request at a time, which waits at the broker for what comes. Readers do not
 * notice a leader that moves or a broker that comes back within `PATIENCE_MS`.
 */
export class Fetcher {
  readonly #cluster: Cluster
  readonly #lane: Lane
  readonly #bounds: Bounds
  readonly #streams = new Set<FetchStream>()
  /** Numbers of the brokers that are being fetched from. */
  readonly #busy = new Set<number>()

  constructor(cluster: Cluster, lane: Lane, bounds: Bounds) {
    this.#cluster = cluster
    this.#lane = lane
    this.#bounds = bounds
  }

  /**
   * The batches of a partition, whole and in order, fetched ahead of who takes them.
   *
   * @throws OBS_LOG_OFFSET_EXPIRED, OBS_LOG_HISTORY_CHANGED, OBS_LOG_CORRUPT, OBS_LOG_TOPIC_MISSING, OBS_LOG_UNAVAILABLE,
   *   OBS_LOG_ACCESS_DENIED
   */
  async *batches(range: FetchRange, signal: AbortSignal): AsyncGenerator<RecordBatch, void> {
    const stream = new FetchStream(range)
    const drop = (): void => void this.#streams.delete(stream)
    this.#streams.add(stream)
    // Also for a reader that never comes back.
    signal.addEventListener('abort', drop, { once: true })
    void this.#locate(stream)
    try {
      for (let batch = await stream.next(signal); batch; batch = await stream.next(signal)) {
        this.#fetchFrom(stream.leader)
        yield batch
      }
    } finally {
      signal.removeEventListener('abort', drop)
      drop()
    }
  }

  async #locate(stream: FetchStream): Promise<void> {
    try {
      stream.leader = await this.#cluster.leaderOf(stream.topic, stream.partition)
      this.#fetchFrom(stream.leader)
    } catch (error) {
      this.#meetTrouble(stream, error)
    }
  }

  /** Fetches from a broker until nobody wants anything of it. */
  #fetchFrom(leader: number | null): void {
    if (leader === null || this.#busy.has(leader)) return
    this.#busy.add(leader)
    void this.#keepFetching(leader).finally(() => this.#busy.delete(leader))
  }

  async #keepFetching(leader: number): Promise<void> {
    for (;;) {
      const led = [...this.#streams].filter((stream) => stream.leader === leader)
      const heldBytes = led.reduce((sum, stream) => sum + stream.heldBytes, 0)
      const lookaheadBytes = heldBytes < MOST_HELD_BYTES ? LOOKAHEAD_BYTES : 0
      const hungry = led.filter((stream) => stream.isHungry(lookaheadBytes))
      if (hungry.length === 0) return
      const served = oncePerPartition(hungry)
      await this.#fetchOnce(leader, served, served.length === led.length ? WAIT_MS : WAIT_BESIDE_OTHERS_MS)
      for (const stream of served) this.#queueUp(stream)
    }
  }

  /** Who was served comes after those who were left out. */
  #queueUp(stream: FetchStream): void {
    if (this.#streams.delete(stream)) this.#streams.add(stream)
  }

  async #fetchOnce(leader: number, streams: readonly FetchStream[], maxWaitMs: Milliseconds): Promise<void> {
    try {
      const asked = new Map<string, FetchStream>()
      const places: FetchPlace[] = []
      for (const stream of streams) {
        const { id: topicId } = await this.#cluster.topic(stream.topic)
        places.push({ topicId, partition: stream.partition, offset: stream.nextOffset })
        asked.set(`${topicId}/${stream.partition}`, stream)
      }
      const limits: FetchLimits = { maxWaitMs, maxBytes: MAX_BYTES, partitionMaxBytes: PARTITION_MAX_BYTES }
      const fetched = await this.#cluster.lineTo(leader, this.#lane).send(() => fetchRequest(places, limits), maxWaitMs)
      if (fetched.errorCode !== kafkaError.none) throw brokerSays(fetched.errorCode, `broker ${leader}`)
      const wasWaitedFor = maxWaitMs === WAIT_MS && fetched.throttleMs === 0
      for (const partition of fetched.partitions)
        await this.#handOut(asked.get(`${partition.topicId}/${partition.partition}`)!, partition, wasWaitedFor)
    } catch (error) {
      for (const stream of streams) this.#meetTrouble(stream, error)
    }
  }

  async #handOut(stream: FetchStream, partition: FetchedPartition, wasWaitedFor: boolean): Promise<void> {
    try {
      if (partition.errorCode === kafkaError.offsetOutOfRange) throw await this.#whyOutOfRange(stream)
      if (partition.errorCode !== kafkaError.none) throw brokerSays(partition.errorCode, stream.place)
      stream.take(partition, wasWaitedFor)
    } catch (error) {
      this.#meetTrouble(stream, error)
    }
  }

  async #whyOutOfRange(stream: FetchStream): Promise<ObstreamError> {
    const { topic, partition, place, nextOffset } = stream
    const { earliest, end } = await this.#bounds(topic, partition)
    if (nextOffset < earliest)
      return new ObstreamError(
        'OBS_LOG_OFFSET_EXPIRED',
        `${place}: offset ${nextOffset} was asked for; the oldest kept one is ${earliest}.`,
      )
    if (nextOffset > end) {
      const now = performance.now()
      stream.beyondEndSinceMs ??= now
      if (now - stream.beyondEndSinceMs >= ENDS_LAG_MS)
        return new ObstreamError(
          'OBS_LOG_HISTORY_CHANGED',
          `${place}: offset ${nextOffset} was asked for; the log ends at ${end}. It was truncated or created anew.`,
        )
    }
    return new ObstreamError('OBS_LOG_UNAVAILABLE', `${place}: the leader does not know offset ${nextOffset} yet.`)
  }

  /** What may pass is tried again with a fresh look at who leads; everything else, and impatience, ends the stream. */
  #meetTrouble(stream: FetchStream, error: unknown): void {
    const now = performance.now()
    stream.leader = null
    stream.troubleSinceMs ??= now
    this.#cluster.forgetTopic(stream.topic)
    const sinceMs = now - stream.troubleSinceMs
    const patienceMs = PATIENCE_MS + (stream.beyondEndSinceMs === null ? 0 : ENDS_LAG_MS)
    const waits = mayPass(error) && sinceMs < patienceMs && this.#streams.has(stream)
    if (!waits) stream.fail(unavailable(`${stream.place} cannot be read`, error))
    else setTimeout(() => void this.#locate(stream), Math.min(FIRST_PAUSE_MS + sinceMs, LONGEST_PAUSE_MS))
  }
}

/** Kafka takes each partition once in a request. */
function oncePerPartition(streams: readonly FetchStream[]): FetchStream[] {
  const places = new Set<string>()
  return streams.filter(({ place }) => !places.has(place) && places.add(place))
}

function brokerSays(errorCode: number, place: string): ObstreamError {
  return new ObstreamError('OBS_LOG_UNAVAILABLE', `${place} cannot be read at the moment: Kafka's error ${errorCode}.`)
}
