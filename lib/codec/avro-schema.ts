import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import avsc from 'avsc'
import type { AvroSchema } from '#lib/registry/port.ts'
import type { TopicDefinition } from '#lib/topics.ts'
import { toCamelCase } from './names.ts'

const SCHEMA_FOLDER = join(import.meta.dirname, '../../schemas/topics')

/** The newest schema of a topic's value, from `schemas/topics/`. @throws TypeError for a topic without a schema */
export function loadTopicSchema(topic: TopicDefinition): AvroSchema {
  if (topic.schema === null) throw new TypeError(`${topic.name} has no schema: its values are plain bytes`)
  return JSON.parse(readFileSync(join(SCHEMA_FOLDER, topic.schema), 'utf8'))
}

/** Under which name a topic's schemas stand in the registry. */
export function subjectOf(topic: TopicDefinition): string {
  return `${topic.name}-value`
}

/**
 * What a schema says, with references resolved and fields named as in TypeScript.
 *
 * Shapes exist because avsc trusts what it is given: it reads an array of 2^32 items from five bytes, takes
 * `constructor` for a symbol of any enum, replaces broken UTF-8, and turns -6000000000000001 into 6000000000000000.
 * `avro-bytes.ts` and `avro-fit.ts` hold bytes and values against the shape first.
 */
export type Shape =
  | { readonly kind: 'null' | 'boolean' | 'int' | 'long' | 'float' | 'double' | 'bytes' | 'string' }
  | { readonly kind: 'fixed'; readonly sizeBytes: number }
  | { readonly kind: 'enum'; readonly name: string; readonly symbols: readonly string[] }
  | { readonly kind: 'array'; readonly items: Shape }
  | { readonly kind: 'map'; readonly values: Shape }
  | { readonly kind: 'union'; readonly branches: readonly Shape[] }
  | RecordShape

export interface RecordShape {
  readonly kind: 'record'
  readonly name: string
  readonly fields: readonly FieldShape[]
}

export interface FieldShape {
  readonly name: string
  readonly shape: Shape
}

/** Longs outside do not survive avsc: what is negative is doubled before it is written, so it has one bit less. */
export const MIN_LONG = -(2 ** 52)
export const MAX_LONG = 2 ** 53 - 2

/**
 * An avsc type whose fields are named as in TypeScript. The binary form holds no names, so nothing has to be renamed per
 * record.
 *
 * @param defaults `drop` for a schema that only says how others wrote: its defaults mean nothing then
 * @throws Error for what is not an Avro schema
 */
export function compileType(schema: AvroSchema, defaults: 'keep' | 'drop'): avsc.Type {
  const camel = camelSchema(schema, defaults) as avsc.schema.AvroSchema
  return avsc.Type.forSchema(camel, { omitRecordMethods: true, wrapUnions: 'auto' })
}

function camelSchema(schema: unknown, defaults: 'keep' | 'drop'): unknown {
  if (schema === null || typeof schema !== 'object') return schema
  if (Array.isArray(schema)) return schema.map((branch) => camelSchema(branch, defaults))
  const { fields, items, values, type, ...rest } = schema as Record<string, unknown>
  return {
    ...rest,
    type: camelSchema(type, defaults),
    ...(items === undefined ? {} : { items: camelSchema(items, defaults) }),
    ...(values === undefined ? {} : { values: camelSchema(values, defaults) }),
    ...(Array.isArray(fields) ? { fields: fields.map((field) => camelField(field, defaults)) } : {}),
  }
}

function camelField(field: Record<string, unknown>, defaults: 'keep' | 'drop'): unknown {
  const { name, aliases, default: value, type, ...rest } = field
  if (name === '__proto__') throw new TypeError('a field may not be named __proto__')
  return {
    ...rest,
    name: toCamelCase(String(name)),
    type: camelSchema(type, defaults),
    ...(Array.isArray(aliases) ? { aliases: aliases.map(toCamelCase) } : {}),
    ...(value === undefined || defaults === 'drop' ? {} : { default: value }),
  }
}

/** The shape of a type; a schema that contains itself gives a shape that does. */
export function shapeOf(type: avsc.Type): Shape {
  return shapeWithin(type, new Map())
}

function shapeWithin(type: avsc.Type, known: Map<avsc.Type, Shape>): Shape {
  const before = known.get(type)
  if (before) return before
  const within = (inner: avsc.Type): Shape => shapeWithin(inner, known)
  if (type instanceof avsc.types.RecordType) {
    const fields: FieldShape[] = []
    const shape: RecordShape = { kind: 'record', name: type.name ?? '', fields }
    known.set(type, shape)
    for (const field of type.fields) fields.push({ name: field.name, shape: within(field.type) })
    return shape
  }
  if (type instanceof avsc.types.EnumType) return { kind: 'enum', name: type.name ?? '', symbols: type.symbols }
  if (type instanceof avsc.types.ArrayType) return { kind: 'array', items: within(type.itemsType) }
  if (type instanceof avsc.types.MapType) return { kind: 'map', values: within(type.valuesType) }
  if (type instanceof avsc.types.FixedType) return { kind: 'fixed', sizeBytes: type.size }
  if ('types' in type) return { kind: 'union', branches: (type.types as readonly avsc.Type[]).map(within) }
  return { kind: type.typeName as 'null' }
}
