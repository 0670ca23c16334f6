import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { openJsonReader, type TopicCodec, UnknownSchemaError } from '#lib/codec/avro.ts'
import { isObstreamError } from '#lib/errors.ts'
import type { JobStarted } from '#lib/facts.ts'
import { type TopicDefinition, topics } from '#lib/topics.ts'
import { errorOf, golden, goldenValue, invalid, openFor, wire } from './golden-values.ts'
import { schemaTopics, valuesOf } from './topic-values.ts'

describe('bytes that are bad in themselves', () => {
  const tickHex = golden('tick').hex
  const bad: readonly [string, string, string][] = [
    ['nothing', '', 'the bytes end too early'],
    ['too few', tickHex.slice(0, -2), 'fact.plan: the bytes end too early'],
    ['too many', `${tickHex}00`, '1 bytes follow the end'],
    ['a fact of no known kind', '0400', 'fact: there is no union branch 2'],
    ['a negative kind', '0100', 'fact: there is no union branch -1'],
    ['an unknown symbol', '0008', 'fact.outcome: obstream.sample.v1.Outcome has no symbol 4'],
    ['a long beyond 2^53', '028080808080808020', 'fact.at: a long beyond 2^53'],
    ['a long beyond -2^52', '028180808080808010', 'fact.at: a long beyond 2^53'],
    ['the largest long of 64 bits', '02feffffffffffffffff01', 'fact.at: a long beyond 2^53'],
    ['a number that never ends', '02ffffffffffffffffffffff', 'fact.at: a number of more than ten bytes'],
    ['an int beyond 32 bits', '0000028080808010', 'fact.ordinal: 2147483648 is not an int'],
    ['a string of negative length', '020203', 'fact.plan: a length of -2 bytes'],
    ['a string that is not UTF-8', '020204c328', 'fact.plan: a string is not UTF-8'],
    ['a surrogate in UTF-8', '020206eda080', 'fact.plan: a string is not UTF-8'],
  ]

  test.each(bad)('%s', async (_, hex, message) => {
    const codec = await openFor(topics.sample)
    expect(errorOf(() => codec.decode(wire(codec, hex)))).toEqual(invalid(message))
  })

  test('another first byte, or no id', async () => {
    const codec = await openFor(topics.sample)
    for (const bytes of ['', '00', '00000000', `0100000001${tickHex}`])
      expect(errorOf(() => codec.decode(Buffer.from(bytes, 'hex')))).toEqual(invalid('a zero byte and a schema id'))
  })

  test('a claim of four thousand million items is refused at once', async () => {
    const codec = await openFor(topics.job)
    const command = Buffer.from('forty-two').toString('hex')
    const { hex } = golden('started')
    const claim = hex.indexOf(Buffer.from('obstream').toString('hex')) - 4
    const hostile = `${hex.slice(0, claim)}feffffff1f${command}`
    expect(errorOf(() => codec.decode(wire(codec, hostile)))).toEqual(
      invalid('fact.command: 4294967295 items in 9 bytes'),
    )
  })

  test('a map key __proto__, and a key twice', async () => {
    const codec = await openFor(topics.job)
    const started = { ...goldenValue<JobStarted>('started'), cutLastKeys: {} }
    const written = (options: Record<string, string>): string =>
      codec
        .encode({ ...started, options })
        .subarray(5)
        .toString('hex')
    const hex = (text: string): string => Buffer.from(text).toString('hex')
    const proto = written({ __prot0__: 'polluted' }).replace(hex('__prot0__'), hex('__proto__'))
    expect(errorOf(() => codec.decode(wire(codec, proto)))).toEqual(invalid('the map key "__proto__" is not allowed'))
    const twice = written({ key_1: 'a', key_2: 'b' }).replace(hex('key_2'), hex('key_1'))
    expect(errorOf(() => codec.decode(wire(codec, twice)))).toEqual(invalid('the map key "key_1" occurs twice'))
  })

  test('neither constructor nor toString as map keys do harm', async () => {
    const codec = await openFor(topics.job)
    const options = { constructor: 'a', toString: 'b', hasOwnProperty: 'c', prototype: 'd' }
    const started = { ...goldenValue<JobStarted>('started'), options }
    expect(codec.decode(codec.encode(started))).toEqual(started)
    expect({}.toString()).toBe('[object Object]')
  })

  test('a boolean that is neither 0 nor 1', async () => {
    const codec = await openFor(topics.job)
    const bytes = codec.encode({ ...goldenValue<JobStarted>('started'), options: {}, cutLastKeys: {} })
    // The last of it: dry_run, no options before it, six bytes of instant, no keys after it.
    const at = bytes.length - 8
    expect([bytes[at - 1], bytes[at]]).toEqual([0, 1])
    bytes[at] = 2
    expect(errorOf(() => codec.decode(bytes))).toEqual(invalid('fact.dry_run: 2 is not a boolean'))
  })

  test('by schemas from elsewhere: endless items without bytes, endless nesting', () => {
    const nulls = openJsonReader({
      type: 'record',
      name: 'A',
      fields: [{ name: 'a', type: { type: 'array', items: 'null' } }],
    })
    expect(errorOf(() => nulls(Buffer.from('000000000104ffff', 'hex')))).toEqual(invalid('a: items without bytes'))
    const chain = openJsonReader({ type: 'record', name: 'A', fields: [{ name: 'a', type: ['null', 'A'] }] })
    expect(chain(Buffer.from('000000000102020200', 'hex'))).toEqual({ a: { a: { a: { a: null } } } })
    const deep = Buffer.concat([Buffer.from('0000000001', 'hex'), Buffer.alloc(100_000, 2), Buffer.alloc(1)])
    expect(errorOf(() => chain(deep))).toEqual(invalid('nested deeper than 64'))
  })

  test('blocks with their size, which other writers use, are read', async () => {
    const codec = await openFor(topics.sample)
    expect(codec.decode(wire(codec, '0202026b'))).toEqual({ type: 'tick', at: 1, plan: 'k' })
    const jobs = await openFor(topics.job)
    const started = { ...goldenValue<JobStarted>('started'), command: ['a', 'b'], options: {}, cutLastKeys: {} }
    const hex = jobs.encode(started).subarray(5).toString('hex')
    expect(hex).toContain('0402610262')
    expect(jobs.decode(wire(jobs, hex.replace('0402610262', '030802610262')))).toEqual(started)
    const lying = hex.replace('0402610262', '030a02610262')
    expect(errorOf(() => jobs.decode(wire(jobs, lying)))).toEqual(invalid('a block of 5 bytes holds 4'))
  })
})

describe('whatever the bytes, decoding ends with a value or with a known error', () => {
  const mutated = (codec: TopicCodec<object>, topic: TopicDefinition): fc.Arbitrary<Buffer> =>
    fc
      .tuple(valuesOf(topic), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }), fc.option(fc.nat()))
      .map(([value, changes, end]) => {
        const bytes = codec.encode(value)
        for (const [at, byte] of changes) bytes[5 + (at % (bytes.length - 5))] = byte
        return end === null ? bytes : bytes.subarray(0, end % bytes.length)
      })

  test.each(schemaTopics.map((topic) => [topic.name, topic] as const))('%s', async (_, topic) => {
    const codec = await openFor(topic)
    const random = fc
      .tuple(fc.constantFrom('0000000001', '0000000002', '01', ''), fc.uint8Array({ maxLength: 200 }))
      .map(([head, body]) => Buffer.concat([Buffer.from(head, 'hex'), body]))
    fc.assert(
      fc.property(fc.oneof(random, mutated(codec, topic)), (bytes) => {
        let value: object
        try {
          value = codec.decode(bytes)
        } catch (error) {
          if (error instanceof UnknownSchemaError || isObstreamError(error, 'OBS_RECORD_INVALID')) return
          throw error
        }
        expect(codec.decode(codec.encode(value))).toEqual(value)
      }),
      { numRuns: 1500 },
    )
  })
})
