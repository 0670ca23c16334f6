import { describe, expect, test } from '@jest/globals'
import { openEmbeddedRegistry } from '#lib/registry/embedded.ts'
import { MemorySchemaStore } from '#lib/registry/memory-store.ts'
import type { AvroSchema, SchemaRegistry } from '#lib/registry/port.ts'
import { eventually } from '#tests/support/eventually.ts'

const subject = 'obs.window.v1-value'

const kinds = { type: 'enum', name: 'Kind', symbols: ['ok', 'breach'] }

/** A record of one subject; what a test changes is all that differs. */
function schemaWith(fields: readonly object[], rest: object = {}): AvroSchema {
  return { type: 'record', name: 'Window', namespace: 'obstream.window.v1', fields, ...rest }
}

const source = { name: 'source', type: 'string' }
const count = { name: 'count', type: 'int' }
const kind = { name: 'kind', type: kinds }
const base = schemaWith([source, count, kind])

function newRegistry(): SchemaRegistry {
  return openEmbeddedRegistry(new MemorySchemaStore())
}

/** The id of `next` after `base`, or the error that refuses it. */
async function evolve(from: AvroSchema, next: AvroSchema): Promise<unknown> {
  const registry = newRegistry()
  await registry.register(subject, from)
  return await registry.register(subject, next).catch((error: unknown) => error)
}

function refused(...parts: readonly string[]): object {
  const message = expect.stringMatching(new RegExp(parts.map(RegExp.escape).join('.*'), 's'))
  return expect.objectContaining({ code: 'OBS_REGISTRY_INCOMPATIBLE', message })
}

describe('ids', () => {
  test('count from 1, and the same schema gives the same id', async () => {
    const registry = newRegistry()
    expect(await registry.register(subject, base)).toBe(1)
    expect(await registry.register(subject, structuredClone(base))).toBe(1)
    expect(await registry.register('other-value', base)).toBe(2)
    expect(await registry.schema(1)).toEqual(base)
  })

  test('documentation and the order of JSON members make no new schema', async () => {
    const registry = newRegistry()
    await registry.register(subject, base)
    const documented = schemaWith([{ doc: 'Where.', type: 'string', name: 'source' }, count, kind], {
      doc: 'New words.',
    })
    expect(await registry.register(subject, documented)).toBe(1)
  })

  test('a default does: it changes what others read', async () => {
    expect(await evolve(base, schemaWith([source, { ...count, default: 0 }, kind]))).toBe(2)
    const withDoc = (text: string): AvroSchema =>
      schemaWith([{ name: 'tags', type: { type: 'map', values: 'string' }, default: { doc: text } }])
    expect(await evolve(withDoc('a'), withDoc('b'))).toBe(2)
  })

  test('an earlier schema of the subject keeps its id and is not judged again', async () => {
    const registry = newRegistry()
    await registry.register(subject, base)
    await registry.register(
      subject,
      schemaWith([source, count, kind, { name: 'late', type: 'boolean', default: false }]),
    )
    expect(await registry.register(subject, base)).toBe(1)
  })

  test('every earlier schema is held against a new one, not only the newest: the log keeps what they wrote', async () => {
    const registry = newRegistry()
    const late = { name: 'late', type: 'boolean' }
    await registry.register(subject, schemaWith([source]))
    await registry.register(subject, schemaWith([source, { ...late, default: false }]))
    await expect(registry.register(subject, schemaWith([source, late]))).rejects.toEqual(
      refused('schema 1', 'late: is new and has no default'),
    )
  })

  test('two processes on one store see the same schemas', async () => {
    const store = new MemorySchemaStore()
    const [one, other] = [openEmbeddedRegistry(store), openEmbeddedRegistry(store)]
    expect(await one.register(subject, base)).toBe(await other.register(subject, base))
    expect(await other.schema(1)).toEqual(base)
  })

  test('an id that nobody knows may be known a moment later', async () => {
    const registry = newRegistry()
    await expect(registry.schema(1)).rejects.toMatchObject({ code: 'OBS_REGISTRY_UNAVAILABLE', retryable: true })
    await registry.register(subject, base)
    expect(await registry.schema(1)).toEqual(base)
  })

  test('a service waits for it, and says so as long as it does', async () => {
    const registry = openEmbeddedRegistry(new MemorySchemaStore(), { schemaWaitMs: Number.POSITIVE_INFINITY })
    const waiting = registry.schema(1)
    await eventually(() => registry.waitsFor?.includes('schema with id 1'))
    await registry.register(subject, base)
    expect(await waiting).toEqual(base)
    expect(registry.waitsFor).toBeNull()
  })

  test('a wait that is ended leaves nothing that would look like one', async () => {
    const registry = openEmbeddedRegistry(new MemorySchemaStore(), { schemaWaitMs: Number.POSITIVE_INFINITY })
    const stop = new AbortController()
    const waiting = registry.schema(1, stop.signal)
    await eventually(() => registry.waitsFor !== null)
    stop.abort(new Error('the partition is gone'))
    await expect(waiting).rejects.toThrow('the partition is gone')
    expect(registry.waitsFor).toBeNull()
  })
})

describe('a new schema that reads what the newest one wrote is taken', () => {
  const changes: readonly [string, AvroSchema][] = [
    [
      'a field with a default is added',
      schemaWith([source, count, kind, { name: 'p95_ms', type: ['null', 'int'], default: null }]),
    ],
    ['a field is removed', schemaWith([source, kind])],
    ['fields change places', schemaWith([kind, count, source])],
    ['an int becomes a long', schemaWith([source, { ...count, type: 'long' }, kind])],
    ['a field may be null now', schemaWith([source, { ...count, type: ['null', 'int'] }, kind])],
    [
      'a field is renamed with an alias',
      schemaWith([{ name: 'origin', type: 'string', aliases: ['source'] }, count, kind]),
    ],
    [
      'a symbol is added',
      schemaWith([source, count, { ...kind, type: { ...kinds, symbols: ['ok', 'breach', 'closed'] } }]),
    ],
    [
      'a symbol is removed from an enum with a default',
      schemaWith([source, count, { ...kind, type: { ...kinds, symbols: ['ok'], default: 'ok' } }]),
    ],
    ['the record is renamed with an alias', schemaWith([source, count, kind], { name: 'Frame', aliases: ['Window'] })],
  ]

  test.each(changes)('%s', async (_, next) => {
    expect(await evolve(base, next)).toBe(2)
  })
})

describe('one that does not is refused: the field is named, and what to do', () => {
  const nullable = schemaWith([source, { ...count, type: ['null', 'int'] }, kind])
  const list = (items: unknown): AvroSchema => schemaWith([{ name: 'latencies', type: { type: 'array', items } }])
  const latency = (fields: readonly object[]): object => ({ type: 'record', name: 'Latency', fields })
  const facts = (...branches: readonly object[]): AvroSchema => schemaWith([{ name: 'fact', type: branches }])
  const ms = { name: 'ms', type: 'int' }
  const gap = { type: 'record', name: 'Gap', fields: [source] }

  const changes: readonly [string, AvroSchema, AvroSchema, readonly string[]][] = [
    [
      'a field without a default is added',
      base,
      schemaWith([source, count, kind, { name: 'p95_ms', type: 'int' }]),
      ['schema 1', 'p95_ms: is new and has no default', 'Give it a default'],
    ],
    [
      'a type changes',
      base,
      schemaWith([source, { ...count, type: 'string' }, kind]),
      ['count: int became string', 'new field with a default'],
    ],
    [
      'a long becomes an int',
      schemaWith([{ ...count, type: 'long' }]),
      schemaWith([count]),
      ['count: long became int'],
    ],
    [
      'a field is renamed',
      base,
      schemaWith([{ name: 'origin', type: 'string' }, count, kind]),
      ['origin: is new', 'old name as an alias'],
    ],
    [
      'a symbol is removed',
      base,
      schemaWith([source, count, { ...kind, type: { ...kinds, symbols: ['breach'] } }]),
      ['kind: the symbol ok is gone', 'give the enum a default'],
    ],
    [
      'an enum is renamed',
      base,
      schemaWith([source, count, { ...kind, type: { ...kinds, name: 'Sort' } }]),
      ['kind: the enum', 'Kind became', 'Sort', 'alias'],
    ],
    [
      'the record is renamed',
      base,
      schemaWith([source, count, kind], { name: 'Frame' }),
      ['obstream.window.v1.Window became obstream.window.v1.Frame', 'alias'],
    ],
    ['null is no longer possible', nullable, base, ['count: null can no longer be read', 'Keep it in the union']],
    ['an item of a list gets a field', list(latency([ms])), list(latency([ms, count])), ['latencies[].count: is new']],
    [
      'the values of a map change',
      schemaWith([{ name: 'tags', type: { type: 'map', values: 'int' } }]),
      schemaWith([{ name: 'tags', type: { type: 'map', values: 'string' } }]),
      ['tags{}: int became string'],
    ],
    ['a kind of fact changes', facts(latency([ms]), gap), facts(latency([ms, count]), gap), ['fact.count: is new']],
    [
      'a kind of fact is gone',
      facts(latency([ms]), gap),
      facts(latency([ms])),
      ['fact: obstream.window.v1.Gap', 'Keep it in the union'],
    ],
  ]

  test.each(changes)('%s', async (_, from, next, parts) => {
    expect(await evolve(from, next)).toEqual(refused(...parts))
  })

  test('a field that was renamed with an alias is not the one to blame', async () => {
    const origin = { name: 'origin', type: 'string', aliases: ['source'] }
    const next = schemaWith([origin, { ...count, type: 'string' }, kind])
    expect(await evolve(base, next)).toEqual(refused('count: int became string'))
  })

  test('what is refused is not kept', async () => {
    const store = new MemorySchemaStore()
    const registry = openEmbeddedRegistry(store)
    await registry.register(subject, base)
    await expect(registry.register(subject, schemaWith([{ name: 'new', type: 'int' }]))).rejects.toEqual(
      refused('new: is new'),
    )
    expect(store.all()).toHaveLength(1)
  })

  test('what is no Avro schema is refused', async () => {
    await expect(newRegistry().register(subject, { type: 'recrod' })).rejects.toEqual(
      refused('no Avro schema', 'recrod'),
    )
  })
})
