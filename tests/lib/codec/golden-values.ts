import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from '@jest/globals'
import { openCodec } from '#lib/codec/avro.ts'
import type { JsonObject } from '#lib/codec/canonical-json.ts'
import { factFromJson } from '#lib/codec/fact-json.ts'
import type { Probe } from '#lib/facts.ts'
import { openEmbeddedRegistry } from '#lib/registry/embedded.ts'
import { MemorySchemaStore } from '#lib/registry/memory-store.ts'
import type { SchemaRegistry } from '#lib/registry/port.ts'
import type { TopicDefinition } from '#lib/topics.ts'
import { schemaTopics } from './topic-values.ts'

export interface Golden {
  readonly schema: string
  readonly json: JsonObject
  readonly hex: string
}

export const goldens: readonly Golden[] = JSON.parse(
  readFileSync(join(import.meta.dirname, 'golden/values.golden.json'), 'utf8'),
)

export const probe: Probe = {
  type: 'probe',
  outcome: 'ok',
  scheduledAt: 1_782_514_800_000,
  ordinal: 0,
  latencyMs: 812,
  measuredAt: 1_782_514_800_003,
  lagMs: null,
  errorCode: null,
}

export const newRegistry = (): SchemaRegistry => openEmbeddedRegistry(new MemorySchemaStore())

export async function openFor<Topic extends TopicDefinition>(topic: Topic) {
  return await openCodec(topic, newRegistry())
}

export function topicOf(schema: string): TopicDefinition {
  return schemaTopics.find((topic) => topic.schema === schema)!
}

export function golden(type: string): Golden {
  return goldens.find(({ json }) => json['type'] === type)!
}

/** The value of a golden entry as the code sees it. */
export function goldenValue<Value>(type: string): Value {
  return factFromJson(golden(type).json) as Value
}

export function invalid(message: string): object {
  return expect.objectContaining({ code: 'OBS_RECORD_INVALID', message: expect.stringContaining(message) })
}

export function errorOf(action: () => unknown): unknown {
  try {
    action()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

/** A value in wire format from its Avro bytes in hex. */
export function wire(codec: { readonly schemaId: number }, hex: string): Buffer {
  return Buffer.concat([Buffer.from([0, 0, 0, 0, codec.schemaId]), Buffer.from(hex, 'hex')])
}
