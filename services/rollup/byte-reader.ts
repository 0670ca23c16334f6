/** Seven bits each; the last holds six of 48 and the sign. */
const LONG_BYTES = 7

/**
 * Reads the zigzag numbers of Kafka's records and of Avro, as `ByteCursor` of `lib/eventlog/varint.ts` does, for a loop
 * that reads millions: it checks nothing. Numbers of a usual size are right; after another one, or one that the end of
 * the bytes cut off, `isOdd` is true or `at` lies behind the end, and what was read means nothing.
 */
export class ByteReader {
  readonly bytes: Uint8Array
  /** Position of the next byte. */
  at = 0
  /** Whether a number was too large for a quick look. */
  isOdd = false

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  /** Below 2^27. */
  int(): number {
    const byte = this.bytes[this.at++]!
    return byte < 0x80 ? (byte >>> 1) ^ -(byte & 1) : this.#longerInt(byte)
  }

  #longerInt(first: number): number {
    const { bytes } = this
    let byte = first
    let zigzag = byte & 0x7f
    for (let shift = 7; byte >= 0x80 && shift < 28; shift += 7) {
      byte = bytes[this.at++]!
      zigzag |= (byte & 0x7f) << shift
    }
    if (byte >= 0x80) this.isOdd = true
    return (zigzag >>> 1) ^ -(zigzag & 1)
  }

  /** Passes over what `long` would read. */
  skipLong(): void {
    const { bytes } = this
    const lastAt = this.at + LONG_BYTES - 1
    while (bytes[this.at]! >= 0x80 && this.at < lastAt) this.at++
    if (bytes[this.at++]! >= 0x80) this.isOdd = true
  }

  /** Below 2^48: every instant of the next thousands of years. */
  long(): number {
    const { bytes } = this
    let at = this.at
    let byte = bytes[at++]!
    let low = byte & 0x7f
    for (let shift = 7; byte >= 0x80 && shift < 28; shift += 7) {
      byte = bytes[at++]!
      low |= (byte & 0x7f) << shift
    }
    let high = 0
    for (let shift = 0; byte >= 0x80 && shift < 21; shift += 7) {
      byte = bytes[at++]!
      high |= (byte & 0x7f) << shift
    }
    if (byte >= 0x80) this.isOdd = true
    this.at = at
    const magnitude = high * 2 ** 27 + (low >>> 1)
    return (low & 1) === 0 ? magnitude : -magnitude - 1
  }
}
