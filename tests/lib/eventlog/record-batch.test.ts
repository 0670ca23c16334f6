import { readFileSync } from 'node:fs'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from '@jest/globals'
import { crc32c } from '@node-rs/crc32'
import fc from 'fast-check'
import { isObstreamError } from '#lib/errors.ts'
import { MAX_PAYLOAD_BYTES } from '#lib/eventlog/compression.ts'
import type { LogRecord } from '#lib/eventlog/port.ts'
import { decodeBatch, encodeBatch, placeBatch, type RecordBatch, retainRecords } from '#lib/eventlog/record-batch.ts'

interface GoldenRecord {
  readonly key: string | null
  readonly value: string | null
  readonly headers: readonly { readonly name: string; readonly value: string }[]
}

interface GoldenBatch {
  readonly name: string
  readonly baseOffset: number
  readonly lastOffset: number
  readonly appendedAtMs: number
  readonly encodable: boolean
  readonly records: readonly GoldenRecord[]
  readonly bytes: string
}

const golden: readonly GoldenBatch[] = JSON.parse(
  readFileSync(new URL('golden/kafka-batches.golden.json', import.meta.url), 'utf8'),
)

/** Everything a reader can see. */
function seen(batch: RecordBatch) {
  return Array.from(batch.records(), ({ offset, key, value, headers }) => ({
    offset,
    key: key.toString('hex'),
    value: value?.toString('hex') ?? null,
    headers: headers.map((header) => ({ name: header.name, value: Buffer.from(header.value).toString('hex') })),
  }))
}

const text = (key: string, value: string): LogRecord => ({ key: Buffer.from(key), value: Buffer.from(value) })
const fromHex = ({ key, value, headers }: GoldenRecord): LogRecord => ({
  key: Buffer.from(key!, 'hex'),
  value: Buffer.from(value!, 'hex'),
  headers: headers.map((header) => ({ name: header.name, value: Buffer.from(header.value, 'hex') })),
})

const place = { baseOffset: 0, appendedAtMs: 1_782_604_800_125 }

describe("batches that Kafka's own client wrote", () => {
  test.each(golden)('$name: the same records come out', (batch) => {
    const decoded = decodeBatch(Buffer.from(batch.bytes, 'hex'))
    const { baseOffset, lastOffset, appendedAtMs } = batch
    expect(decoded).toMatchObject({ baseOffset, lastOffset, recordCount: batch.records.length, appendedAtMs })
    expect(seen(decoded).map(({ offset: _, ...record }) => record)).toEqual(
      batch.records.map((record) => ({ ...record, key: record.key ?? '' })),
    )
  })

  test.each(golden.filter(({ encodable }) => encodable))('$name: the same bytes go in', (batch) => {
    expect(encodeBatch(batch.records.map(fromHex), batch).toString('hex')).toBe(batch.bytes)
  })

  test('a compacted one has its records at their old offsets', () => {
    const compacted = golden.find(({ name }) => name.startsWith('compacted'))!
    expect(seen(decodeBatch(Buffer.from(compacted.bytes, 'hex'))).map(({ offset }) => offset)).toEqual([22, 25])
  })

  test('what compaction leaves of ours is what Kafka leaves of its own', () => {
    const compacted = golden.find(({ name }) => name.startsWith('compacted'))!
    const ours = encodeBatch(
      ['x', 'x', '3', 'x', 'x', '1', 'x', 'x', 'x', 'x'].map((key) => text(key, key === '3' ? 'c' : 'a')),
      compacted,
    )
    expect(retainRecords(ours, '', ({ key }) => key.toString() !== 'x')!.toString('hex')).toBe(compacted.bytes)
  })
})

test('the CRC32C is the Castagnoli one of RFC 3720', () => {
  expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa)
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283)
})

const bytes = fc.uint8Array({ maxLength: 70 }).map((array) => Buffer.from(array))
const records = fc.array(
  fc.record({
    key: bytes,
    value: bytes,
    headers: fc.array(fc.record({ name: fc.string({ unit: 'grapheme', maxLength: 8 }), value: bytes }), {
      maxLength: 3,
    }),
  }),
  { minLength: 1, maxLength: 80 },
)
const options = fc.record({
  baseOffset: fc.maxSafeNat().map((offset) => Math.max(0, offset - 100)),
  appendedAtMs: fc.integer({ min: 0, max: 8.64e15 }),
  compression: fc.constantFrom('none' as const, 'gzip' as const, 'zstd' as const),
})

describe('encode and decode', () => {
  test('whatever is encoded comes out again', () => {
    fc.assert(
      fc.property(records, options, (input, encoding) => {
        const batch = decodeBatch(encodeBatch(input, encoding))
        expect(batch).toMatchObject({
          baseOffset: encoding.baseOffset,
          recordCount: input.length,
          appendedAtMs: encoding.appendedAtMs,
        })
        expect(seen(batch)).toEqual(
          input.map(({ key, value, headers }, i) => ({
            offset: encoding.baseOffset + i,
            key: key.toString('hex'),
            value: value.toString('hex'),
            headers: headers.map((header) => ({ name: header.name, value: header.value.toString('hex') })),
          })),
        )
      }),
    )
  })

  test('a batch without a record cannot be made', () => {
    expect(() => encodeBatch([], place)).toThrow(RangeError)
  })

  test('another place changes offset and time, nothing else', () => {
    fc.assert(
      fc.property(records, options, options, (input, first, second) => {
        const moved = encodeBatch(input, first)
        placeBatch(moved, second)
        const batch = decodeBatch(moved)
        expect(batch).toMatchObject({ baseOffset: second.baseOffset, appendedAtMs: second.appendedAtMs })
        expect(seen(batch).map(({ offset: _, ...record }) => record)).toEqual(
          seen(decodeBatch(encodeBatch(input, first))).map(({ offset: _, ...record }) => record),
        )
      }),
    )
  })

  test('compaction keeps chosen records at their offsets, and the place of the batch', () => {
    fc.assert(
      fc.property(records, options, fc.func(fc.boolean()), (input, encoding, keep) => {
        const encoded = encodeBatch(input, encoding)
        const left = decodeBatch(retainRecords(encoded, '', ({ offset }) => keep(offset)) ?? encoded)
        const { baseOffset, lastOffset, appendedAtMs } = decodeBatch(encoded)
        expect(left).toMatchObject({ baseOffset, lastOffset, appendedAtMs })
        expect(seen(left)).toEqual(seen(decodeBatch(encoded)).filter(({ offset }) => keep(offset)))
      }),
    )
  })
})

/** Reads all of a batch. */
function readAll(source: Buffer): void {
  const batch = decodeBatch(source, 'obs.sample.v1/0')
  for (const record of batch.records()) void [record.key, record.value, record.headers]
}

/** @returns whether the bytes were accepted. @throws any other error than OBS_LOG_CORRUPT */
function accepts(source: Buffer): boolean {
  try {
    readAll(source)
    return true
  } catch (error) {
    if (!isObstreamError(error, 'OBS_LOG_CORRUPT')) throw error
    return false
  }
}

/** The header's CRC32C made right, so that damage reaches the code behind the check. */
function reseal(damaged: Buffer): Buffer {
  if (damaged.length >= 21) damaged.writeUInt32BE(crc32c(damaged.subarray(21)), 17)
  if (damaged.length >= 12) damaged.writeInt32BE(damaged.length - 12, 8)
  return damaged
}

describe('damaged bytes', () => {
  test('a flipped bit anywhere behind the CRC32C, and in it, is found', () => {
    const batch = encodeBatch([text('router_demo', '41'), text('other', '97')], place)
    for (let bit = 16 * 8; bit < batch.length * 8; bit++) {
      const damaged = Buffer.from(batch)
      damaged[bit >>> 3]! ^= 1 << (bit & 7)
      expect(accepts(damaged)).toBe(false)
    }
  })

  test('the message names place, offset and fault', () => {
    const damaged = encodeBatch([text('k', 'v')], { ...place, baseOffset: 81 })
    damaged[64]! ^= 1
    expect(() => decodeBatch(damaged, 'obs.sample.v1/3')).toThrow(
      /^obs\.sample\.v1\/3: the batch at offset 81 is damaged: its CRC32C is 0x[0-9a-f]{8}, but 0x[0-9a-f]{8} is written in it/,
    )
  })

  test('a batch that is cut off anywhere, or longer than it says, is refused', () => {
    const batch = encodeBatch([text('k', 'v')], place)
    for (let length = 0; length < batch.length; length++) expect(accepts(batch.subarray(0, length))).toBe(false)
    expect(accepts(Buffer.concat([batch, Buffer.alloc(1)]))).toBe(false)
  })

  test('noise is refused with no other error', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => void accepts(Buffer.from(noise))))
  })

  test('damage under a right CRC32C is read or refused with no other error', () => {
    fc.assert(
      fc.property(
        records,
        options,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        (input, encoding, edits) => {
          const damaged = encodeBatch(input.slice(0, 5), encoding)
          for (const [at, byte] of edits) damaged[16 + (at % (damaged.length - 16))] = byte
          accepts(reseal(damaged))
        },
      ),
      { numRuns: 3_000 },
    )
  })

  test('noise in place of the records is read or refused with no other error', () => {
    const header = encodeBatch([text('k', 'v')], place).subarray(0, 61)
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 120 }),
        fc.nat(20),
        fc.constantFrom(0, 1, 2, 3, 4, 7),
        (noise, count, compression) => {
          const batch = Buffer.concat([header, noise])
          batch.writeInt16BE(8 | compression, 21)
          batch.writeInt32BE(19, 23)
          batch.writeInt32BE(count, 57)
          accepts(reseal(batch))
        },
      ),
      { numRuns: 3_000 },
    )
  })

  test('a batch that says it has two thousand million records is refused at once', () => {
    const batch = encodeBatch([text('k', 'v')], place)
    batch.writeInt32BE(0x7ffffffe, 23)
    batch.writeInt32BE(0x7fffffff, 57)
    expect(accepts(reseal(batch))).toBe(false)
  })

  test.each([
    ['gzip', 1, gzipSync],
    ['zstd', 4, zstdCompressSync],
  ] as const)('a %s bomb is refused', (_, compression, pack) => {
    const batch = Buffer.concat([
      encodeBatch([text('k', 'v')], place).subarray(0, 61),
      pack(Buffer.alloc(MAX_PAYLOAD_BYTES + 1)),
    ])
    batch.writeInt16BE(8 | compression, 21)
    expect(accepts(reseal(batch))).toBe(false)
  })

  test('snappy and lz4 are named in the refusal', () => {
    const batch = encodeBatch([text('k', 'v')], place)
    batch.writeInt16BE(8 | 2, 21)
    expect(() => readAll(reseal(batch))).toThrow(/compressed with snappy; obstream reads none, gzip and zstd/)
  })
})
