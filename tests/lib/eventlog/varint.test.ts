import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { ByteCursor, varintBytes, writeVarint } from '#lib/eventlog/varint.ts'

/** The definition, with BigInt: zigzag, then seven bits a byte. */
function byDefinition(value: number): string {
  let rest = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n))
  const bytes: number[] = []
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80)
  return Buffer.from([...bytes, Number(rest)]).toString('hex')
}

function written(value: number): Buffer {
  const bytes = Buffer.alloc(12)
  return bytes.subarray(0, writeVarint(bytes, 0, value))
}

const edges = [
  0,
  -1,
  1,
  63,
  64,
  -64,
  -65,
  8191,
  8192,
  2 ** 27,
  2 ** 28,
  2 ** 31,
  -(2 ** 31),
  2 ** 34,
  Number.MAX_SAFE_INTEGER,
  -Number.MAX_SAFE_INTEGER,
]

test('published examples: Avro writes 0, -1, 1, -64, 64 as 00, 01, 02, 7f, 8001', () => {
  expect([0, -1, 1, -64, 64].map((value) => written(value).toString('hex'))).toEqual(['00', '01', '02', '7f', '8001'])
})

test('every safe integer is written as defined and comes back', () => {
  const check = (value: number) => {
    const bytes = written(value)
    expect(bytes.toString('hex')).toBe(byDefinition(value))
    expect(varintBytes(value)).toBe(bytes.length)
    const cursor = new ByteCursor(bytes)
    expect(cursor.readVarint()).toBe(value)
    expect(cursor.at).toBe(bytes.length)
  }
  edges.forEach(check)
  fc.assert(fc.property(fc.maxSafeInteger(), check))
  fc.assert(fc.property(fc.integer(), check))
})

test('a number that the bytes cut off, or beyond 2^53, is refused', () => {
  for (const hex of ['', '80', 'ffff', 'ffffffffffffffffff01', 'ffffffffffffffffffffff01', '808080808080808020'])
    expect(() => new ByteCursor(Buffer.from(hex, 'hex')).readVarint()).toThrow(RangeError)
})
