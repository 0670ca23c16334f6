/**
 * Zigzag variable-length integers, as Kafka's records and Avro write them: seven bits a byte, the lowest first, the high
 * bit set on all but the last byte; 0, -1, 1, -2 become 0, 1, 2, 3.
 *
 * Exact for -(2^53 - 1) … 2^53 - 1, without BigInt.
 */

const LOW_BITS = 28
const LOW_SIZE = 2 ** LOW_BITS

/** Reads along bytes. Hot loops may read and move `at` themselves. */
export class ByteCursor {
  readonly bytes: Uint8Array
  /** Position of the next byte. */
  at: number

  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes
    this.at = at
  }

  /** @throws RangeError when the bytes end within the number, or it does not fit in 2^53 */
  readVarint(): number {
    const first = this.bytes[this.at]!
    if (first < 0x80) {
      this.at++
      return (first >>> 1) ^ -(first & 1)
    }
    return this.#readLong()
  }

  #readLong(): number {
    const { bytes } = this
    let low = 0
    let shift = 0
    let byte = 0x80
    while (byte >= 0x80 && shift < LOW_BITS) {
      byte = this.#next(bytes)
      low |= (byte & 0x7f) << shift
      shift += 7
    }
    let high = 0
    let scale = 1
    while (byte >= 0x80) {
      if (scale > 2 ** LOW_BITS) throw new RangeError('a variable-length integer is longer than nine bytes')
      byte = this.#next(bytes)
      high += (byte & 0x7f) * scale
      scale *= 0x80
    }
    const magnitude = high * (LOW_SIZE / 2) + (low >>> 1)
    if (magnitude > Number.MAX_SAFE_INTEGER) throw new RangeError('a variable-length integer lies beyond 2^53')
    return (low & 1) === 0 ? magnitude : -magnitude - 1
  }

  #next(bytes: Uint8Array): number {
    if (this.at >= bytes.length) throw new RangeError('the bytes end within a variable-length integer')
    return bytes[this.at++]!
  }
}

/** Zigzag of such a number fits in 31 bits. */
const isShort = (value: number): boolean => value < 0x40000000 && value >= -0x40000000

/** How many bytes `writeVarint` writes. */
export function varintBytes(value: number): number {
  if (isShort(value)) return Math.ceil((32 - Math.clz32(((value << 1) ^ (value >> 31)) | 1)) / 7)
  let bytes = 1
  for (let rest = Math.floor(magnitudeOf(value) / 0x40); rest > 0; rest = Math.floor(rest / 0x80)) bytes++
  return bytes
}

/** Writes `value` at `start`. @returns the position behind it */
export function writeVarint(bytes: Uint8Array, start: number, value: number): number {
  let at = start
  let rest: number
  if (isShort(value)) rest = (value << 1) ^ (value >> 31)
  else {
    const magnitude = magnitudeOf(value)
    bytes[at++] = 0x80 | ((magnitude % 0x40) * 2 + (value < 0 ? 1 : 0))
    rest = Math.floor(magnitude / 0x40)
    for (; rest >= 0x80000000; rest = Math.floor(rest / 0x80)) bytes[at++] = 0x80 | (rest % 0x80)
  }
  for (; rest >= 0x80; rest >>>= 7) bytes[at++] = 0x80 | (rest & 0x7f)
  bytes[at] = rest
  return at + 1
}

/** 0 and -1 have 0, 1 and -2 have 1, as zigzag sees it. */
function magnitudeOf(value: number): number {
  return value < 0 ? -(value + 1) : value
}
