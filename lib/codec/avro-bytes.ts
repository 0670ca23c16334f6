import { isUtf8 } from 'node:buffer'
import type { RecordShape, Shape } from './avro-schema.ts'
import { MAX_LONG, MIN_LONG } from './avro-schema.ts'
import { toSnakeCase } from './names.ts'

/** Far deeper than any schema of ours; a schema from elsewhere that contains itself may not exhaust the stack. */
const MAX_DEPTH = 64

/**
 * Why `bytes`, from `from` to their end, are not exactly one value of a shape; `undefined` when they are.
 *
 * Refused are: too few or too many bytes, counts and lengths beyond the end, broken UTF-8, booleans but 0 and 1, ints
 * beyond 32 bits, longs that a double cannot hold, unknown enum symbols and union branches, a map key twice or
 * `__proto__`. Takes time linear in the bytes, whatever they claim.
 */
export function faultInBytes(shape: Shape, bytes: Uint8Array, from: number): string | undefined {
  const cursor = new Cursor(bytes, from)
  try {
    cursor.pass(shape)
    return cursor.at === bytes.length ? undefined : `${bytes.length - cursor.at} bytes follow the end of the value`
  } catch (error) {
    if (error instanceof BadBytes) return cursor.describe(error)
    throw error
  }
}

class BadBytes extends Error {}

class Cursor {
  readonly #bytes: Uint8Array
  readonly #fields: string[] = []
  #depth = 0
  at: number

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes
    this.at = at
  }

  describe(fault: BadBytes): string {
    const place = this.#fields.map(toSnakeCase).join('.')
    return `${place === '' ? '' : `${place}: `}${fault.message} (byte ${Math.min(this.at, this.#bytes.length)})`
  }

  pass(shape: Shape): void {
    switch (shape.kind) {
      case 'null':
        break
      case 'boolean':
        this.#boolean()
        break
      case 'int':
        this.#int()
        break
      case 'long':
        this.#long()
        break
      case 'float':
        this.#skip(4)
        break
      case 'double':
        this.#skip(8)
        break
      case 'bytes':
        this.#skip(this.#long())
        break
      case 'string':
        this.#string()
        break
      case 'fixed':
        this.#skip(shape.sizeBytes)
        break
      case 'enum':
        this.#enum(shape)
        break
      case 'union':
        this.#union(shape.branches)
        break
      default:
        this.#nested(shape)
    }
  }

  #nested(shape: Extract<Shape, { kind: 'array' | 'map' | 'record' }>): void {
    if (this.#depth === MAX_DEPTH) throw new BadBytes(`nested deeper than ${MAX_DEPTH}`)
    this.#depth++
    if (shape.kind === 'record') this.#record(shape)
    else if (shape.kind === 'array') this.#blocks(() => this.pass(shape.items))
    else this.#map(shape.values)
    this.#depth--
  }

  #record(shape: RecordShape): void {
    for (const field of shape.fields) {
      this.#fields.push(field.name)
      this.pass(field.shape)
      this.#fields.pop()
    }
  }

  #map(values: Shape): void {
    const keys = new Set<string>()
    this.#blocks(() => {
      const key = Buffer.from(this.#string()).toString('utf8')
      if (key === '__proto__') throw new BadBytes('the map key "__proto__" is not allowed')
      if (keys.has(key)) throw new BadBytes(`the map key ${JSON.stringify(key)} occurs twice`)
      keys.add(key)
      this.pass(values)
    })
  }

  /** Arrays and maps come in blocks: a count, or a negated count and the block's size, then the items; 0 ends them. */
  #blocks(item: () => void): void {
    for (let count = this.#long(); count !== 0; count = this.#long()) {
      const sizeBytes = count < 0 ? this.#long() : undefined
      const start = this.at
      this.#items(Math.abs(count), item)
      if (sizeBytes !== undefined && this.at - start !== sizeBytes)
        throw new BadBytes(`a block of ${sizeBytes} bytes holds ${this.at - start}`)
    }
  }

  #items(count: number, item: () => void): void {
    const left = this.#bytes.length - this.at
    if (count > left) throw new BadBytes(`${count} items in ${left} bytes`)
    for (let i = 0; i < count; i++) {
      const start = this.at
      item()
      if (this.at === start) throw new BadBytes('items without bytes are not supported')
    }
  }

  #union(branches: readonly Shape[]): void {
    const index = this.#long()
    const branch = branches[index]
    if (!branch) throw new BadBytes(`there is no union branch ${index}, only ${branches.length}`)
    this.pass(branch)
  }

  #enum(shape: Extract<Shape, { kind: 'enum' }>): void {
    const index = this.#long()
    if (shape.symbols[index] === undefined)
      throw new BadBytes(`${shape.name} has no symbol ${index}, only ${shape.symbols.length}`)
  }

  #string(): Uint8Array {
    const lengthBytes = this.#long()
    const start = this.at
    this.#skip(lengthBytes)
    const text = this.#bytes.subarray(start, this.at)
    if (!isUtf8(text)) throw new BadBytes('a string is not UTF-8')
    return text
  }

  #boolean(): void {
    const byte = this.#bytes[this.at]
    this.#skip(1)
    if (byte !== 0 && byte !== 1) throw new BadBytes(`${byte} is not a boolean`)
  }

  #int(): void {
    const value = this.#long()
    if (value !== (value | 0)) throw new BadBytes(`${value} is not an int of 32 bits`)
  }

  /** Zigzag varint. Its lowest bit is the sign, so even numbers up to 2^54 and odd ones up to 2^53 are exact. */
  #long(): number {
    let zigzag = 0
    let scale = 1
    const first = this.#bytes[this.at] ?? 0
    for (let i = 0; i < 10; i++) {
      const byte = this.#bytes[this.at]
      if (byte === undefined) throw new BadBytes('the bytes end too early')
      this.at++
      zigzag += (byte & 0x7f) * scale
      scale *= 128
      if (byte < 0x80) return exact(zigzag, (first & 1) === 1)
    }
    throw new BadBytes('a number of more than ten bytes')
  }

  #skip(lengthBytes: number): void {
    if (lengthBytes < 0) throw new BadBytes(`a length of ${lengthBytes} bytes`)
    if (lengthBytes > this.#bytes.length - this.at) throw new BadBytes('the bytes end too early')
    this.at += lengthBytes
  }
}

function exact(zigzag: number, negative: boolean): number {
  const tooLarge = negative ? zigzag >= -2 * MIN_LONG : zigzag > 2 * MAX_LONG
  if (tooLarge) throw new BadBytes('a long beyond 2^53')
  return negative ? -(zigzag + 1) / 2 : zigzag / 2
}
