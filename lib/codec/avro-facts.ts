import type { Misfit } from './avro-fit.ts'
import { misfit } from './avro-fit.ts'
import type { RecordShape, Shape } from './avro-schema.ts'
import { toSnakeCase } from './names.ts'

/** How a topic's values look to the code, and to avsc. */
export interface Facts {
  misfit(value: unknown): Misfit | undefined
  toAvro(value: unknown): unknown
  fromAvro(value: unknown): unknown
}

/**
 * A schema whose only field is `fact`, a union of records, holds several kinds of facts: the code sees the record's
 * fields and, before them, `type`, the record's name in snake_case. Any other schema is seen as it is.
 */
export function factsOf(shape: Shape): Facts {
  const kinds = kindsOf(shape)
  return kinds ? taggedFacts(kinds) : plainFacts(shape)
}

function kindsOf(shape: Shape): readonly RecordShape[] | undefined {
  if (shape.kind !== 'record' || shape.fields.length !== 1) return undefined
  const [field] = shape.fields
  if (field?.name !== 'fact' || field.shape.kind !== 'union') return undefined
  const branches = field.shape.branches
  return branches.every((branch) => branch.kind === 'record') ? branches : undefined
}

function plainFacts(shape: Shape): Facts {
  return {
    misfit: (value) => misfit(shape, value),
    toAvro: (value) => value,
    fromAvro: (value) => ({ ...(value as object) }),
  }
}

/** avsc sees `{ fact: { 'obstream.sample.v1.Probe': fields } }`, or the bare fields when the union has one branch. */
function taggedFacts(kinds: readonly RecordShape[]): Facts {
  const byType = new Map(kinds.map((kind) => [typeOf(kind.name), kind]))
  const typeByName = new Map(kinds.map((kind) => [kind.name, typeOf(kind.name)]))
  const single = kinds.length === 1 ? kinds[0] : undefined
  return {
    misfit(value) {
      if (typeof value !== 'object' || value === null) return { path: [], problem: `${value} is not an object` }
      const { type, ...fields } = value as { readonly type?: unknown }
      const kind = byType.get(type as string)
      if (kind) return misfit(kind, fields)
      return { path: ['type'], problem: `${JSON.stringify(type)} is not one of ${[...byType.keys()].join(', ')}` }
    },
    toAvro(value) {
      const { type, ...fields } = value as { readonly type: string }
      return { fact: single ? fields : { [byType.get(type)!.name]: fields } }
    },
    fromAvro(value) {
      const { fact } = value as { readonly fact: object }
      if (single) return { type: typeOf(single.name), ...fact }
      const [name, fields] = Object.entries(fact)[0]!
      return { type: typeByName.get(name), ...fields }
    },
  }
}

function typeOf(recordName: string): string {
  return toSnakeCase(recordName.slice(recordName.lastIndexOf('.') + 1))
}
