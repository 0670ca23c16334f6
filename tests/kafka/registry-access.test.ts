import { randomUUID } from 'node:crypto'
import { createServer as createHttpServer, request as forward, type RequestListener, type Server } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeAll, expect } from '@jest/globals'
import { type ConfluentRegistryOptions, openConfluentRegistry } from '#lib/registry/confluent.ts'
import type { SchemaRegistry } from '#lib/registry/port.ts'
import { kafkaMissing } from '#tests/support/kafka/provider.ts'
import { sharedKafka } from '#tests/support/kafka/shared.ts'
import { testNeeding } from '#tests/support/required.ts'
import { makeCertificate } from '#tools/kafka/certificate.ts'

const missing = kafkaMissing()
const USER = 'obstream'
const PASSWORD = 'correct horse'
const schema = { type: 'record', name: 'Window', fields: [{ name: 'source', type: 'string' }] }

let registryUrl: URL
const started: Server[] = []

if (missing === undefined)
  beforeAll(async () => {
    registryUrl = new URL((await sharedKafka()).registryUrl)
  }, 180_000)
afterEach(() => {
  for (const server of started.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

/** As people put a proxy before a registry: it lets in who knows the password, and passes the rest on. */
const guarded: RequestListener = (incoming, outgoing) => {
  if (incoming.headers.authorization !== `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}`) {
    outgoing.writeHead(401).end('{"error_code":401,"message":"Unauthorized"}')
    return
  }
  const { method, headers, url } = incoming
  const { hostname, port } = registryUrl
  incoming.pipe(
    forward({ hostname, port, method, headers, path: url }, (answer) => {
      outgoing.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(outgoing)
    }),
  )
}

async function listen(server: Server, scheme: 'http' | 'https'): Promise<string> {
  started.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}${registryUrl.pathname}`
}

function connect(options: Pick<ConfluentRegistryOptions, 'url'> & Partial<ConfluentRegistryOptions>): SchemaRegistry {
  const prefix = `${randomUUID().slice(0, 8)}.`
  return openConfluentRegistry({ prefix, ca: null, credentials: null, waitMs: 2000, ...options })
}

testNeeding(
  missing,
  'user and password open the door; a wrong password is refused at once and told to nobody',
  async () => {
    const url = await listen(createHttpServer(guarded), 'http')
    const known = connect({ url, credentials: { username: USER, password: PASSWORD } })
    expect(await known.register('a-value', schema)).toBeGreaterThan(0)
    for (const credentials of [null, { username: USER, password: 'guessed' }]) {
      const error = await connect({ url, credentials })
        .register('a-value', schema)
        .catch((reason: Error) => reason)
      expect(error).toMatchObject({ code: 'OBS_REGISTRY_ACCESS_DENIED', exitCode: 78, retryable: false })
      expect(String(error)).toContain(url)
      expect(String(error)).toContain('registry.password_env')
      expect(String(error)).not.toMatch(/guessed|correct horse/)
    }
  },
)

testNeeding(missing, 'over https a registry is trusted by its certificate, or not at all', async () => {
  const { keystore, ca } = makeCertificate()
  const url = await listen(createHttpsServer({ key: keystore, cert: keystore }, guarded), 'https')
  const credentials = { username: USER, password: PASSWORD }
  expect(await connect({ url, ca, credentials }).register('a-value', schema)).toBeGreaterThan(0)
  await expect(connect({ url, credentials }).register('a-value', schema)).rejects.toMatchObject({
    code: 'OBS_REGISTRY_UNAVAILABLE',
    message: expect.stringContaining('self-signed certificate'),
  })
})
