import type { ConfigSchemaName, JsonSchema } from '#lib/runtime/config/schema.ts'
import { CONFIG_SCHEMA_NAMES, readConfigSchema } from '#lib/runtime/config/schema.ts'
import { markdownTable } from './markdown.ts'

/** `docs/config.md` */
export function configPage(): string {
  return `# Configuration

Written by \`npm run generate\` from \`schemas/config/*.schema.json\`.

Two YAML files, or three with a calendar of your own. \`obstream init\` writes both with comments, \`obstream config check\` lists
every fault at once with file, line, key, value and what to write instead. Durations are written \`250ms\`, \`10s\`, \`15m\`, \`1h\`, \`14d\`.
Secrets never stand in these files: a key that ends in \`_env\` names an environment variable that holds one, and \`<NAME>_FILE\`
the path of a file that does. Every flag of the command line has an environment twin: \`--data-dir\` is \`OBS_DATA_DIR\`. A flag
goes before its twin, its twin before the files, the files before the default.

\`obstream up\` and \`obstream serve\` read the files again at SIGHUP (\`kill -HUP <pid>\`). What is valid is in force from the next
tick on, which names the new plan: sources come and go, and those that stay lose no slot. \`log\`, \`kafka\`, \`registry\`, \`partitions\`
and \`page.bind\` wait for the next start, and are named. A configuration with faults changes nothing, and its faults are told.

${CONFIG_SCHEMA_NAMES.map(fileSection).join('\n')}`
}

function fileSection(name: ConfigSchemaName): string {
  const schema = readConfigSchema(name)
  const sections = [...sectionsOf(schema, schema, '')]
  return `## ${schema.title}\n\n${schema.description}\n\n${sections.join('\n')}`
}

/** The keys of an object in a table, then a section for each key that holds keys of its own. */
function* sectionsOf(root: JsonSchema, object: JsonSchema, path: string): Generator<string> {
  const entries = Object.entries(object.properties ?? {}).map(([key, schema]) => ({
    key,
    schema: resolve(root, schema),
  }))
  const rows = entries.map(({ key, schema }) => [
    `\`${key}\``,
    schema.description ?? '',
    valueText(schema),
    defaultText(schema, object.required?.includes(key) ?? false),
    exampleText(schema),
  ])
  yield `${markdownTable([['key', 'what', 'value', 'default', 'example'], ...rows])}\n`
  for (const { key, schema } of entries) yield* nested(root, schema, path === '' ? key : `${path}.${key}`)
}

function* nested(root: JsonSchema, schema: JsonSchema, path: string): Generator<string> {
  if (schema.properties) {
    yield `### \`${path}\`\n\n${schema.description}\n`
    yield* sectionsOf(root, schema, path)
  }
  const inner =
    schema.items ?? (typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined)
  if (!inner) return
  const place = schema.items ? `${path}[]` : `${path}.<name>`
  for (const choice of inner.oneOf ?? (inner.$ref ? [inner] : [])) {
    const kind = resolve(root, choice)
    if (!kind.properties) continue
    yield `### \`${place}\`${inner.oneOf ? ` of kind \`${kind.title}\`` : ''}\n\n${kind.description}\n`
    yield* sectionsOf(root, kind, place)
  }
}

/** A reference with its target merged in; what stands beside the reference goes first. */
function resolve(root: JsonSchema, schema: JsonSchema): JsonSchema {
  if (schema.$ref === undefined) return schema
  const target = root.$defs?.[schema.$ref.replace('#/$defs/', '')]
  if (!target) throw new Error(`${schema.$ref} is not in ${root.$id}`)
  const { $ref: _, ...beside } = schema
  return { ...target, ...beside }
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'text',
  integer: 'whole number',
  number: 'number',
  array: 'list',
  object: 'keys',
  null: 'nothing',
}

function valueText(schema: JsonSchema): string {
  if (schema.durationRange) {
    const { min, max, step } = schema.durationRange
    return `duration, ${min} to ${max}${step === undefined ? '' : `, whole ${step === '1s' ? 'seconds' : step}`}`
  }
  if (schema.enum) return schema.enum.map((value) => `\`${value}\``).join(', ')
  if (schema.const !== undefined) return `\`${schema.const}\``
  const type = [schema.type ?? []]
    .flat()
    .filter((name) => name !== 'null')
    .map((name) => TYPE_NAMES[name] ?? name)
    .join(' or ')
  return [type, boundsText(schema), schema.unit ?? ''].filter((text) => text !== '').join(', ')
}

function boundsText({ minimum, exclusiveMinimum, maximum }: JsonSchema): string {
  if (minimum !== undefined && maximum !== undefined) return `${minimum} to ${maximum}`
  if (exclusiveMinimum !== undefined)
    return maximum === undefined ? `above ${exclusiveMinimum}` : `above ${exclusiveMinimum}, at most ${maximum}`
  return ''
}

function defaultText(schema: JsonSchema, required: boolean): string {
  if (required) return '(required)'
  if (schema.default === null || schema.default === undefined) return '(none)'
  return schema.properties ? 'see below' : `\`${JSON.stringify(schema.default)}\``
}

function exampleText(schema: JsonSchema): string {
  return schema.examples?.[0] === undefined ? '' : `\`${JSON.stringify(schema.examples[0])}\``
}
