import canonicalize from 'canonicalize'

/** What JSON can say, and nothing else. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject
export type JsonObject = { readonly [name: string]: JsonValue }

/** Deeper nesting is refused, in both directions, before it can exhaust the stack. */
export const MAX_JSON_DEPTH = 512

/**
 * RFC 8785: members sorted by UTF-16 code units, ECMAScript numbers and strings, no white space. Its UTF-8 bytes are what
 * is hashed, signed and sent.
 *
 * @throws TypeError naming the place, for what has no exact JSON: NaN, infinities, integers beyond 2^53, lone surrogates,
 *   `undefined` (a missing member is left out by not being there), functions, dates and other objects with a form of their
 *   own, cycles, and nesting beyond 512. Nothing is left out or repaired in silence.
 */
export function canonicalJson(value: unknown): string {
  refuseInexact(value, [])
  return canonicalize(value)!
}

function refuseInexact(value: unknown, path: readonly string[]): void {
  if (typeof value === 'number') refuseNumber(value, path)
  else if (typeof value === 'string') refuseString(value, path)
  else if (typeof value === 'object' && value !== null) refuseWithin(value, path)
  else if (value !== null && typeof value !== 'boolean') throw refusal(path, `${typeof value} has no JSON form`)
}

function refuseWithin(value: object, path: readonly string[]): void {
  if (path.length >= MAX_JSON_DEPTH) throw refusal(path, `is nested deeper than ${MAX_JSON_DEPTH}, or in a circle`)
  if (Array.isArray(value)) {
    // By index, not `forEach`: a hole is `undefined` too.
    for (let i = 0; i < value.length; i++) refuseInexact(value[i], [...path, String(i)])
    return
  }
  if (!isPlain(value)) throw refusal(path, `${value.constructor?.name} is not a plain object`)
  for (const [name, member] of Object.entries(value)) {
    refuseString(name, path)
    refuseInexact(member, [...path, name])
  }
}

/** What writes itself in its own way (a date) or not at all (a map) is not plain; an instance of a simple class is. */
function isPlain(value: object): boolean {
  if (Object.prototype.toString.call(value) !== '[object Object]') return false
  return !('toJSON' in value && typeof value.toJSON === 'function')
}

function refuseNumber(value: number, path: readonly string[]): void {
  if (!Number.isFinite(value)) throw refusal(path, `${value} has no JSON form`)
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) throw refusal(path, `${value} is an integer beyond 2^53`)
}

function refuseString(text: string, path: readonly string[]): void {
  if (!text.isWellFormed()) throw refusal(path, `${JSON.stringify(text)} holds a lone surrogate`)
}

/** `path` may be that of a circle: only its beginning is shown. */
function refusal(path: readonly string[], problem: string): TypeError {
  const shown = path.length > 16 ? [...path.slice(0, 16), '…'] : path
  return new TypeError(`no canonical JSON: ${shown.length === 0 ? 'the value' : shown.join('.')}: ${problem}`)
}
