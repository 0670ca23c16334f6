import type avsc from 'avsc'
import { canonicalJson } from '#lib/codec/canonical-json.ts'
import { ObstreamError } from '#lib/errors.ts'
import type { Milliseconds } from '#lib/time.ts'
import { incompatible, obstacle, parseSchema } from './compatibility.ts'
import { Patience } from './patience.ts'
import type { AvroSchema, SchemaRegistry, SchemaStore, StoredSchema } from './port.ts'

export interface EmbeddedRegistryOptions {
  /** How long `schema` waits for an id that the log does not hold; default 0. */
  readonly schemaWaitMs?: Milliseconds
  /** Called when a wait begins, with its reason. */
  readonly onWait?: (reason: string) => void
}

/**
 * A registry inside of the log's own file, for logs without a schema registry beside them.
 *
 * Two schemas are the same when they differ in nothing but documentation and the order of JSON members. A schema that the
 * subject had before, but is not its newest, keeps its old id and is not checked again.
 */
export function openEmbeddedRegistry(
  store: SchemaStore,
  { schemaWaitMs: waitMs = 0, onWait }: EmbeddedRegistryOptions = {},
): SchemaRegistry {
  const patience = new Patience(onWait)
  const find = async (id: number): Promise<AvroSchema> => {
    const stored = store.all().find((candidate) => candidate.id === id)
    if (stored) return JSON.parse(stored.schema)
    throw new ObstreamError('OBS_REGISTRY_UNAVAILABLE', `the log holds no schema with id ${id}, perhaps not yet`)
  }
  return {
    async register(subject, schema) {
      const type = parseSchema(subject, schema)
      return store.add(subject, JSON.stringify(schema), (versions) => {
        const same = versions.find((version) => essence(JSON.parse(version.schema)) === essence(schema))
        if (same) return same.id
        refuseIncompatible(subject, type, versions)
        return null
      })
    },

    schema: (id, stop) =>
      waitMs === 0 ? find(id) : patience.ask({ what: `schema ${id}`, waitMs, stop }, () => find(id)),

    get waitsFor() {
      return patience.waitsFor
    },
  }
}

function refuseIncompatible(subject: string, reader: avsc.Type, versions: readonly StoredSchema[]): void {
  for (const { id, schema } of versions.toReversed()) {
    const found = obstacle(reader, parseSchema(subject, JSON.parse(schema)))
    if (found !== undefined) throw incompatible(subject, id, found)
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
