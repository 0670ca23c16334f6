import { describe, expect, test } from '@jest/globals'
import { loadTopicSchema } from '#lib/codec/avro-schema.ts'
import { fromWireNames, isMapField, toCamelCase, toSnakeCase, toWireNames } from '#lib/codec/names.ts'
import { schemaTopics } from './topic-values.ts'

interface Field {
  readonly name: string
  readonly type: unknown
}

/** Every field of every record in a schema, however deep. */
function fieldsIn(schema: unknown): readonly Field[] {
  if (Array.isArray(schema)) return schema.flatMap(fieldsIn)
  if (typeof schema !== 'object' || schema === null) return []
  const {
    fields = [],
    type,
    items,
    values,
  } = schema as Record<string, unknown> & { readonly fields?: readonly Field[] }
  return [...fields, ...[fields.map((field) => field.type), type, items, values].flatMap(fieldsIn)]
}

const fields = schemaTopics.flatMap((topic) => fieldsIn(loadTopicSchema(topic)))

describe('every field of every topic', () => {
  test('is found: there are many, and none is forgotten', () => {
    const names = new Set(fields.map((field) => field.name))
    expect(names.size).toBeGreaterThan(60)
    for (const known of ['p95_ms', 'sha256', 'canonical_json', 'first_at', 'samples_written'])
      expect([known, names.has(known)]).toEqual([known, known !== 'samples_written'])
  })

  test('has one name outside and one inside, there and back', () => {
    const names = [...new Set(fields.map((field) => field.name))]
    for (const name of names) expect(toSnakeCase(toCamelCase(name))).toBe(name)
    expect(new Set(names.map(toCamelCase)).size).toBe(names.length)
  })

  test('keeps the names inside exactly when it is a map', () => {
    const isMap = (type: unknown): boolean => (type as { readonly type?: unknown }).type === 'map'
    for (const { name, type } of fields) expect([name, isMapField(toCamelCase(name))]).toEqual([name, isMap(type)])
  })
})

test('names of the field are mapped as people expect', () => {
  const pairs = { p95Ms: 'p95_ms', errorCount: 'error_count', sha256: 'sha256', cutTickAt: 'cut_tick_at', type: 'type' }
  expect(Object.keys(pairs).map(toSnakeCase)).toEqual(Object.values(pairs))
  expect(Object.values(pairs).map(toCamelCase)).toEqual(Object.keys(pairs))
  expect(toSnakeCase('WindowFact')).toBe('window_fact')
  // A digit has no capital letter: the underscore before it would be lost.
  expect(toCamelCase('part_1')).toBe('part_1')
})

test('values are renamed at any depth, but the names inside of maps are data', () => {
  const value = {
    errorCount: 1,
    latencies: [{ firstAt: 1 }, { firstAt: 2 }],
    labels: { camelCase: 'a', snake_case: 'b' },
    cutLastKeys: { 'obs.run.v1': 'k' },
    nextRunAt: null,
  }
  const wire = {
    error_count: 1,
    latencies: [{ first_at: 1 }, { first_at: 2 }],
    labels: { camelCase: 'a', snake_case: 'b' },
    cut_last_keys: { 'obs.run.v1': 'k' },
    next_run_at: null,
  }
  expect(toWireNames(value)).toEqual(wire)
  expect(fromWireNames(wire)).toEqual(value)
})

test('a field named __proto__ stays a field', () => {
  const renamed = toWireNames(JSON.parse('{"__proto__": {"polluted": true}}'))
  expect(Object.keys(renamed as object)).toEqual(['__proto__'])
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
})
