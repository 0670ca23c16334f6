import { readFileSync } from 'node:fs'
import type { DurationRange } from './formats.ts'

export type ConfigSchemaName = 'obstream' | 'latency_alert' | 'calendar'

export const CONFIG_SCHEMA_NAMES: readonly ConfigSchemaName[] = ['obstream', 'latency_alert', 'calendar']

/** The JSON Schema (2020-12) that a configuration file must fit; every key has a description. */
export function readConfigSchema(name: ConfigSchemaName): JsonSchema {
  return JSON.parse(
    readFileSync(new URL(`../../../schemas/config/${name}.schema.json`, import.meta.url), 'utf8'),
  ) as JsonSchema
}

/** The part of JSON Schema that the configuration's schemas use, and two words of our own: `unit`, `durationRange`. */
export interface JsonSchema {
  readonly $id?: string
  readonly $ref?: string
  readonly $defs?: Readonly<Record<string, JsonSchema>>
  readonly title?: string
  readonly description?: string
  readonly type?: string | readonly string[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly default?: unknown
  readonly examples?: readonly unknown[]
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly additionalProperties?: boolean | JsonSchema
  readonly items?: JsonSchema
  readonly oneOf?: readonly JsonSchema[]
  readonly pattern?: string
  readonly format?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  /** Text for people. */
  readonly unit?: string
  /** Bounds of a duration, themselves durations; with `step` the duration is a multiple of it. */
  readonly durationRange?: DurationRange
}
