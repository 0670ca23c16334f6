/** An Avro schema as JSON. */
export type AvroSchema = { readonly [key: string]: unknown }

/**
 * Schemas by number, so that a record of five bytes' overhead says how to read it (Confluent wire format).
 *
 * Compatibility is BACKWARD_TRANSITIVE: a new schema of a subject must read what every one before it wrote, since a log
 * keeps what the oldest of them wrote.
 */
export interface SchemaRegistry {
  /**
   * The id of a schema under a subject; registers it when it is new. The same schema always gives the same id.
   *
   * @param stop ends a wait
   * @throws OBS_REGISTRY_INCOMPATIBLE naming the field · OBS_REGISTRY_UNAVAILABLE, OBS_REGISTRY_ACCESS_DENIED · the
   *   signal's reason
   */
  register(subject: string, schema: AvroSchema, stop?: AbortSignal): Promise<number>
  /**
   * What an id stands for. One that is known is known for ever, also while the registry is away.
   *
   * @param stop ends a wait
   * @throws OBS_REGISTRY_UNAVAILABLE also for an id that is not known: it may be known a moment later · the signal's reason ·
   *   OBS_REGISTRY_ACCESS_DENIED
   */
  schema(id: number, stop?: AbortSignal): Promise<AvroSchema>
  /** Why somebody waits for it now, in words; `null`: nobody does. */
  readonly waitsFor: string | null
}

/** Where an embedded registry keeps its schemas: in the log's own file, so that a copied log stays readable. */
export interface SchemaStore {
  /** All schemas, in order of id from 1. */
  all(): readonly StoredSchema[]
  /**
   * Adds a schema in one exclusive transaction.
   *
   * @param admit sees the schemas of the subject, oldest first, as they are inside of the transaction; returns the id of an equal
   *   one, `null` to add, or throws to refuse
   */
  add(subject: string, schema: string, admit: (versions: readonly StoredSchema[]) => number | null): number
}

export interface StoredSchema {
  readonly id: number
  readonly subject: string
  /** JSON text. */
  readonly schema: string
}
