import type { RecordShape, Shape } from './avro-schema.ts'
import { MAX_LONG, MIN_LONG } from './avro-schema.ts'

/** Where and why a value does not fit. The path is empty for the value itself. */
export interface Misfit {
  readonly path: readonly string[]
  readonly problem: string
}

/**
 * The first place where a value does not fit a shape; `undefined` when all of it can be written and read back unchanged.
 *
 * Every field has to be given and no other may be there; strings are without lone surrogates; longs lie between -2^52 and
 * 2^53 - 2, where avsc is exact.
 */
export function misfit(shape: Shape, value: unknown): Misfit | undefined {
  switch (shape.kind) {
    case 'array':
      return Array.isArray(value) ? misfitItem(shape.items, value) : wrong(value, 'an array')
    case 'map':
      return isObject(value) ? misfitEntry(shape.values, value) : wrong(value, 'an object')
    case 'record':
      return isObject(value) ? misfitField(shape, value) : wrong(value, 'an object')
    case 'union':
      return misfitBranch(shape.branches, value)
    case 'enum':
      return shape.symbols.includes(value as string) ? undefined : wrong(value, `one of ${shape.symbols.join(', ')}`)
    default:
      return fits(shape, value) ? undefined : wrong(value, wanted[shape.kind])
  }
}

/** The path is put together on the way back from a fault: a value that fits costs none. */
function within(name: string, { path, problem }: Misfit): Misfit {
  return { path: [name, ...path], problem }
}

const wanted = {
  null: 'null',
  boolean: 'true or false',
  int: 'a whole number of 32 bits',
  long: 'a whole number between -2^52 and 2^53 - 2',
  float: 'a number',
  double: 'a number',
  bytes: 'a buffer',
  fixed: 'a buffer of the right size',
  string: 'a string without lone surrogates',
} as const

type Simple = Extract<Shape, { kind: keyof typeof wanted }>

function fits(shape: Simple, value: unknown): boolean {
  switch (shape.kind) {
    case 'null':
      return value === null
    case 'boolean':
      return typeof value === 'boolean'
    case 'int':
      return typeof value === 'number' && value === (value | 0)
    case 'long':
      return Number.isInteger(value) && (value as number) >= MIN_LONG && (value as number) <= MAX_LONG
    case 'float':
    case 'double':
      return typeof value === 'number'
    case 'string':
      return typeof value === 'string' && value.isWellFormed()
    case 'bytes':
      return Buffer.isBuffer(value)
    case 'fixed':
      return Buffer.isBuffer(value) && value.length === shape.sizeBytes
  }
}

function misfitItem(items: Shape, value: readonly unknown[]): Misfit | undefined {
  for (let i = 0; i < value.length; i++) {
    const found = misfit(items, value[i])
    if (found) return within(String(i), found)
  }
  return undefined
}

function misfitEntry(values: Shape, value: object): Misfit | undefined {
  for (const [key, member] of Object.entries(value)) {
    if (key === '__proto__') return { path: [], problem: 'the key "__proto__" is not allowed' }
    if (!key.isWellFormed()) return { path: [], problem: `the key ${JSON.stringify(key)} holds a lone surrogate` }
    const found = misfit(values, member)
    if (found) return within(key, found)
  }
  return undefined
}

function misfitField(shape: RecordShape, value: object): Misfit | undefined {
  for (const field of shape.fields) {
    if (!Object.hasOwn(value, field.name)) return { path: [field.name], problem: 'is missing' }
    const found = misfit(field.shape, value[field.name as keyof typeof value])
    if (found) return within(field.name, found)
  }
  const names = Object.keys(value)
  if (names.length === shape.fields.length) return undefined
  const foreign = names.find((name) => shape.fields.every((field) => field.name !== name))!
  return { path: [foreign], problem: `is no field of ${shape.name}` }
}

/** A union is a value or null here: what fits no branch is told of the branch that is not null. */
function misfitBranch(branches: readonly Shape[], value: unknown): Misfit | undefined {
  if (value === null && branches.some(({ kind }) => kind === 'null')) return undefined
  let first: Misfit | undefined
  for (const branch of branches) {
    if (branch.kind === 'null') continue
    const found = misfit(branch, value)
    if (!found) return undefined
    first ??= found
  }
  return first ?? wrong(value, 'null')
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !Buffer.isBuffer(value)
}

function wrong(value: unknown, expected: string): Misfit {
  return { path: [], problem: `${shown(value)} is not ${expected}` }
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)
  return typeof value === 'object' && value !== null ? (Array.isArray(value) ? 'an array' : 'an object') : String(value)
}
