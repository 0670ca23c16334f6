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
  const inexact = inexactIn(value, 0)
  if (inexact) throw refusal(inexact)
  return canonicalize(value)!
}

/** Where and why a value has no exact JSON. The path is put together on the way back: a value that is good costs none. */
interface Inexact {
  readonly path: readonly string[]
  readonly problem: string
}

function inexactIn(value: unknown, depth: number): Inexact | undefined {
  if (typeof value === 'number') return here(problemOfNumber(value))
  if (typeof value === 'string') return here(problemOfString(value))
  if (typeof value === 'object' && value !== null) return inexactWithin(value, depth)
  return value === null || typeof value === 'boolean' ? undefined : here(`${typeof value} has no JSON form`)
}

function inexactWithin(value: object, depth: number): Inexact | undefined {
  if (depth >= MAX_JSON_DEPTH) return here(`is nested deeper than ${MAX_JSON_DEPTH}, or in a circle`)
  if (Array.isArray(value)) {
    // By index, not `forEach`: a hole is `undefined` too.
    for (let i = 0; i < value.length; i++) {
      const found = inexactIn(value[i], depth + 1)
      if (found) return { path: [String(i), ...found.path], problem: found.problem }
    }
    return undefined
  }
  if (!isPlain(value)) return here(`${value.constructor?.name} is not a plain object`)
  for (const name of Object.keys(value)) {
    const found = here(problemOfString(name))
    if (found) return found
    const inside = inexactIn(value[name as keyof typeof value], depth + 1)
    if (inside) return { path: [name, ...inside.path], problem: inside.problem }
  }
  return undefined
}

function here(problem: string | undefined): Inexact | undefined {
  return problem === undefined ? undefined : { path: [], problem }
}

/** What writes itself in its own way (a date) or not at all (a map) is not plain; an instance of a simple class is. */
function isPlain(value: object): boolean {
  if (Object.prototype.toString.call(value) !== '[object Object]') return false
  return !('toJSON' in value && typeof value.toJSON === 'function')
}

function problemOfNumber(value: number): string | undefined {
  if (!Number.isFinite(value)) return `${value} has no JSON form`
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? `${value} is an integer beyond 2^53` : undefined
}

function problemOfString(text: string): string | undefined {
  return text.isWellFormed() ? undefined : `${JSON.stringify(text)} holds a lone surrogate`
}

/** The path may be that of a circle: only its beginning is shown. */
function refusal({ path, problem }: Inexact): TypeError {
  const shown = path.length > 16 ? [...path.slice(0, 16), '…'] : path
  return new TypeError(`no canonical JSON: ${shown.length === 0 ? 'the value' : shown.join('.')}: ${problem}`)
}
