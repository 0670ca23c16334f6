import fc from 'fast-check'
import type { Shape } from '#lib/codec/avro-schema.ts'
import { compileType, loadTopicSchema, MAX_LONG, MIN_LONG, shapeOf } from '#lib/codec/avro-schema.ts'
import { toSnakeCase } from '#lib/codec/names.ts'
import { catalogue, type TopicDefinition } from '#lib/topics.ts'

/** Every topic whose values have a schema. */
export const schemaTopics: readonly TopicDefinition[] = catalogue.filter((topic) => topic.schema !== null)

/** Any value that a topic's schema allows, with `type` where the schema holds several facts. */
export function valuesOf(topic: TopicDefinition): fc.Arbitrary<object> {
  const shape = shapeOf(compileType(loadTopicSchema(topic), 'drop'))
  if (shape.kind !== 'record') throw new TypeError(`${topic.name} is not a record`)
  const [first] = shape.fields
  if (first?.name !== 'fact' || first.shape.kind !== 'union') return arbitrary(shape) as fc.Arbitrary<object>
  return fc.oneof(...first.shape.branches.map(factOf))
}

function factOf(shape: Shape): fc.Arbitrary<object> {
  if (shape.kind !== 'record') throw new TypeError('a fact is a record')
  const type = toSnakeCase(shape.name.split('.').at(-1)!)
  return arbitrary(shape).map((fields) => ({ type, ...(fields as object) }))
}

function arbitrary(shape: Shape): fc.Arbitrary<unknown> {
  switch (shape.kind) {
    case 'null':
      return fc.constant(null)
    case 'boolean':
      return fc.boolean()
    case 'int':
      return fc.integer()
    case 'long':
      return fc.integer({ min: MIN_LONG, max: MAX_LONG })
    case 'string':
      return text
    case 'enum':
      return fc.constantFrom(...shape.symbols)
    case 'array':
      return fc.array(arbitrary(shape.items), { maxLength: 5 })
    case 'map':
      return fc.dictionary(text, arbitrary(shape.values), { maxKeys: 5 })
    case 'union':
      return fc.oneof(...shape.branches.map(arbitrary))
    case 'record':
      return fc.record(Object.fromEntries(shape.fields.map((field) => [field.name, arbitrary(field.shape)])))
    default:
      throw new TypeError(`no topic holds a ${shape.kind}`)
  }
}

const text = fc.string({ unit: 'binary', maxLength: 20 }).filter((candidate) => candidate !== '__proto__')
