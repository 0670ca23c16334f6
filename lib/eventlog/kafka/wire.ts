/**
 * The primitive types of Kafka's protocol, as its newer ("flexible") requests write them: lengths are one more than they
 * say, and each structure ends with tagged fields, of which we send none and read none.
 *
 * Source: the Kafka protocol guide, "Protocol Primitive Types", and KIP-482.
 */

const EMPTY = Buffer.alloc(0)

/** Builds a request's body. Each call appends. */
export class WireWriter {
  readonly #parts: Buffer[] = []

  int8(value: number): this {
    return this.#fixed(1, (bytes) => bytes.writeInt8(value))
  }

  int16(value: number): this {
    return this.#fixed(2, (bytes) => bytes.writeInt16BE(value))
  }

  int32(value: number): this {
    return this.#fixed(4, (bytes) => bytes.writeInt32BE(value))
  }

  int64(value: number): this {
    return this.#fixed(8, (bytes) => bytes.writeBigInt64BE(BigInt(value)))
  }

  /** `null` is length 0. */
  compactString(value: string | null): this {
    if (value === null) return this.#unsigned(0)
    const bytes = Buffer.from(value)
    return this.#unsigned(bytes.length + 1).raw(bytes)
  }

  compactArray<Item>(items: readonly Item[], write: (writer: WireWriter, item: Item) => void): this {
    this.#unsigned(items.length + 1)
    for (const item of items) write(this, item)
    return this
  }

  /** Of the older requests. */
  string(value: string | null): this {
    if (value === null) return this.int16(-1)
    const bytes = Buffer.from(value)
    return this.int16(bytes.length).raw(bytes)
  }

  /** Of the older requests. */
  bytes(value: Buffer): this {
    return this.int32(value.length).raw(value)
  }

  noTags(): this {
    return this.#unsigned(0)
  }

  raw(bytes: Buffer): this {
    this.#parts.push(bytes)
    return this
  }

  body(): Buffer {
    return Buffer.concat(this.#parts)
  }

  #fixed(sizeBytes: number, write: (bytes: Buffer) => void): this {
    const bytes = Buffer.allocUnsafe(sizeBytes)
    write(bytes)
    return this.raw(bytes)
  }

  #unsigned(value: number): this {
    const bytes: number[] = []
    let rest = value
    for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80)
    bytes.push(rest)
    return this.raw(Buffer.from(bytes))
  }
}

/** Reads an answer. What it hands out as bytes is a part of the answer's own memory. */
export class WireReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  int8(): number {
    return this.#bytes.readInt8(this.#skip(1))
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#skip(2))
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#skip(4))
  }

  int64(): number {
    return Number(this.#bytes.readBigInt64BE(this.#skip(8)))
  }

  /** 16 bytes as hexadecimal digits. */
  uuid(): string {
    return this.#take(16).toString('hex')
  }

  compactString(): string | null {
    const length = this.#unsigned() - 1
    return length < 0 ? null : this.#take(length).toString('utf8')
  }

  compactBytes(): Buffer {
    const length = this.#unsigned() - 1
    return length <= 0 ? EMPTY : this.#take(length)
  }

  compactArray<Item>(read: (reader: WireReader) => Item): Item[] {
    return this.#items(this.#unsigned() - 1, read)
  }

  /** Of the older answers. */
  array<Item>(read: (reader: WireReader) => Item): Item[] {
    return this.#items(this.int32(), read)
  }

  /** Of the older answers. */
  string(): string | null {
    const length = this.int16()
    return length < 0 ? null : this.#take(length).toString('utf8')
  }

  skipTags(): void {
    for (let left = this.#unsigned(); left > 0; left--) {
      this.#unsigned()
      this.#skip(this.#unsigned())
    }
  }

  #items<Item>(count: number, read: (reader: WireReader) => Item): Item[] {
    const items: Item[] = []
    for (let i = 0; i < count; i++) items.push(read(this))
    return items
  }

  #take(sizeBytes: number): Buffer {
    const start = this.#skip(sizeBytes)
    return this.#bytes.subarray(start, this.#at)
  }

  /** @returns where it was */
  #skip(sizeBytes: number): number {
    const start = this.#at
    if (start + sizeBytes > this.#bytes.length) throw new RangeError('the answer ends too early')
    this.#at = start + sizeBytes
    return start
  }

  #unsigned(): number {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = this.#bytes[this.#skip(1)]!
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value >>> 0
    }
  }
}
