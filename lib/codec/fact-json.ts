import type { JsonObject, JsonValue } from './canonical-json.ts'
import { canonicalJson } from './canonical-json.ts'
import { fromWireNames, toWireNames } from './names.ts'
import { sha256Hex } from './sha256.ts'

/**
 * A record's value as the outside sees it in JSON: `snake_case`, instants as whole milliseconds, and `type` first where
 * a topic holds several kinds of facts.
 */
export function factJson(value: object): JsonObject {
  if (!('type' in value)) return toWireNames(value) as JsonObject
  const { type, ...fields } = value
  return toWireNames({ type, ...fields }) as JsonObject
}

/** The value that `factJson` wrote, e.g. from a line of `obstream tail --json`. Its fit to a schema is not checked. */
export function factFromJson(json: JsonObject): unknown {
  return fromWireNames(json as JsonValue)
}

/**
 * The hash by which evidence and provenance name a fact: sha256 of the canonical JSON of `factJson`. It depends on the
 * fact alone, never on schema ids, offsets or the order of fields.
 */
export function factSha256(value: object): string {
  return sha256Hex(canonicalJson(factJson(value)))
}
