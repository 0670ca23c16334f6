import { describe, expect, test } from '@jest/globals'
import { openCodec, UnknownSchemaError } from '#lib/codec/avro.ts'
import { loadTopicSchema } from '#lib/codec/avro-schema.ts'
import { isObstreamError } from '#lib/errors.ts'
import type { AvroSchema, SchemaRegistry } from '#lib/registry/port.ts'
import { topics } from '#lib/topics.ts'
import { errorOf, golden, goldenValue, invalid, newRegistry, openFor, probe } from './golden-values.ts'

describe('schemas of other versions', () => {
  const withoutLag = changedProbe((fields) => fields.filter((field) => field['name'] !== 'lag_ms'))

  test('an id that was not met before asks to be learnt, and is no bad record', async () => {
    const codec = await openFor(topics.sample)
    const error = errorOf(() => codec.decode(Buffer.from(`0000000007${golden('tick').hex}`, 'hex')))
    expect(error).toBeInstanceOf(UnknownSchemaError)
    expect((error as UnknownSchemaError).id).toBe(7)
    expect(isObstreamError(error)).toBe(false)
  })

  test('an older schema is read, with defaults for what it lacked', async () => {
    const registry = newRegistry()
    await registry.register('obs.sample.v1-value', withoutLag)
    const codec = await openCodec(topics.sample, registry)
    expect([codec.schemaId, codec.isCurrent(1), codec.isCurrent(2)]).toEqual([2, false, true])
    // Union branch 0, ok, scheduled at 1, ordinal 0, latency null, measured at 2, error code null.
    const old = Buffer.from('0000000001' + '00' + '00' + '02' + '00' + '00' + '04' + '00', 'hex')
    expect(() => codec.decode(old)).toThrow(UnknownSchemaError)
    await codec.learn(1)
    const expected = { ...probe, scheduledAt: 1, latencyMs: null, measuredAt: 2 }
    expect(codec.decode(old)).toEqual(expected)
    expect(codec.decode(codec.encode(expected))).toEqual(expected)
  })

  test('a newer schema is read as far as ours goes', async () => {
    const registry = newRegistry()
    const codec = await openCodec(topics.sample, registry)
    const newer = changedProbe((fields) => [
      ...fields,
      { name: 'region_code', type: ['null', 'string'], default: null },
    ])
    const id = await registry.register('obs.sample.v1-value', newer)
    await codec.learn(id)
    // As below, with a region at the end: branch 1, one byte, `j`.
    const bytes = Buffer.from('0000000002' + '00' + '00' + '02' + '00' + '00' + '04' + '00' + '00' + '02026a', 'hex')
    expect(codec.decode(bytes)).toEqual({ ...probe, scheduledAt: 1, latencyMs: null, measuredAt: 2 })
  })

  test('a schema that ours cannot read makes its records bad, and says why', async () => {
    const registry = newRegistry()
    const plans = await openCodec(topics.plan, registry)
    const codec = await openCodec(topics.sample, registry)
    await codec.learn(plans.schemaId)
    const plan = plans.encode({ canonicalJson: '{}' })
    expect(errorOf(() => codec.decode(plan))).toEqual(invalid(`schema ${plans.schemaId}: our schema cannot read it`))
  })

  test('what the registry holds may be no schema at all', async () => {
    const nonsense: AvroSchema = { type: 'record', name: 'A', fields: [{ name: '__proto__', type: 'string' }] }
    const registry: SchemaRegistry = { register: async () => 1, schema: async () => nonsense, waitsFor: null }
    const codec = await openCodec(topics.sample, registry)
    await codec.learn(2)
    expect(errorOf(() => codec.decode(Buffer.from('000000000200', 'hex')))).toEqual(invalid('__proto__'))
  })

  test('a registry that is away leaves nothing behind: later the id is learnt', async () => {
    const registry = newRegistry()
    const codec = await openCodec(topics.sample, registry)
    const unknown = Buffer.from(`0000000002${golden('tick').hex}`, 'hex')
    await expect(codec.learn(2)).rejects.toMatchObject({ code: 'OBS_REGISTRY_UNAVAILABLE' })
    expect(() => codec.decode(unknown)).toThrow(UnknownSchemaError)
    await registry.register(
      'obs.sample.v1-value',
      changedProbe((fields) => fields.slice(0, -1)),
    )
    await codec.learn(2)
    expect(codec.decode(unknown)).toEqual(goldenValue('tick'))
  })

  test('a schema is fetched once', async () => {
    let asked = 0
    const inner = newRegistry()
    const registry: SchemaRegistry = {
      register: inner.register,
      waitsFor: null,
      schema(id) {
        asked++
        return inner.schema(id)
      },
    }
    const codec = await openCodec(topics.sample, registry)
    await registry.register('obs.sample.v1-value', withoutLag)
    for (let i = 0; i < 3; i++) await codec.learn(2)
    await codec.learn(codec.schemaId)
    expect(asked).toBe(1)
  })
})

/** The schema of samples with other fields in a probe. */
function changedProbe(change: (fields: readonly Record<string, unknown>[]) => unknown): AvroSchema {
  const schema = structuredClone(loadTopicSchema(topics.sample)) as { fields: { type: { fields: unknown }[] }[] }
  const branch = schema.fields[0]!.type[0]!
  branch.fields = change(branch.fields as Record<string, unknown>[])
  return schema as unknown as AvroSchema
}
