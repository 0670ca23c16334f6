import { randomUUID } from 'node:crypto'
import { beforeAll, describe, expect } from '@jest/globals'
import { SchemaRegistry as Library } from '@kafkajs/confluent-schema-registry'
import { openCodec } from '#lib/codec/avro.ts'
import { openConfluentRegistry } from '#lib/registry/confluent.ts'
import type { AvroSchema, SchemaRegistry } from '#lib/registry/port.ts'
import { SECOND_MS } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { kafkaMissing } from '#tests/support/kafka/provider.ts'
import { sharedKafka } from '#tests/support/kafka/shared.ts'
import { testNeeding } from '#tests/support/required.ts'

const missing = kafkaMissing()
const subject = 'obs.window.v1-value'
let url: string

if (missing === undefined)
  beforeAll(async () => {
    url = (await sharedKafka()).registryUrl
  }, 180_000)

const freshPrefix = (): string => `${randomUUID().slice(0, 8)}.`

/** A client of its own, as another process would have it. */
function connect(prefix: string): SchemaRegistry {
  return openConfluentRegistry({ url, prefix, ca: null, credentials: null, waitMs: 10 * SECOND_MS })
}

function schemaWith(...fields: readonly object[]): AvroSchema {
  return { type: 'record', name: 'Window', namespace: 'obstream.window.v1', fields }
}

/** Of starts at one moment; in about every second somebody is told of a conflict. */
const ROUNDS = 5

const source = { name: 'source', type: 'string' }
const count = { name: 'count', type: 'int' }
const late = { name: 'late', type: 'boolean' }

/** What the registry itself answers. */
async function ask(path: string, method = 'GET', body?: object): Promise<unknown> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(10_000),
  })
  return response.json()
}

describe('ids', () => {
  testNeeding(missing, 'are the same for the same schema, whoever registers it', async () => {
    const prefix = freshPrefix()
    const [one, other] = [connect(prefix), connect(prefix)]
    const id = await one.register(subject, schemaWith(source, count))
    expect(await other.register(subject, schemaWith(source, count))).toBe(id)
    expect(await other.schema(id)).toEqual(schemaWith(source, count))
  })

  testNeeding(missing, 'are the same also when many register it first, at the same moment', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const prefix = freshPrefix()
      const ids = await Promise.all(
        Array.from({ length: 8 }, () => connect(prefix).register(subject, schemaWith(source, count))),
      )
      expect(new Set(ids).size).toBe(1)
    }
  })

  testNeeding(missing, 'stay those of a schema that is no longer the newest', async () => {
    const prefix = freshPrefix()
    const id = await connect(prefix).register(subject, schemaWith(source))
    await connect(prefix).register(subject, schemaWith(source, { ...late, default: false }))
    expect(await connect(prefix).register(subject, schemaWith(source))).toBe(id)
  })
})

describe('a subject', () => {
  testNeeding(missing, 'belongs to one desk: another with its own prefix has schemas of its own', async () => {
    const [tokyo, london] = [freshPrefix(), freshPrefix()]
    await connect(tokyo).register(subject, schemaWith(source, count))
    await connect(london).register(subject, schemaWith(source, { ...count, type: 'string' }))
    expect(await ask(`/subjects/${tokyo}${subject}/versions`)).toEqual([1])
    expect(await ask(`/subjects/${london}${subject}/versions`)).toEqual([1])
  })

  testNeeding(missing, 'is held to the oldest of its schemas from the first one on', async () => {
    const prefix = freshPrefix()
    await connect(prefix).register(subject, schemaWith(source))
    expect(await ask(`/config/${prefix}${subject}`)).toEqual({ compatibilityLevel: 'BACKWARD_TRANSITIVE' })
  })

  testNeeding(missing, 'keeps a stricter rule that somebody has set', async () => {
    const prefix = freshPrefix()
    await connect(prefix).register(subject, schemaWith(source))
    await ask(`/config/${prefix}${subject}`, 'PUT', { compatibility: 'FORWARD' })
    await connect(prefix).register(subject, schemaWith(source))
    expect(await ask(`/config/${prefix}${subject}`)).toEqual({ compatibilityLevel: 'FULL_TRANSITIVE' })
  })
})

describe('a schema that cannot read what was written before is refused', () => {
  testNeeding(missing, 'with the field and what to do', async () => {
    const prefix = freshPrefix()
    const id = await connect(prefix).register(subject, schemaWith(source))
    await expect(connect(prefix).register(subject, schemaWith(source, late))).rejects.toMatchObject({
      code: 'OBS_REGISTRY_INCOMPATIBLE',
      message: `the new schema of ${prefix}${subject} cannot read what was written with schema ${id}: late: is new and has no default. Give it a default, or its old name as an alias if it was renamed.`,
    })
    expect(await ask(`/subjects/${prefix}${subject}/versions`)).toEqual([1])
  })

  testNeeding(missing, 'also when only an older one than the newest is in its way', async () => {
    const prefix = freshPrefix()
    const oldest = await connect(prefix).register(subject, schemaWith(source))
    await connect(prefix).register(subject, schemaWith(source, { ...late, default: false }))
    await expect(connect(prefix).register(subject, schemaWith(source, late))).rejects.toMatchObject({
      code: 'OBS_REGISTRY_INCOMPATIBLE',
      message: expect.stringContaining(`written with schema ${oldest}: late: is new`),
    })
  })

  testNeeding(missing, 'also when somebody has deleted those between', async () => {
    const prefix = freshPrefix()
    const oldest = await connect(prefix).register(subject, schemaWith(source))
    await connect(prefix).register(subject, schemaWith(source, { ...late, default: false }))
    await connect(prefix).register(subject, schemaWith(source, { ...late, default: true }))
    expect(await ask(`/subjects/${prefix}${subject}/versions/2`, 'DELETE')).toBe(2)
    await expect(connect(prefix).register(subject, schemaWith(source, late))).rejects.toMatchObject({
      code: 'OBS_REGISTRY_INCOMPATIBLE',
      message: expect.stringContaining(`written with schema ${oldest}: late: is new`),
    })
  })
})

testNeeding(missing, 'the registry library itself reads what a codec wrote', async () => {
  const codec = await openCodec(topics.plan, connect(freshPrefix()))
  const bytes = codec.encode({ canonicalJson: '{"engine":1}' })
  expect(await new Library({ host: url }).decode(bytes)).toEqual({ canonical_json: '{"engine":1}' })
})
