import type { SchemaStore, StoredSchema } from './port.ts'

/** The schemas of a log in memory. */
export class MemorySchemaStore implements SchemaStore {
  readonly #schemas: StoredSchema[] = []

  all(): readonly StoredSchema[] {
    return this.#schemas
  }

  add(subject: string, schema: string, admit: (versions: readonly StoredSchema[]) => number | null): number {
    const known = admit(this.#schemas.filter((stored) => stored.subject === subject))
    if (known !== null) return known
    const id = this.#schemas.length + 1
    this.#schemas.push({ id, subject, schema })
    return id
  }
}
