import type { ErrorObject, ValidateFunction } from 'ajv/dist/2020.js'
import { Ajv2020 } from 'ajv/dist/2020.js'
import type { ConfigFault } from '#lib/config.ts'
import { parseDuration } from '#lib/time.ts'
import { shownValue } from '../config-faults.ts'
import type { DurationRange } from './formats.ts'
import { formats, isInRange } from './formats.ts'
import { remedy } from './remedies.ts'
import type { ConfigSchemaName } from './schema.ts'
import { readConfigSchema } from './schema.ts'
import type { YamlFile, YamlPath } from './yaml-file.ts'

/**
 * Checks a file's value against a schema and fills in the schema's defaults, in place.
 *
 * @returns one fault per place, each with what to write instead; empty when it fits
 */
export function fitToSchema(file: YamlFile, name: ConfigSchemaName): ConfigFault[] {
  const validate = validators(name)
  if (validate(file.value)) return []
  const seen = new Set<string>()
  const faults: ConfigFault[] = []
  for (const error of validate.errors ?? []) {
    const fault = toFault(file, error)
    if (seen.has(fault.key)) continue
    seen.add(fault.key)
    faults.push(fault)
  }
  return faults
}

const compiled = new Map<ConfigSchemaName, ValidateFunction>()

function validators(name: ConfigSchemaName): ValidateFunction {
  const known = compiled.get(name)
  if (known) return known
  const validate = newAjv().compile(readConfigSchema(name))
  compiled.set(name, validate)
  return validate
}

function newAjv(): Ajv2020 {
  const ajv = new Ajv2020({
    allErrors: true,
    verbose: true,
    discriminator: true,
    useDefaults: true,
    allowUnionTypes: true,
    strictRequired: false,
  })
  ajv.addVocabulary(['unit'])
  ajv.addKeyword({
    keyword: 'durationRange',
    type: 'string',
    schemaType: 'object',
    validate: (range: DurationRange, text: string) => isInRange(range, parseDuration(text)),
    errors: false,
  })
  for (const [format, { accepts }] of Object.entries(formats))
    ajv.addFormat(format, { type: 'string', validate: accepts })
  return ajv
}

function toFault(file: YamlFile, error: ErrorObject): ConfigFault {
  const path = pathOf(file, error)
  const key = formatKey(path)
  const place = file.place(path, ABOUT_THE_KEY.has(error.keyword) ? 'key' : 'value')
  const value = error.keyword === 'required' ? undefined : valueAt(file.value, path)
  return {
    file: file.path,
    line: place.line,
    column: place.column,
    key,
    value: shownValue(key, value),
    message: remedy(error),
  }
}

const ABOUT_THE_KEY: ReadonlySet<string> = new Set(['additionalProperties', 'propertyNames', 'required'])

function pathOf(file: YamlFile, error: ErrorObject): YamlPath {
  const path: (string | number)[] = []
  let value = file.value
  for (const part of error.instancePath.split('/').slice(1)) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~')
    path.push(Array.isArray(value) ? Number(name) : name)
    value = valueAt(value, [path.at(-1)!])
  }
  const { additionalProperty, missingProperty, propertyName } = error.params as Record<string, string | undefined>
  const name =
    additionalProperty ??
    missingProperty ??
    error.propertyName ??
    propertyName ??
    (error.keyword === 'discriminator' ? 'kind' : undefined)
  return name === undefined ? path : [...path, name]
}

/** `rules[0].threshold_ms`, as faults name keys. */
export function formatKey(path: YamlPath): string {
  return path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : text === '' ? part : `${text}.${part}`),
    '',
  )
}

function valueAt(value: unknown, path: YamlPath): unknown {
  return path.reduce<unknown>(
    (inner, part) =>
      typeof inner === 'object' && inner !== null ? (inner as Record<string | number, unknown>)[part] : undefined,
    value,
  )
}
