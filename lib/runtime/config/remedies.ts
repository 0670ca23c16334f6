import type { ErrorObject } from 'ajv/dist/2020.js'
import type { DurationRange } from './formats.ts'
import { formats } from './formats.ts'
import type { JsonSchema } from './schema.ts'

/** What to write instead, for a person who does not know JSON Schema. */
export function remedy(error: ErrorObject): string {
  const schema = (error.parentSchema ?? {}) as JsonSchema
  const example = schema.examples?.[0] === undefined ? '' : `, e.g. ${JSON.stringify(schema.examples[0])}`
  switch (error.keyword) {
    case 'additionalProperties':
      return unknownKey(error.params['additionalProperty'] as string, Object.keys(schema.properties ?? {}))
    case 'required':
      return missingKey(error.params['missingProperty'] as string, schema)
    case 'type':
      return `write ${typeNames(schema)}${example}`
    case 'enum':
      return `write one of ${schema.enum!.join(', ')}`
    case 'discriminator':
      return `write one of ${kindsOf(schema).join(', ')}`
    case 'durationRange':
      return `write ${durationText(schema.durationRange!)}${example}`
    case 'format':
      return `write ${formats[error.params['format'] as string]!.wants}${example}`
    case 'uniqueItems':
      return 'the same entry is there twice; remove one'
    default:
      return `${plainly(error)}${example}`
  }
}

function plainly(error: ErrorObject): string {
  const limit = error.params['limit'] as number | undefined
  const texts: Readonly<Record<string, string>> = {
    minimum: `write at least ${limit}`,
    maximum: `write at most ${limit}`,
    exclusiveMinimum: `write more than ${limit}`,
    minLength: 'write something',
    minItems: `write at least ${limit} entries`,
    maxItems: `write at most ${limit} entries`,
    maxProperties: `write at most ${limit} keys`,
    pattern: `write text of the form ${error.params['pattern']}`,
    propertyNames: 'this key is not possible here; choose another name',
  }
  return texts[error.keyword] ?? `this ${error.message}`
}

function missingKey(name: string, schema: JsonSchema): string {
  const property = schema.properties?.[name]
  const example = property?.examples?.[0]
  const kinds = kindsOf(schema)
  const write =
    example !== undefined
      ? `, e.g. \`${name}: ${JSON.stringify(example)}\``
      : name === 'kind' && kinds.length > 0
        ? ` (${kinds.join(', ')})`
        : ''
  return `this key is missing; add it${write}`
}

function kindsOf(schema: JsonSchema): readonly string[] {
  return (schema.oneOf ?? []).map((choice) => choice.$ref?.split('/').at(-1) ?? '')
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'text',
  integer: 'a whole number',
  number: 'a number',
  array: 'a list',
  object: 'keys and values',
  null: 'nothing',
}

function typeNames(schema: JsonSchema): string {
  if (schema.durationRange) return durationText(schema.durationRange)
  return [schema.type ?? []]
    .flat()
    .map((type) => TYPE_NAMES[type] ?? type)
    .join(' or ')
}

function durationText(range: DurationRange): string {
  const step = range.step === undefined ? '' : ` in steps of ${range.step}`
  return `a duration from ${range.min} to ${range.max}${step}`
}

function unknownKey(name: string, known: readonly string[]): string {
  const close = known.filter((candidate) => isClose(name, candidate))
  return close.length > 0
    ? `there is no such key; did you mean ${close.join(' or ')}?`
    : `there is no such key here; possible are ${known.join(', ')}`
}

/** At most two characters added, left out or changed, or the same word but for case and punctuation. */
function isClose(a: string, b: string): boolean {
  const bare = (text: string): string => text.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, '')
  return bare(a) === bare(b) || (a.length < 64 && editDistance(a, b) <= Math.min(2, Math.floor(b.length / 3)))
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const current = [i]
    for (let j = 1; j <= b.length; j++) {
      const changed = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      current.push(Math.min(changed, previous[j]! + 1, current[j - 1]! + 1))
    }
    previous = current
  }
  return previous[b.length]!
}
