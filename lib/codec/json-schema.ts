import { Ajv2020, type ErrorObject, type SchemaObject } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'

/** A place where a value breaks its schema. */
export interface SchemaFault {
  /** JSON pointer (RFC 6901) of the faulty value, also of a missing or unknown member. Empty: the whole value. */
  readonly pointer: string
  /** What stands there; `undefined` for what is missing. */
  readonly value: unknown
  /** What is wrong, in words, without place and value: `must be >= 0`, `is missing`. */
  readonly message: string
}

/** All faults of a value; empty when it is valid. */
export type SchemaCheck = (value: unknown) => readonly SchemaFault[]

/**
 * Compiles a JSON Schema (2020-12, with the formats of the standard). The value is never changed.
 *
 * @throws Error when the schema itself is wrong: a misspelt keyword is an error, not a rule that never applies
 */
export function compileSchema(schema: object): SchemaCheck {
  const ajv = new Ajv2020({ allErrors: true, strict: true, verbose: true, allowUnionTypes: true })
  formats.default(ajv)
  ajv.addVocabulary(['unit'])
  const validate = ajv.compile(schema as SchemaObject)
  return (value) => (validate(value) ? [] : (validate.errors ?? []).map(faultOf))
}

function faultOf(error: ErrorObject): SchemaFault {
  const { missingProperty, additionalProperty, unevaluatedProperty } = error.params as Readonly<Record<string, string>>
  if (missingProperty !== undefined) return memberFault(error, missingProperty, 'is missing')
  const unknown = additionalProperty ?? unevaluatedProperty
  if (unknown !== undefined) return memberFault(error, unknown, 'is not known here')
  return { pointer: error.instancePath, value: error.data, message: wordsFor(error) }
}

function memberFault(error: ErrorObject, name: string, message: string): SchemaFault {
  const pointer = `${error.instancePath}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
  const members = error.data as Readonly<Record<string, unknown>>
  return { pointer, value: Object.hasOwn(members, name) ? members[name] : undefined, message }
}

/** ajv says everything but what the allowed values are. */
function wordsFor({ keyword, params, message }: ErrorObject): string {
  if (keyword === 'enum') return `must be one of ${JSON.stringify(params['allowedValues'])}`
  if (keyword === 'const') return `must be ${JSON.stringify(params['allowedValue'])}`
  return message ?? `breaks the rule ${keyword}`
}
