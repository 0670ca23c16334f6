import { beforeAll, describe, expect, test } from '@jest/globals'
import avsc from 'avsc'
import fc from 'fast-check'
import { openCodec, type TopicCodec, UnknownSchemaError } from '#lib/codec/avro.ts'
import { loadTopicSchema } from '#lib/codec/avro-schema.ts'
import type { LogRecord } from '#lib/eventlog/port.ts'
import { decodeBatch, encodeBatch, type RecordBatch } from '#lib/eventlog/record-batch.ts'
import type { Probe, SampleFact } from '#lib/facts.ts'
import { openEmbeddedRegistry } from '#lib/registry/embedded.ts'
import { MemorySchemaStore } from '#lib/registry/memory-store.ts'
import type { AvroSchema } from '#lib/registry/port.ts'
import { topics } from '#lib/topics.ts'
import { readByCodec, type SampleInput } from '#services/rollup/sample-input.ts'
import { sampleReader } from '#services/rollup/sample-reader.ts'
import { at, probe } from './rolling.ts'

const HASH = 'a'.repeat(64)
let codec: TopicCodec<SampleFact>

beforeAll(async () => {
  codec = await openCodec(topics.sample, openEmbeddedRegistry(new MemorySchemaStore()))
})

/** What a reader hands out and reports, copied, since it hands out one object again and again. */
function heard(read: (bad: (record: { offset: number }, reason: string) => void) => Iterable<SampleInput>): unknown {
  const inputs: unknown[] = []
  const bad: unknown[] = []
  for (const { offset, cause, key, value } of read((record, reason) => bad.push({ offset: record.offset, reason })))
    inputs.push(
      value.type === 'tick'
        ? { offset, cause: [...cause], at: value.at, plan: value.plan }
        : {
            offset,
            cause: [...cause],
            key,
            outcome: value.outcome,
            scheduledAt: value.scheduledAt,
            ordinal: value.ordinal,
            latencyMs: value.latencyMs,
          },
    )
  return { inputs, bad }
}

const byColumns = (batch: RecordBatch, from = 0): unknown => heard((bad) => sampleReader(codec)(batch, from, bad))
const byCodec = (batch: RecordBatch, from = 0): unknown => heard((bad) => readByCodec(batch, from, bad, codec))

function record(key: string, value: SampleFact | Buffer): LogRecord {
  return { key: Buffer.from(key), value: Buffer.isBuffer(value) ? value : codec.encode(value) }
}

function batchOf(records: readonly LogRecord[]): RecordBatch {
  return decodeBatch(encodeBatch(records, { baseOffset: 70, appendedAtMs: at('22:00') }))
}

const instants = fc.oneof(
  fc.integer({ min: 0, max: 253_402_300_799_999 }),
  fc.integer({ min: at('22:00'), max: at('23:00') }),
)
const milliseconds = fc.oneof(fc.nat(200), fc.nat(2 ** 31 - 1))
const facts: fc.Arbitrary<readonly [string, SampleFact]> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(
      fc.constantFrom('router_demo', 'a', '口座_α', 'source-0001.x', 's'.repeat(64)),
      fc
        .record({
          type: fc.constant('probe' as const),
          outcome: fc.constantFrom('ok' as const, 'timeout' as const, 'error' as const, 'skipped' as const),
          scheduledAt: instants,
          ordinal: fc.oneof(fc.constant(0), fc.nat(2 ** 31 - 1)),
          latencyMs: fc.option(milliseconds, { freq: 5 }),
          measuredAt: fc.oneof(instants, fc.integer({ min: -(2 ** 50), max: 2 ** 50 })),
          lagMs: fc.option(fc.oneof(milliseconds, fc.integer({ min: -(2 ** 31), max: 0 })), { freq: 2 }),
          errorCode: fc.option(fc.constantFrom('ECONNREFUSED', '', 'http_status_503', '接続'), { freq: 2 }),
        })
        .map(
          (fact): Probe =>
            fact.latencyMs === null && fact.outcome !== 'skipped' ? { ...fact, outcome: 'error' } : fact,
        ),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(
      fc.constant(''),
      fc.record({ type: fc.constant('tick' as const), at: instants, plan: fc.constant(HASH) }),
    ),
  },
)

test('read by columns and read by the codec, records are the same', () => {
  fc.assert(
    fc.property(fc.array(facts, { minLength: 1, maxLength: 40, size: 'max' }), fc.nat(40), (all, skipped) => {
      const batch = batchOf(all.map(([key, fact]) => record(key, fact)))
      expect(byColumns(batch, 70 + skipped)).toEqual(byCodec(batch, 70 + skipped))
    }),
  )
})

test('and so they are when bytes of their values are others, or missing, or too many', () => {
  const damage = fc.record({
    which: fc.nat(),
    where: fc.nat(),
    byte: fc.nat(255),
    length: fc.integer({ min: -3, max: 3 }),
  })
  fc.assert(
    fc.property(
      fc.array(facts, { minLength: 1, maxLength: 8, size: 'max' }),
      damage,
      (all, { which, where, byte, length }) => {
        const records = all.map(([key, fact]) => record(key, fact))
        const { key, value } = records[which % records.length]!
        const damaged = Buffer.from(value)
        damaged[where % damaged.length] = where % 5 === 0 ? byte : damaged[where % damaged.length]! ^ (1 << (byte % 8))
        const cut =
          length <= 0
            ? damaged.subarray(0, damaged.length + length)
            : Buffer.concat([damaged, Buffer.alloc(length, byte)])
        records[which % records.length] = { key, value: byte % 3 === 0 ? cut : damaged }
        const batch = batchOf(records)
        const results = [byColumns, byCodec].map((read) => {
          try {
            return read(batch)
          } catch (error) {
            return (error as Error).message
          }
        })
        expect(results[0]).toEqual(results[1])
      },
    ),
    { numRuns: 1_000 },
  )
})

test('the input handed out is one object, changed', () => {
  const batch = batchOf(['22:00', '22:15'].map((time) => record('a', probe('a', time, 5).value)))
  const inputs = new Set<object>()
  const values = new Set<object>()
  for (const input of sampleReader(codec)(batch, 0, () => {})) {
    inputs.add(input)
    values.add(input.value)
  }
  expect([inputs.size, values.size]).toEqual([1, 1])
})

describe('a record is bad for what stands in it alone', () => {
  const good = probe('a', '22:00', 5).value as Probe
  const cases: readonly (readonly [string, LogRecord | (() => LogRecord), RegExp])[] = [
    ['a key that is no source', () => record('no such/source', good), /"no such\/source" is not the id of a source/],
    ['a probe without a key', () => record('', good), /"" is not the id of a source/],
    ['an answer without a latency', () => record('a', { ...good, latencyMs: null }), /outcome ok without latency_ms/],
    ['a negative latency', () => record('a', { ...good, latencyMs: -1 }), /latency_ms -1 is negative/],
    ['a negative ordinal', () => record('a', { ...good, ordinal: -1 }), /ordinal -1 is negative/],
    ['a slot before 1970', () => record('a', { ...good, scheduledAt: -1 }), /scheduled_at -1/],
    [
      'a slot after 9999',
      () => record('a', { ...good, scheduledAt: 253_402_300_800_000 }),
      /scheduled_at 253402300800000/,
    ],
    ['a tick of no plan', () => record('', { type: 'tick', at: at('22:00'), plan: 'p1' }), /plan "p1" is not a sha256/],
    ['a tick before 1970', () => record('', { type: 'tick', at: -5, plan: HASH }), /at -5/],
    ['bytes of nothing', () => record('a', Buffer.from('hello')), /does not begin with a zero byte/],
    ['half a value', () => record('a', codec.encode(good).subarray(0, 9)), /end/],
  ]
  for (const [name, bad, reason] of cases)
    test(name, () => {
      const batch = batchOf([record('a', good), typeof bad === 'function' ? bad() : bad, record('b', good)])
      expect(byColumns(batch)).toMatchObject({
        inputs: [
          { offset: 70, key: 'a' },
          { offset: 72, key: 'b' },
        ],
        bad: [{ offset: 71, reason: expect.stringMatching(reason) }],
      })
    })
})

test('a record of an older schema is read by it, once it has been fetched', async () => {
  const older = structuredClone(loadTopicSchema(topics.sample)) as unknown as {
    fields: { type: { fields: { name: string }[] }[] }[]
  }
  older.fields[0]!.type[0]!.fields = older.fields[0]!.type[0]!.fields.filter(
    ({ name }) => name !== 'lag_ms' && name !== 'error_code',
  )
  const store = new MemorySchemaStore()
  const registry = openEmbeddedRegistry(store)
  const olderId = await registry.register('obs.sample.v1-value', older as unknown as AvroSchema)
  const current = await openCodec(topics.sample, registry)
  const fields = {
    outcome: 'ok',
    scheduled_at: at('22:00'),
    ordinal: 0,
    latency_ms: { int: 7 },
    measured_at: at('22:00'),
  }
  const avro = avsc.Type.forSchema(older as unknown as avsc.Schema, { wrapUnions: true }).toBuffer({
    fact: { 'obstream.sample.v1.Probe': fields },
  })
  const old = Buffer.concat([Buffer.from([0, 0, 0, 0, olderId]), avro])
  const fresh = current.encode(probe('a', '22:15', 8).value)
  const batch = batchOf([record('a', fresh), record('a', old), record('a', fresh)])

  const read = sampleReader(current)
  const offsets: number[] = []
  expect(() => {
    for (const { offset } of read(batch, 0, () => {})) offsets.push(offset)
  }).toThrow(UnknownSchemaError)
  await current.learn(olderId)
  for (const { offset, value } of read(batch, offsets.at(-1)! + 1, () => {})) {
    if (offset === 71) expect(value).toMatchObject({ scheduledAt: at('22:00'), latencyMs: 7 })
    offsets.push(offset)
  }
  expect(offsets).toEqual([70, 71, 72])
})
