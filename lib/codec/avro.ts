import type avsc from 'avsc'
import type { DeliveryFact } from '#lib/delivery/facts.ts'
import { ObstreamError } from '#lib/errors.ts'
import type { Alert, Breach, CommandFact, JobFact, PlanRecord, SampleFact, WindowFact } from '#lib/facts.ts'
import type { AvroSchema, SchemaRegistry } from '#lib/registry/port.ts'
import type { TopicDefinition } from '#lib/topics.ts'
import { faultInBytes } from './avro-bytes.ts'
import type { Facts } from './avro-facts.ts'
import { factsOf } from './avro-facts.ts'
import type { Shape } from './avro-schema.ts'
import { compileType, loadTopicSchema, shapeOf, subjectOf } from './avro-schema.ts'
import type { JsonObject } from './canonical-json.ts'
import { factJson } from './fact-json.ts'

/** The value of each topic with a schema. */
interface TopicValues {
  readonly 'obs.sample.v1': SampleFact
  readonly 'obs.plan.v1': PlanRecord
  readonly 'obs.window.v1': WindowFact
  readonly 'obs.breach.v1': Breach
  readonly 'obs.alert.v1': Alert
  readonly 'obs.command.v1': CommandFact
  readonly 'obs.delivery.v1': DeliveryFact
  readonly 'obs.job.v1': JobFact
}

export type ValueOf<Topic extends TopicDefinition> = Topic['name'] extends keyof TopicValues
  ? TopicValues[Topic['name']]
  : object

/**
 * A record names a schema id that the codec has not met. No fault of the record: call `learn(id)`, then decode again. It
 * is no ObstreamError, so that nobody can take it for a bad record.
 */
export class UnknownSchemaError extends Error {
  override readonly name = 'UnknownSchemaError'
  readonly id: number

  constructor(id: number) {
    super(`schema ${id} has not been fetched from the registry yet`)
    this.id = id
  }
}

/** Values of one topic as bytes: the Confluent wire format, a zero byte, the schema's id in four bytes, Avro. */
export interface TopicCodec<Value> {
  readonly topic: TopicDefinition
  /** Of the schema that `encode` writes with. */
  readonly schemaId: number
  /** @throws OBS_RECORD_INVALID naming the field, when the value does not fit the schema */
  encode(value: Value): Buffer
  /**
   * Reads what any known schema of the topic wrote; fields it did not have get their default.
   *
   * @throws UnknownSchemaError for an id to `learn` first · OBS_RECORD_INVALID when the bytes are bad in themselves, or
   *   their schema cannot be read by ours
   */
  decode(bytes: Uint8Array): Value
  /**
   * Fetches a schema, once. One that ours cannot read is remembered too; `decode` then says why.
   *
   * @param signal ends a wait for the registry
   * @throws OBS_REGISTRY_UNAVAILABLE; nothing is remembered then · the signal's reason
   */
  learn(id: number, signal?: AbortSignal): Promise<void>
  /** Whether records with this id were written with the very schema that `encode` uses. */
  isCurrent(id: number): boolean
}

/**
 * Registers the topic's schema and opens a codec for its values. A topic that holds several kinds of facts tells them
 * apart by `type`.
 *
 * @param stop ends a wait for the registry
 * @throws OBS_REGISTRY_INCOMPATIBLE · OBS_REGISTRY_UNAVAILABLE · the signal's reason
 */
export async function openCodec<Topic extends TopicDefinition>(
  topic: Topic,
  registry: SchemaRegistry,
  stop?: AbortSignal,
): Promise<TopicCodec<ValueOf<Topic>>> {
  const schema = loadTopicSchema(topic)
  const schemaId = await registry.register(subjectOf(topic), schema, stop)
  return new SchemaCodec(topic, registry, { id: schemaId, schema })
}

/** How to read what one schema wrote, or why that is impossible. */
type Reader = { readonly shape: Shape; read(payload: Buffer): unknown } | { readonly unreadable: string }

class SchemaCodec<Value> implements TopicCodec<Value> {
  readonly topic: TopicDefinition
  readonly schemaId: number
  readonly #registry: SchemaRegistry
  readonly #type: avsc.Type
  readonly #facts: Facts
  readonly #readers = new Map<number, Reader>()
  #scratch = Buffer.allocUnsafe(4096)

  constructor(topic: TopicDefinition, registry: SchemaRegistry, current: { id: number; schema: AvroSchema }) {
    this.topic = topic
    this.schemaId = current.id
    this.#registry = registry
    this.#type = compileType(current.schema, 'keep')
    this.#facts = factsOf(shapeOf(this.#type))
    this.#readers.set(current.id, readerOf(current.schema, this.#type))
  }

  encode(value: Value): Buffer {
    const fault = this.#facts.misfit(value)
    if (fault) {
      const place = fault.path.length === 0 ? 'the value' : fault.path.join('.')
      throw this.#invalid(`cannot be written: ${place}: ${fault.problem}`)
    }
    const end = this.#write(this.#facts.toAvro(value))
    writeHeader(this.#scratch, this.schemaId)
    return Buffer.from(this.#scratch.subarray(0, end))
  }

  /** @returns where the value ends in the scratch buffer, which grows to the largest value seen */
  #write(value: unknown): number {
    const end = this.#type.encode(value, this.#scratch, HEADER_BYTES)
    if (end >= 0) return end
    this.#scratch = Buffer.allocUnsafe((this.#scratch.length - end) * 2)
    return this.#type.encode(value, this.#scratch, HEADER_BYTES)
  }

  decode(bytes: Uint8Array): Value {
    const id = schemaIdOf(bytes)
    if (id === undefined) throw this.#invalid('cannot be read: it does not begin with a zero byte and a schema id')
    const reader = this.#readers.get(id)
    if (!reader) throw new UnknownSchemaError(id)
    if ('unreadable' in reader) throw this.#invalid(`was written with schema ${id}: ${reader.unreadable}`)
    const fault = faultInBytes(reader.shape, bytes, HEADER_BYTES)
    if (fault !== undefined) throw this.#invalid(`cannot be read with schema ${id}: ${fault}`)
    return this.#facts.fromAvro(reader.read(payloadOf(bytes))) as Value
  }

  async learn(id: number, signal?: AbortSignal): Promise<void> {
    if (this.#readers.has(id)) return
    const schema = await this.#registry.schema(id, signal)
    this.#readers.set(id, readerOf(schema, this.#type))
  }

  isCurrent(id: number): boolean {
    return id === this.schemaId
  }

  #invalid(problem: string): ObstreamError {
    return new ObstreamError('OBS_RECORD_INVALID', `a value of ${this.topic.name} ${problem}`)
  }
}

function readerOf(written: AvroSchema, type: avsc.Type): Reader {
  try {
    const writer = compileType(written, 'drop')
    const resolver = type.createResolver(writer)
    return { shape: shapeOf(writer), read: (payload) => type.fromBuffer(payload, resolver) }
  } catch (error) {
    return { unreadable: `our schema cannot read it (${(error as Error).message})` }
  }
}

/**
 * Reads values with the schema they were written with, whatever it is, as JSON for people and other programs.
 *
 * @returns a function that throws OBS_RECORD_INVALID for bytes that are not such a value
 * @throws OBS_RECORD_INVALID when the schema itself is none
 */
export function openJsonReader(schema: AvroSchema): (bytes: Uint8Array) => JsonObject {
  const { type, shape } = compileWritten(schema)
  const facts = factsOf(shape)
  return (bytes) => {
    const fault = schemaIdOf(bytes) === undefined ? 'no schema id' : faultInBytes(shape, bytes, HEADER_BYTES)
    if (fault !== undefined) throw new ObstreamError('OBS_RECORD_INVALID', `a value cannot be read: ${fault}`)
    return factJson(facts.fromAvro(type.fromBuffer(payloadOf(bytes))) as object)
  }
}

function compileWritten(schema: AvroSchema): { readonly type: avsc.Type; readonly shape: Shape } {
  try {
    const type = compileType(schema, 'drop')
    return { type, shape: shapeOf(type) }
  } catch (error) {
    throw new ObstreamError('OBS_RECORD_INVALID', `not an Avro schema: ${(error as Error).message}`, { cause: error })
  }
}

const HEADER_BYTES = 5

/** The schema id of a value in the Confluent wire format; `undefined` when it does not begin like one. */
export function schemaIdOf(bytes: Uint8Array): number | undefined {
  if (bytes.length < HEADER_BYTES || bytes[0] !== 0) return undefined
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(1)
}

function writeHeader(target: Buffer, schemaId: number): void {
  target[0] = 0
  target.writeUInt32BE(schemaId, 1)
}

function payloadOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset + HEADER_BYTES, bytes.byteLength - HEADER_BYTES)
}
