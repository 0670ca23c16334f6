import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { openJsonReader, schemaIdOf } from '#lib/codec/avro.ts'
import { loadTopicSchema } from '#lib/codec/avro-schema.ts'
import { factFromJson, factJson } from '#lib/codec/fact-json.ts'
import type { JobFinished, JobStarted, Probe, Window } from '#lib/facts.ts'
import { topics } from '#lib/topics.ts'
import { errorOf, goldens, goldenValue, invalid, openFor, probe, topicOf, wire } from './golden-values.ts'
import { schemaTopics, valuesOf } from './topic-values.ts'

describe('against two Avro implementations in Python', () => {
  test('every topic with a schema has golden bytes, and every kind of fact', () => {
    expect(new Set(goldens.map((entry) => entry.schema))).toEqual(new Set(schemaTopics.map((topic) => topic.schema)))
    const kinds = new Set(goldens.map((entry) => entry.json['type']).filter((type) => type !== undefined))
    const commands = ['ack', 'silence', 'unsilence', 'exclude', 'channel_test', 'deliver']
    const deliveries = ['decision', 'intent', 'outcome']
    const observed = ['probe', 'tick', 'window', 'gap', 'rejected']
    expect(kinds).toEqual(new Set([...observed, 'started', 'finished', ...commands, ...deliveries]))
  })

  test.each(goldens.map((entry, i) => [i, entry] as const))('value %i is written and read alike', async (_, entry) => {
    const codec = await openFor(topicOf(entry.schema))
    const value = factFromJson(entry.json) as object
    expect(codec.encode(value).subarray(5).toString('hex')).toBe(entry.hex)
    const read = codec.decode(wire(codec, entry.hex))
    expect(read).toEqual(value)
    expect(factJson(read)).toEqual(entry.json)
    expect(Object.keys(factJson(read))).toEqual(Object.keys(entry.json))
  })
})

describe('what is written', () => {
  test('begins with a zero byte and the schema id in four bytes, high byte first', async () => {
    const codec = await openFor(topics.sample)
    expect(codec.encode(probe).subarray(0, 5).toString('hex')).toBe('0000000001')
    expect(schemaIdOf(Buffer.from('00010203ff', 'hex'))).toBe(0x010203ff)
  })

  test('is a copy: the next value does not overwrite it', async () => {
    const codec = await openFor(topics.sample)
    const first = codec.encode(probe)
    const kept = Buffer.from(first)
    codec.encode({ type: 'tick', at: 1, plan: 'x'.repeat(100) })
    expect(first).toEqual(kept)
  })

  test.each(schemaTopics.map((topic) => [topic.name, topic] as const))('comes back unchanged: %s', async (_, topic) => {
    const codec = await openFor(topic)
    fc.assert(
      fc.property(valuesOf(topic), (value) => {
        const bytes = codec.encode(value)
        const read = codec.decode(bytes)
        expect(read).toEqual(value)
        expect(codec.encode(read)).toEqual(bytes)
      }),
    )
  })

  test('may be larger than any before', async () => {
    const codec = await openFor(topics.plan)
    const value = { canonicalJson: 'é'.repeat(300_000) }
    expect(codec.decode(codec.encode(value))).toEqual(value)
  })
})

describe('a value that does not fit is refused, and the message names the field', () => {
  const misfits: readonly [string, object, string][] = [
    ['a fraction', { ...probe, latencyMs: 1.5 }, 'latencyMs: 1.5 is not a whole number of 32 bits'],
    ['a number beyond 32 bits', { ...probe, ordinal: 2 ** 31 }, 'ordinal: 2147483648'],
    ['an instant beyond 2^53', { ...probe, scheduledAt: 2 ** 53 }, 'scheduledAt: 9007199254740992'],
    [
      'a long that avsc would write as another',
      { ...probe, scheduledAt: -6_000_000_000_000_001 },
      'scheduledAt: -6000',
    ],
    ['NaN', { ...probe, scheduledAt: Number.NaN }, 'scheduledAt: NaN'],
    ['an unknown symbol', { ...probe, outcome: 'slow' }, 'outcome: "slow" is not one of ok, timeout, error, skipped'],
    ['a symbol that objects inherit', { ...probe, outcome: 'constructor' }, 'outcome: "constructor"'],
    ['a lone surrogate', { ...probe, errorCode: 'a\ud800' }, 'errorCode: '],
    ['a missing field, even with a default', withoutField(probe, 'lagMs'), 'lagMs: is missing'],
    ['undefined', { ...probe, lagMs: undefined }, 'lagMs: undefined'],
    ['a field nobody knows', { ...probe, latency: 1 }, 'latency: is no field of obstream.sample.v1.Probe'],
    ['an unknown kind', { ...probe, type: 'ping' }, 'type: "ping" is not one of probe, tick'],
    ['no kind', withoutField(probe, 'type'), 'type: undefined'],
    ['nothing', null as unknown as object, 'null is not an object'],
  ]

  test.each(misfits)('%s', async (_, value, message) => {
    const codec = await openFor(topics.sample)
    expect(errorOf(() => codec.encode(value as Probe))).toEqual(invalid(message))
  })

  test('also deep inside', async () => {
    const codec = await openFor(topics.window)
    const window = goldenValue<Window>('window')
    const wrong = {
      ...window,
      latencies: [
        { ms: 1, count: 1 },
        { ms: 2, count: '3' as unknown as number },
      ],
    }
    expect(errorOf(() => codec.encode(wrong))).toEqual(invalid('latencies.1.count: "3" is not a whole number'))
  })

  test('a map key __proto__, or one with a lone surrogate', async () => {
    const codec = await openFor(topics.job)
    const started = goldenValue<JobStarted>('started')
    const hostile = JSON.parse('{"__proto__": "x"}')
    expect(errorOf(() => codec.encode({ ...started, options: hostile }))).toEqual(
      invalid('options: the key "__proto__"'),
    )
    const lone = { 'a\udc00': 'x' }
    expect(errorOf(() => codec.encode({ ...started, options: lone }))).toEqual(invalid('options: the key'))
  })

  test('a map value of another type', async () => {
    const codec = await openFor(topics.job)
    const wrong = { ...goldenValue<JobFinished>('finished'), summary: { written: 0.5 } }
    expect(errorOf(() => codec.encode(wrong))).toEqual(invalid('summary.written: 0.5'))
  })
})

function withoutField(value: object, name: string): object {
  return Object.fromEntries(Object.entries(value).filter(([field]) => field !== name))
}

describe('JSON of any record, by the schema it was written with', () => {
  test.each(goldens.map((entry, i) => [i, entry] as const))('value %i', (_, entry) => {
    const read = openJsonReader(loadTopicSchema(topicOf(entry.schema)))
    expect(read(Buffer.from(`0000000009${entry.hex}`, 'hex'))).toEqual(entry.json)
  })

  test('bad bytes and bad schemas are OBS_RECORD_INVALID', () => {
    const read = openJsonReader(loadTopicSchema(topics.sample))
    for (const hex of ['', '0000000001', '000000000104'])
      expect(errorOf(() => read(Buffer.from(hex, 'hex')))).toEqual(invalid('cannot be read'))
    expect(errorOf(() => openJsonReader({ type: 'recrod' }))).toEqual(invalid('not an Avro schema'))
  })
})
