import type { JsonValue } from './canonical-json.ts'

/**
 * Names are `snake_case` in topics, files and JSON and `camelCase` in TypeScript; this file is the only place that maps
 * them. Only an underscore before a letter is an edge of a word, so `p95_ms` is `p95Ms` and `sha256` stays.
 */
export function toSnakeCase(name: string): string {
  let known = snakeNames.get(name)
  if (known === undefined) {
    known = name.replaceAll(/[A-Z]/g, (letter, at: number) => (at === 0 ? '' : '_') + letter.toLowerCase())
    snakeNames.set(name, known)
  }
  return known
}

/** Of the fields of our facts and schemas: a few hundred, asked for with every record that is hashed. */
const snakeNames = new Map<string, string>()

export function toCamelCase(name: string): string {
  return name.replaceAll(/_[a-z]/g, (edge) => edge[1]!.toUpperCase())
}

/** Fields whose value is a map: the names inside are data, not fields, and are never changed. */
const MAP_FIELDS: ReadonlySet<string> = new Set(['options', 'summary', 'cutLastKeys', 'labels', 'datasetRows'])

/** Whether the names inside this field (as TypeScript names it) are data. */
export function isMapField(field: string): boolean {
  return MAP_FIELDS.has(field)
}

/** A copy with every field named as the outside names it, at any depth. Keeps the order of fields. */
export function toWireNames(value: object): JsonValue {
  return renamed(value, toSnakeCase, isMapField) as JsonValue
}

/** The opposite of `toWireNames`. */
export function fromWireNames(value: JsonValue): unknown {
  return renamed(value, toCamelCase, (field) => isMapField(toCamelCase(field)))
}

function renamed(value: unknown, rename: (name: string) => string, isMap: (field: string) => boolean): unknown {
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) return value.map((item) => renamed(item, rename, isMap))
  const fields = Object.entries(value).map(([name, member]) => [
    rename(name),
    isMap(name) ? member : renamed(member, rename, isMap),
  ])
  return Object.fromEntries(fields)
}
