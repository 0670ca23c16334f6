import { formatCause } from '#lib/cause.ts'
import { openJsonReader, schemaIdOf } from '#lib/codec/avro.ts'
import { canonicalJson } from '#lib/codec/canonical-json.ts'
import { sha256Hex } from '#lib/codec/sha256.ts'
import { isObstreamError } from '#lib/errors.ts'
import type { Offset } from '#lib/eventlog/port.ts'
import type { BatchRecord } from '#lib/eventlog/record-batch.ts'
import type { SchemaRegistry } from '#lib/registry/port.ts'
import { causeOf } from '#lib/runtime/record-headers.ts'
import type { Instant } from '#lib/time.ts'
import { formatInstantMs } from '#lib/time.ts'
import type { TopicDefinition } from '#lib/topics.ts'

type JsonReader = ReturnType<typeof openJsonReader>
type Value = { readonly json: ReturnType<JsonReader> } | { readonly bytes: Buffer; readonly fault: string | null }

export interface RecordPlace {
  readonly partition: number
  readonly offset: Offset
  readonly appendedAt: Instant
}

/**
 * Records of one topic as text for people and other programs. Values are read with the schema they were written with; the
 * hash is that of the fact, by which evidence names it. What cannot be read is shown as base64 with the reason.
 */
export class RecordText {
  readonly #topic: TopicDefinition
  readonly #registry: SchemaRegistry
  readonly #readers = new Map<number, Promise<JsonReader>>()

  constructor(topic: TopicDefinition, registry: SchemaRegistry) {
    this.#topic = topic
    this.#registry = registry
  }

  /** `key  first 12 digits of the hash  value`. */
  async line(record: BatchRecord): Promise<string> {
    const value = await this.#read(record)
    const text =
      'json' in value
        ? JSON.stringify(value.json)
        : `base64:${value.bytes.toString('base64')}${value.fault === null ? '' : ` (${value.fault})`}`
    return `${record.key.toString('utf8') || '-'}  ${hashOf(value).slice(0, 12)}  ${text}`
  }

  /** The same with all that there is: where the record stands, and why it exists. */
  async object(record: BatchRecord, place: RecordPlace): Promise<object> {
    const value = await this.#read(record)
    const cause = causeOf(record)
    return {
      topic: this.#topic.name,
      partition: place.partition,
      offset: place.offset,
      appended_at: formatInstantMs(place.appendedAt),
      cause: cause === undefined ? null : formatCause(cause),
      key: record.key.toString('utf8'),
      sha256: hashOf(value),
      ...('json' in value
        ? { value: value.json }
        : { value: null, base64: value.bytes.toString('base64'), fault: value.fault }),
    }
  }

  async #read(record: BatchRecord): Promise<Value> {
    const bytes = record.value ?? Buffer.alloc(0)
    if (this.#topic.schema === null) return { bytes, fault: null }
    const id = schemaIdOf(bytes)
    if (id === undefined) return { bytes, fault: 'it does not begin with a schema id' }
    try {
      return { json: (await this.#reader(id))(bytes) }
    } catch (error) {
      if (isObstreamError(error)) return { bytes, fault: error.message }
      throw error
    }
  }

  /** A schema that was waited for in vain is not waited for at each of its records. */
  #reader(id: number): Promise<JsonReader> {
    const known = this.#readers.get(id)
    if (known) return known
    const reader = this.#registry.schema(id).then(openJsonReader)
    this.#readers.set(id, reader)
    return reader
  }
}

function hashOf(value: Value): string {
  return sha256Hex('json' in value ? canonicalJson(value.json) : value.bytes)
}
