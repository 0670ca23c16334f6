import { ObstreamError } from '#lib/errors.ts'
import type { JsonValue } from './canonical-json.ts'
import { MAX_JSON_DEPTH } from './canonical-json.ts'

/**
 * Reads JSON (RFC 8259) and refuses what readers disagree about: duplicate names, lone surrogates, numbers that a double
 * cannot hold (integers beyond 2^53, overflow), a byte order mark, nesting beyond 512; and the name `__proto__`. What it
 * gives, `canonicalJson` takes.
 *
 * @param name what the message calls the text, e.g. a path
 * @throws OBS_INPUT_INVALID with line and column, both from 1; columns count UTF-16 code units
 */
export function parseJson(text: string, name = 'JSON'): JsonValue {
  return new JsonReader(text, name).document()
}

const SPACE = /[ \t\n\r]*/y
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const LITERALS = new Map<string, null | boolean>([
  ['null', null],
  ['true', true],
  ['false', false],
])

class JsonReader {
  readonly #text: string
  readonly #name: string
  #at = 0
  #depth = 0

  constructor(text: string, name: string) {
    this.#text = text
    this.#name = name
  }

  document(): JsonValue {
    const value = this.#value()
    this.#skipSpace()
    if (this.#at < this.#text.length) throw this.#fault(`${this.#shown()} after the end of the value`)
    return value
  }

  #value(): JsonValue {
    this.#skipSpace()
    const first = this.#text[this.#at]
    if (first === '{') return this.#nested(() => this.#object())
    if (first === '[') return this.#nested(() => this.#array())
    if (first === '"') return this.#string()
    for (const [word, value] of LITERALS) if (this.#take(word)) return value
    return this.#number()
  }

  #nested<Value>(read: () => Value): Value {
    if (this.#depth === MAX_JSON_DEPTH) throw this.#fault(`nested deeper than ${MAX_JSON_DEPTH}`)
    this.#depth++
    const value = read()
    this.#depth--
    return value
  }

  #object(): JsonValue {
    const members: Record<string, JsonValue> = {}
    this.#at++
    this.#skipSpace()
    if (this.#take('}')) return members
    do {
      this.#skipSpace()
      const start = this.#at
      const name = this.#memberName()
      if (name === '__proto__') throw this.#fault('the name "__proto__" is not allowed', start)
      if (Object.hasOwn(members, name)) throw this.#fault(`the name ${JSON.stringify(name)} occurs twice`, start)
      this.#skipSpace()
      if (!this.#take(':')) throw this.#fault(`expected ":", found ${this.#shown()}`)
      members[name] = this.#value()
      this.#skipSpace()
    } while (this.#take(','))
    if (!this.#take('}')) throw this.#fault(`expected "," or "}", found ${this.#shown()}`)
    return members
  }

  #memberName(): string {
    if (this.#text[this.#at] !== '"') throw this.#fault(`expected a name in double quotes, found ${this.#shown()}`)
    return this.#string()
  }

  #array(): JsonValue {
    const items: JsonValue[] = []
    this.#at++
    this.#skipSpace()
    if (this.#take(']')) return items
    do {
      items.push(this.#value())
      this.#skipSpace()
    } while (this.#take(','))
    if (!this.#take(']')) throw this.#fault(`expected "," or "]", found ${this.#shown()}`)
    return items
  }

  /** Finds the closing quote; what lies between is unescaped by the platform, which also knows every wrong escape. */
  #string(): string {
    const start = this.#at
    let end = start + 1
    while (end < this.#text.length && this.#text[end] !== '"') end += this.#text[end] === '\\' ? 2 : 1
    if (end >= this.#text.length) throw this.#fault('a string without its closing quote', start)
    const value = this.#unescape(start, end + 1)
    if (!value.isWellFormed()) throw this.#fault('a string with a lone surrogate', start)
    this.#at = end + 1
    return value
  }

  #unescape(start: number, end: number): string {
    try {
      return JSON.parse(this.#text.slice(start, end))
    } catch {
      throw this.#fault('a string with an escape that JSON does not have, or a raw control character', start)
    }
  }

  #number(): number {
    NUMBER.lastIndex = this.#at
    const [digits] = NUMBER.exec(this.#text) ?? []
    if (digits === undefined) throw this.#fault(`expected a value, found ${this.#shown()}`)
    const value = Number(digits)
    if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value)))
      throw this.#fault(`the number ${digits} is beyond 2^53 and cannot be held exactly`)
    this.#at += digits.length
    return value
  }

  #take(token: string): boolean {
    if (!this.#text.startsWith(token, this.#at)) return false
    this.#at += token.length
    return true
  }

  #skipSpace(): void {
    SPACE.lastIndex = this.#at
    SPACE.test(this.#text)
    this.#at = SPACE.lastIndex
  }

  #shown(): string {
    const codePoint = this.#text.codePointAt(this.#at)
    if (codePoint === undefined) return 'the end'
    return JSON.stringify(String.fromCodePoint(codePoint))
  }

  #fault(problem: string, at = this.#at): ObstreamError {
    const before = this.#text.slice(0, at)
    const line = before.split('\n').length
    const column = at - before.lastIndexOf('\n')
    return new ObstreamError('OBS_INPUT_INVALID', `${this.#name}, line ${line}, column ${column}: ${problem}`)
  }
}
