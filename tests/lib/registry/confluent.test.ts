import dns from 'node:dns'
import { once } from 'node:events'
import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, jest, test } from '@jest/globals'
import { openConfluentRegistry } from '#lib/registry/confluent.ts'
import type { AvroSchema, SchemaRegistry } from '#lib/registry/port.ts'
import { eventually } from '#tests/support/eventually.ts'

/** What a registry does when it is not well; what it does when it is well is asked of a real one in tests/kafka. */

const subject = 'obs.window.v1-value'
const schema: AvroSchema = { type: 'record', name: 'Window', fields: [{ name: 'source', type: 'string' }] }
const WAIT_MS = 1000

const servers: Server[] = []
const sockets = new Set<Socket>()
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
  for (const socket of sockets) socket.destroy()
})

async function listen(server: Server, port = 0): Promise<string> {
  servers.push(server)
  server.on('connection', (socket: Socket) => sockets.add(socket.on('close', () => sockets.delete(socket))))
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const serve = (answer: RequestListener, port?: number): Promise<string> => listen(createHttpServer(answer), port)

/** An address that nobody listens on. */
async function nobody(): Promise<string> {
  const server = createTcpServer()
  const url = await listen(server)
  server.close()
  await once(server, 'close')
  return url
}

function connect(url: string, more: { readonly waitMs?: number; readonly onWait?: (reason: string) => void } = {}) {
  return openConfluentRegistry({ url, prefix: '', ca: null, credentials: null, waitMs: WAIT_MS, ...more })
}

/** The error of a request, and how long it took to come. */
async function failureOf(request: Promise<unknown>): Promise<{ readonly error: unknown; readonly tookMs: number }> {
  const startedAt = performance.now()
  const error = await request.then(
    () => 'no error',
    (reason: unknown) => reason,
  )
  return { error, tookMs: performance.now() - startedAt }
}

/** Answers that a registry which is well never gives, and what is said about them. */
const unwell: readonly [string, RequestListener, string][] = [
  ['says nothing at all', () => {}, 'no answer in time'],
  [
    'stops in the middle of an answer',
    (_, response) => void response.writeHead(200, { 'content-length': 100 }).write('{'),
    'no answer in time',
  ],
  [
    'breaks the connection in the middle of an answer',
    (_, response) => {
      response.writeHead(200, { 'content-length': 100 }).write('{')
      setImmediate(() => response.destroy())
    },
    'no answer in time',
  ],
  ['breaks the connection at once', (request) => void request.socket.destroy(), 'socket hang up'],
  ['answers 500 with null', (_, response) => void response.writeHead(500).end('null'), 'answered 500'],
  ['answers 503 without a word', (_, response) => void response.writeHead(503).end(), 'answered 503'],
  ['sends us elsewhere', (_, response) => void response.writeHead(302, { location: '/login' }).end(), 'answered 302'],
  ['answers with a page', (_, response) => void response.end('<html>'), 'answered 200'],
  [
    'is another server, which knows no such path',
    (_, response) => void response.writeHead(404).end('{"message":"no such path"}'),
    'answered 404',
  ],
]

describe('a start waits, and ends by its deadline, when the registry', () => {
  async function expectDeadline(url: string, reason: string): Promise<void> {
    const { error, tookMs } = await failureOf(connect(url).register(subject, schema))
    expect(error).toMatchObject({ code: 'OBS_REGISTRY_UNAVAILABLE', exitCode: 69, retryable: true })
    const { message } = error as Error
    expect(message).toContain(`the schema registry ${url} `)
    expect(message).toContain(reason)
    expect(message).toContain(`Waited 1s for an id for the schema of ${subject}`)
    expect(tookMs).toBeGreaterThan(WAIT_MS * 0.9)
  }

  test('is away', async () => {
    await expectDeadline(await nobody(), 'ECONNREFUSED')
  })

  test('is away under a name that stands for several addresses', async () => {
    const both = ['127.0.0.1', '127.0.0.2'].map((address) => ({ address, family: 4 }))
    const lookup = (_host: string, _options: object, found: (error: null, addresses: object) => void): void =>
      found(null, both)
    const spy = jest.spyOn(dns, 'lookup').mockImplementation(lookup as never)
    try {
      const port = portOf(await nobody())
      await expectDeadline(
        `http://registry.test:${port}`,
        `ECONNREFUSED 127.0.0.1:${port}, connect ECONNREFUSED 127.0.0.2:${port}`,
      )
    } finally {
      spy.mockRestore()
    }
  })

  test.each(unwell)('%s', async (_, answer, reason) => {
    await expectDeadline(await serve(answer), reason)
  })
})

test('the wait begins with its reason, once, and ends when the registry comes', async () => {
  const url = await nobody()
  const told: string[] = []
  const registry = connect(url, { waitMs: 20_000, onWait: (reason) => told.push(reason) })
  const schemaOf7 = registry.schema(7)
  await eventually(() => registry.waitsFor !== null)
  expect(registry.waitsFor).toContain('ECONNREFUSED')
  await serve((_, response) => void response.end(JSON.stringify({ schema: JSON.stringify(schema) })), portOf(url))
  expect(await schemaOf7).toEqual(schema)
  expect(registry.waitsFor).toBeNull()
  expect(told).toEqual([expect.stringContaining(`${url} cannot be reached`)])
  expect(told[0]).toContain('waits 20s for schema 7')
})

test('a text that is no JSON is a fault of the registry, not of the record', async () => {
  const registry = connect(await serve((_, response) => void response.end('{"schema":"{\\"type\\":"}')))
  const { error } = await failureOf(registry.schema(7))
  expect(error).toMatchObject({ code: 'OBS_REGISTRY_UNAVAILABLE' })
  expect((error as Error).message).toContain('holds no JSON as schema 7')
})

test('nobody waits any more for a schema that was waited for in vain; asked for again, it may be known', async () => {
  let isKnown = false
  const url = await serve((_, response) => {
    response.writeHead(isKnown ? 200 : 404).end(JSON.stringify({ schema: '{"type":"string"}' }))
  })
  const registry = connect(url)
  const { error } = await failureOf(registry.schema(7))
  expect(error).toMatchObject({ code: 'OBS_REGISTRY_UNAVAILABLE' })
  expect((error as Error).message).toContain('does not know schema 7, perhaps not yet')
  expect(registry.waitsFor).toBeNull()
  isKnown = true
  expect(await registry.schema(7)).toEqual({ type: 'string' })
})

test('whoever waits can be told to stop, also while an answer is owed', async () => {
  const registry = connect(await serve(() => {}), { waitMs: 60_000 })
  const stopping = new AbortController()
  const asked = failureOf(registry.schema(7, stopping.signal))
  await eventually(() => sockets.size > 0)
  const reason = new Error('the service is stopping')
  stopping.abort(reason)
  expect((await asked).error).toBe(reason)
})

test('what was asked for once is known for ever', async () => {
  let asked = 0
  const url = await serve((request, response) => {
    asked++
    const answer = request.url?.startsWith('/config') ? { compatibilityLevel: 'FULL_TRANSITIVE' } : { id: 3 }
    response.end(JSON.stringify(request.url?.startsWith('/schemas') ? { schema: JSON.stringify(schema) } : answer))
  })
  const registry: SchemaRegistry = connect(url)
  expect(await registry.register(subject, schema)).toBe(3)
  expect(await registry.schema(3)).toEqual(schema)
  const before = asked
  expect(await registry.register(subject, structuredClone(schema))).toBe(3)
  expect(await registry.schema(3)).toEqual(schema)
  expect(asked).toBe(before)
})

test('a schema of another language than Avro is one that no reader can use, not one to wait for', async () => {
  const url = await serve((_, response) => {
    response.end(JSON.stringify({ schema: 'message A {}', schemaType: 'PROTOBUF' }))
  })
  expect(await connect(url).schema(7)).toEqual({ type: 'PROTOBUF' })
})

const portOf = (url: string): number => Number(new URL(url).port)
