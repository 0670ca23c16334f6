import avsc from 'avsc'
import { canonicalJson } from '#lib/codec/canonical-json.ts'
import { ObstreamError } from '#lib/errors.ts'
import { obstacle } from './compatibility.ts'
import type { AvroSchema, SchemaRegistry, SchemaStore, StoredSchema } from './port.ts'

/**
 * A registry inside of the log's own file, for logs without a schema registry beside them.
 *
 * Two schemas are the same when they differ in nothing but documentation and the order of JSON members. A schema that the
 * subject had before, but is not its newest, keeps its old id and is not checked again.
 */
export function openEmbeddedRegistry(store: SchemaStore): SchemaRegistry {
  return {
    async register(subject, schema) {
      const type = parse(subject, schema)
      return store.add(subject, JSON.stringify(schema), (versions) => {
        const same = versions.find((version) => essence(JSON.parse(version.schema)) === essence(schema))
        if (same) return same.id
        refuseIncompatible(subject, type, versions.at(-1))
        return null
      })
    },

    async schema(id) {
      const stored = store.all().find((candidate) => candidate.id === id)
      if (stored) return JSON.parse(stored.schema)
      throw new ObstreamError('OBS_REGISTRY_UNAVAILABLE', `the log holds no schema with id ${id}, perhaps not yet`)
    },
  }
}

function refuseIncompatible(subject: string, reader: avsc.Type, newest: StoredSchema | undefined): void {
  if (!newest) return
  const found = obstacle(reader, parse(subject, JSON.parse(newest.schema)))
  if (found === undefined) return
  throw new ObstreamError(
    'OBS_REGISTRY_INCOMPATIBLE',
    `the new schema of ${subject} cannot read what was written with schema ${newest.id}: ${found}`,
  )
}

function parse(subject: string, schema: AvroSchema): avsc.Type {
  try {
    return avsc.Type.forSchema(schema as unknown as avsc.schema.AvroSchema)
  } catch (error) {
    const reason = (error as Error).message
    throw new ObstreamError('OBS_REGISTRY_INCOMPATIBLE', `the schema of ${subject} is no Avro schema: ${reason}`, {
      cause: error,
    })
  }
}

/** A schema without its documentation, as text to compare. */
function essence(schema: AvroSchema): string {
  return canonicalJson(withoutDoc(schema))
}

function withoutDoc(schema: unknown): unknown {
  if (schema === null || typeof schema !== 'object') return schema
  if (Array.isArray(schema)) return schema.map(withoutDoc)
  // A default is data: a member of it named `doc` is no documentation.
  const members = Object.entries(schema).filter(([name]) => name !== 'doc')
  return Object.fromEntries(members.map(([name, member]) => [name, name === 'default' ? member : withoutDoc(member)]))
}
