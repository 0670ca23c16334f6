import type { Instant, Milliseconds } from '#lib/time.ts'
import { encoderOf, type KafkaRequest } from './kafkajs.ts'
import { WireReader, WireWriter } from './wire.ts'

/**
 * The requests that kafkajs does not know well enough: Fetch and Metadata by topic id, so that a topic which was deleted
 * and created anew is never taken for the old one, and Produce and Fetch with record batches as bytes, so that one codec
 * (`record-batch.ts`) writes and reads them everywhere.
 *
 * Source: the message definitions of Apache Kafka (FetchRequest.json and so on), in versions that 3.1 and later know.
 */

interface OwnRequest<Answer> {
  readonly apiKey: number
  readonly apiVersion: number
  readonly apiName: string
  /** Flexible ones begin with the tagged fields of the header. */
  readonly isFlexible: boolean
  readonly body: WireWriter
  readonly read: (reader: WireReader) => Answer
}

/** For the part of kafkajs that slows requests down when a broker asks for it. */
interface Throttled {
  readonly throttleMs: Milliseconds
}

function request<Answer extends Throttled>(own: OwnRequest<Answer>): KafkaRequest<Answer> {
  const { apiKey, apiVersion, apiName, isFlexible, body, read } = own
  return {
    request: {
      apiKey,
      apiVersion,
      apiName,
      encode: async () => encoderOf(isFlexible ? new WireWriter().noTags().raw(body.body()).body() : body.body()),
    },
    response: {
      decode: async (payload) => {
        const reader = new WireReader(payload)
        if (isFlexible) reader.skipTags()
        const answer = read(reader)
        return { ...answer, clientSideThrottleTime: answer.throttleMs }
      },
      parse: async (decoded) => decoded as Answer,
    },
  }
}

export interface BrokerAddress {
  readonly nodeId: number
  readonly host: string
  readonly port: number
}

export interface PartitionMetadata {
  readonly partition: number
  /** -1: it has none at the moment. */
  readonly leader: number
}

export interface TopicMetadata {
  readonly errorCode: number
  readonly name: string
  /** Hexadecimal digits; another one is another topic, whatever its name. */
  readonly id: string
  /** In order of their numbers. */
  readonly partitions: readonly PartitionMetadata[]
}

export interface Metadata extends Throttled {
  readonly brokers: readonly BrokerAddress[]
  readonly controller: number
  readonly topics: readonly TopicMetadata[]
}

const NO_TOPIC_ID = Buffer.alloc(16)

/** Version 12. Never creates a topic. */
export function metadataRequest(topics: readonly string[]): KafkaRequest<Metadata> {
  const body = new WireWriter()
    .compactArray(topics, (writer, name) => writer.raw(NO_TOPIC_ID).compactString(name).noTags())
    .int8(0) // allow_auto_topic_creation
    .int8(0) // include_topic_authorized_operations
    .noTags()
  return request({ apiKey: 3, apiVersion: 12, apiName: 'Metadata', isFlexible: true, body, read: readMetadata })
}

function readMetadata(reader: WireReader): Metadata {
  const throttleMs = reader.int32()
  const brokers = reader.compactArray((r) => {
    const broker = { nodeId: r.int32(), host: r.compactString()!, port: r.int32() }
    r.compactString() // rack
    r.skipTags()
    return broker
  })
  reader.compactString() // cluster id
  const controller = reader.int32()
  const topics = reader.compactArray(readTopic)
  return { throttleMs, brokers, controller, topics }
}

function readTopic(reader: WireReader): TopicMetadata {
  const errorCode = reader.int16()
  const name = reader.compactString() ?? ''
  const id = reader.uuid()
  reader.int8() // is_internal
  const partitions = reader.compactArray((r) => {
    r.int16() // error_code: what matters of it is that there is no leader
    const place = { partition: r.int32(), leader: r.int32() }
    r.int32() // leader epoch
    for (let nodes = 0; nodes < 3; nodes++) r.compactArray((node) => node.int32()) // replicas, in sync, offline
    r.skipTags()
    return place
  })
  reader.int32() // authorized operations
  reader.skipTags()
  return { errorCode, name, id, partitions: partitions.sort((a, b) => a.partition - b.partition) }
}

/** One partition to fetch from. */
export interface FetchPlace {
  readonly topicId: string
  readonly partition: number
  readonly offset: number
}

export interface FetchLimits {
  /** How long the broker waits for a first byte. */
  readonly maxWaitMs: Milliseconds
  readonly maxBytes: number
  readonly partitionMaxBytes: number
}

export interface FetchedPartition {
  readonly topicId: string
  readonly partition: number
  readonly errorCode: number
  /** The offset behind the newest record that is safe; what lies above it is not handed out. */
  readonly highWatermark: number
  /** The oldest kept offset. */
  readonly logStart: number
  /** Whole batches, perhaps a part of one at the end. */
  readonly records: Buffer
}

export interface Fetched extends Throttled {
  readonly errorCode: number
  readonly partitions: readonly FetchedPartition[]
}

/** Version 13, without a session: each request names all that it asks for. */
export function fetchRequest(places: readonly FetchPlace[], limits: FetchLimits): KafkaRequest<Fetched> {
  const topics = [...Map.groupBy(places, ({ topicId }) => topicId)]
  const body = new WireWriter()
    .int32(-1) // replica_id: a consumer
    .int32(limits.maxWaitMs)
    .int32(1) // min_bytes
    .int32(limits.maxBytes)
    .int8(0) // isolation level: read uncommitted; nothing of obstream writes in transactions
    .int32(0) // session_id
    .int32(-1) // session_epoch
    .compactArray(topics, (writer, [topicId, partitions]) =>
      writer
        .raw(Buffer.from(topicId, 'hex'))
        .compactArray(partitions, (w, { partition, offset }) =>
          w
            .int32(partition)
            .int32(-1) // current_leader_epoch
            .int64(offset)
            .int32(-1) // last_fetched_epoch
            .int64(-1) // log_start_offset
            .int32(limits.partitionMaxBytes)
            .noTags(),
        )
        .noTags(),
    )
    .compactArray([], () => {}) // forgotten_topics_data
    .compactString('') // rack_id
    .noTags()
  return request({ apiKey: 1, apiVersion: 13, apiName: 'Fetch', isFlexible: true, body, read: readFetched })
}

function readFetched(reader: WireReader): Fetched {
  const throttleMs = reader.int32()
  const errorCode = reader.int16()
  reader.int32() // session_id
  const topics = reader.compactArray((r) => {
    const topicId = r.uuid()
    const partitions = r.compactArray((p) => readFetchedPartition(p, topicId))
    r.skipTags()
    return partitions
  })
  return { throttleMs, errorCode, partitions: topics.flat() }
}

function readFetchedPartition(reader: WireReader, topicId: string): FetchedPartition {
  const partition = reader.int32()
  const errorCode = reader.int16()
  const highWatermark = reader.int64()
  reader.int64() // last_stable_offset
  const logStart = reader.int64()
  reader.compactArray((r) => {
    r.int64() // producer_id
    r.int64() // first_offset
    r.skipTags()
  })
  reader.int32() // preferred_read_replica
  const records = reader.compactBytes()
  reader.skipTags()
  return { topicId, partition, errorCode, highWatermark, logStart, records }
}

export interface Produced extends Throttled {
  readonly errorCode: number
  /** Of the broker, for people. */
  readonly message: string | null
  readonly baseOffset: number
  /** -1 when the topic keeps the producer's time. */
  readonly appendedAtMs: Instant
}

/** Version 8, one batch for one partition, to be acknowledged by all replicas in sync. */
export function produceRequest(place: {
  readonly topic: string
  readonly partition: number
  readonly batch: Buffer
  readonly timeoutMs: Milliseconds
}): KafkaRequest<Produced> {
  const body = new WireWriter()
    .string(null) // transactional_id
    .int16(-1) // acks: all
    .int32(place.timeoutMs)
    .int32(1)
    .string(place.topic)
    .int32(1)
    .int32(place.partition)
    .bytes(place.batch)
  return request({ apiKey: 0, apiVersion: 8, apiName: 'Produce', isFlexible: false, body, read: readProduced })
}

function readProduced(reader: WireReader): Produced {
  const topics = reader.array((r) => {
    r.string()
    return r.array(readProducedPartition)
  })
  return { ...topics[0]![0]!, throttleMs: reader.int32() }
}

function readProducedPartition(reader: WireReader): Omit<Produced, 'throttleMs'> {
  reader.int32() // partition
  const errorCode = reader.int16()
  const baseOffset = reader.int64()
  const appendedAtMs = reader.int64()
  reader.int64() // log_start_offset
  reader.array((r) => {
    r.int32() // index in the batch
    r.string()
  })
  return { errorCode, baseOffset, appendedAtMs, message: reader.string() }
}
