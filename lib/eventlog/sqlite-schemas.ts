import type { SchemaStore, StoredSchema } from '#lib/registry/port.ts'
import type { SqliteFile } from './sqlite.ts'

/** Schemas in the log's own file. */
export class SqliteSchemas implements SchemaStore {
  readonly #file: SqliteFile

  constructor(file: SqliteFile) {
    this.#file = file
  }

  all(): readonly StoredSchema[] {
    return this.#file.all<StoredSchema>('SELECT id, subject, schema FROM schemas ORDER BY id')
  }

  add(subject: string, schema: string, admit: (versions: readonly StoredSchema[]) => number | null): number {
    return this.#file.transact(() => {
      const versions = this.#file.all<StoredSchema>(
        'SELECT id, subject, schema FROM schemas WHERE subject = ? ORDER BY id',
        subject,
      )
      // Rows are never deleted, so that ids count up from 1.
      return admit(versions) ?? this.#file.run('INSERT INTO schemas (subject, schema) VALUES (?, ?)', subject, schema)
    })
  }
}
