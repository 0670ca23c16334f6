import { ObstreamError } from '#lib/errors.ts'
import type { PlanRecord } from '#lib/facts.ts'
import type { CalendarPlan, Plan, PlannedSource, Rule } from '#lib/plan.ts'
import type { JsonValue } from './canonical-json.ts'
import { canonicalJson } from './canonical-json.ts'
import { toSnakeCase, toWireNames } from './names.ts'
import { parseJson } from './parse-json.ts'
import { sha256Hex } from './sha256.ts'

/** A plan as it stands in the log. `hash` is the record's key, and what ticks and facts name. */
export function planRecord(plan: Plan): { readonly hash: string; readonly record: PlanRecord } {
  const text = canonicalJson(toWireNames(plan))
  return { hash: sha256Hex(text), record: { canonicalJson: text } }
}

/**
 * The plan that `planRecord` wrote. Fields this build does not know, of a later one, are left out; so the hash of a plan
 * is that of its text, never computed again from here.
 *
 * @throws OBS_RECORD_INVALID naming the field that is missing or of a wrong type
 */
export function parsePlan(text: string): Plan {
  return readPlan(parsed(text), '')
}

function parsed(text: string): JsonValue {
  try {
    return parseJson(text, 'plan')
  } catch (error) {
    throw new ObstreamError('OBS_RECORD_INVALID', `a plan is no JSON: ${(error as Error).message}`, { cause: error })
  }
}

/** Reads one kind of value; `path` is for the message. */
type Read<Value> = (json: JsonValue | undefined, path: string) => Value

const text: Read<string> = (json, path) => (typeof json === 'string' ? json : refuse(json, path, 'a string'))

const number: Read<number> = (json, path) => (typeof json === 'number' ? json : refuse(json, path, 'a number'))

const integer: Read<number> = (json, path) =>
  Number.isInteger(json) ? (json as number) : refuse(json, path, 'an integer')

function oneOf<const Option extends string>(...options: readonly Option[]): Read<Option> {
  return (json, path) => options.find((option) => option === json) ?? refuse(json, path, options.join(' or '))
}

function listOf<Item>(read: Read<Item>): Read<readonly Item[]> {
  return (json, path) =>
    Array.isArray(json) ? json.map((item, i) => read(item, `${path}[${i}]`)) : refuse(json, path, 'an array')
}

function mapOf<Value>(read: Read<Value>): Read<Readonly<Record<string, Value>>> {
  return (json, path) => {
    const entries = Object.entries(membersOf(json, path))
    return Object.fromEntries(entries.map(([key, value]) => [key, read(value, `${path}.${key}`)]))
  }
}

/** Every field of the type has to be named here: a forgotten one is a compile error. */
function object<Value>(fields: { readonly [Name in keyof Value]-?: Read<Value[Name]> }): Read<Value> {
  const readers = Object.entries(fields) as [string, Read<unknown>][]
  return (json, path) => {
    const members = membersOf(json, path)
    const read = readers.map(([name, read]) => {
      const wireName = toSnakeCase(name)
      return [name, read(members[wireName], path === '' ? wireName : `${path}.${wireName}`)]
    })
    return Object.fromEntries(read) as Value
  }
}

function membersOf(json: JsonValue | undefined, path: string): { readonly [name: string]: JsonValue } {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return refuse(json, path, 'an object')
  return json as { readonly [name: string]: JsonValue }
}

function refuse(json: JsonValue | undefined, path: string, expected: string): never {
  const found = json === undefined ? 'is missing' : `is ${JSON.stringify(json).slice(0, 60)}`
  const place = path === '' ? 'a plan' : `a plan's ${path}`
  throw new ObstreamError('OBS_RECORD_INVALID', `${place} ${found}, not ${expected}`)
}

const readCalendar = object<CalendarPlan>({ kind: oneOf('always', 'fx'), holidays: listOf(text), tzdata: text })

const readSource = object<PlannedSource>({ id: text, intervalMs: integer, phaseMs: integer, labels: mapOf(text) })

const readRule = object<Rule>({
  id: text,
  match: text,
  thresholdMs: integer,
  warningAfter: integer,
  criticalAfter: integer,
  minSamples: integer,
  errorRatio: number,
  noDataAfterSlots: integer,
  maxInsufficient: integer,
  resolveAfter: integer,
  resolveBelow: number,
  reminderMs: integer,
})

const readPlan = object<Plan>({
  engine: integer,
  tickIntervalMs: integer,
  windowMs: integer,
  graceMs: integer,
  latenessMs: integer,
  calendar: readCalendar,
  sources: listOf(readSource),
  rules: listOf(readRule),
  locale: oneOf('en', 'ja'),
  week: oneOf('iso-week', 'fx-week'),
  datasetRows: mapOf(integer),
})
