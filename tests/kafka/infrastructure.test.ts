import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, describe, expect } from '@jest/globals'
import { eventually } from '#tests/support/eventually.ts'
import { Kcat, kcatMissing } from '#tests/support/kafka/kcat.ts'
import { kafkaMissing, startCluster, startRegistry } from '#tests/support/kafka/provider.ts'
import { sharedKafka } from '#tests/support/kafka/shared.ts'
import { testNeeding } from '#tests/support/required.ts'
import type { KafkaCluster, SchemaRegistry } from '#tools/kafka/server.ts'

const missing = kafkaMissing() ?? kcatMissing()
const MINUTES_3 = 180_000

/** Where the servers of this file keep their data: other runs on this machine have theirs beside it. */
const folder = mkdtempSync(join(tmpdir(), 'obstream-infrastructure-'))
process.env['TMPDIR'] = folder
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const nothing = async () => {}
let stop: () => Promise<void> = nothing
afterEach(async () => {
  await stop()
  stop = nothing
}, MINUTES_3)

/** Topics come into being when they are first written, as kcat cannot make any. */
const settings = { 'auto.create.topics.enable': 'true' }

async function cluster(options: Parameters<typeof startCluster>[0] = {}): Promise<KafkaCluster> {
  const started = await startCluster({ ...options, settings: { ...settings, ...options.settings } })
  stop = started.stop
  return started
}

describe('a broker', () => {
  testNeeding(
    missing,
    'keeps what it has acknowledged through SIGKILL and restart, at the same address',
    async () => {
      const kafka = await cluster()
      const kcat = new Kcat(kafka.bootstrap)
      await kcat.produce('t', 'a', 'b')
      await kafka.broker(1).kill('SIGKILL')
      await expect(refuses(kafka.bootstrap[0]!)).resolves.toBe(true)
      await kafka.broker(1).restart()
      await kcat.produce('t', 'c')
      expect(await kcat.consume('t')).toEqual(['a', 'b', 'c'])
    },
    MINUTES_3,
  )

  testNeeding(
    missing,
    'answers nothing while it is paused, and goes on where it was',
    async () => {
      const kafka = await cluster()
      const kcat = new Kcat(kafka.bootstrap)
      await kcat.produce('t', 'a')
      await kafka.broker(1).pause()
      const impatient = new Kcat(kafka.bootstrap, { 'message.timeout.ms': '1500' })
      await expect(impatient.produce('t', 'lost')).rejects.toThrow(/Delivery failed/)
      await kafka.broker(1).resume()
      await kcat.produce('t', 'b')
      expect(await kcat.consume('t')).toEqual(expect.arrayContaining(['a', 'b']))
    },
    MINUTES_3,
  )

  testNeeding(
    missing,
    'lets in who knows the password, over a connection that is encrypted, and nobody else',
    async () => {
      // Not SCRAM: librdkafka before 2.6.1 sends a wrong nonce, and brokers from 4.0 on look at it.
      const kafka = await cluster({ security: { sasl: 'plain', tls: true } })
      const { username, password } = kafka.credentials!
      const known = {
        'security.protocol': 'sasl_ssl',
        'sasl.mechanism': 'PLAIN',
        'sasl.username': username,
        'sasl.password': password,
        'ssl.ca.pem': kafka.ca!,
      }
      await new Kcat(kafka.bootstrap, known).produce('t', 'a')
      expect(await new Kcat(kafka.bootstrap, known).consume('t')).toEqual(['a'])
      const stranger = new Kcat(kafka.bootstrap, { ...known, 'sasl.password': 'guessed', 'message.timeout.ms': '3000' })
      await expect(stranger.produce('t', 'b')).rejects.toThrow(/Invalid username or password/)
    },
    MINUTES_3,
  )

  testNeeding(
    missing,
    'that cannot start shows its last lines, and leaves nothing behind',
    async () => {
      await expect(startCluster({ settings: { 'log.retention.ms': 'soon' } })).rejects.toThrow(
        /Invalid value soon for configuration log.retention.ms/,
      )
      expect(readdirSync(folder)).toEqual([])
    },
    MINUTES_3,
  )
})

testNeeding(
  missing,
  'of three brokers two elect a new leader when one is killed, and the third catches up',
  async () => {
    const kafka = await cluster({ brokers: 3 })
    const kcat = new Kcat(kafka.bootstrap)
    await kcat.produce('t', 'a')
    const leader = await kcat.leader('t')
    await kafka.broker(leader).kill('SIGKILL')
    const next = await eventually(async () => {
      const now = await kcat.leader('t')
      return now !== leader && now > 0 && now
    }, 60_000)
    await kcat.produce('t', 'b')
    await kafka.broker(leader).restart()
    await kafka.broker(next).kill('SIGTERM')
    expect(await kcat.consume('t')).toEqual(['a', 'b'])
  },
  MINUTES_3,
)

describe('a registry', () => {
  const v1 = { type: 'record', name: 'r', fields: [{ name: 'x', type: 'int' }] }
  const incompatible = { type: 'record', name: 'r', fields: [{ name: 'x', type: 'string' }] }

  async function register({ url }: SchemaRegistry, schema: object): Promise<number> {
    const response = await fetch(`${url}/subjects/t-value/versions`, {
      method: 'POST',
      headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
      body: JSON.stringify({ schema: JSON.stringify(schema) }),
      signal: AbortSignal.timeout(30_000),
    })
    return response.status
  }

  testNeeding(
    missing,
    'takes a schema, refuses one that cannot read it with 409, and still does so after SIGKILL and restart',
    async () => {
      const registry = await startRegistry()
      stop = registry.stop
      expect(await register(registry, v1)).toBe(200)
      expect(await register(registry, incompatible)).toBe(409)
      await registry.kill('SIGKILL')
      await registry.restart()
      expect(await register(registry, incompatible)).toBe(409)
    },
    MINUTES_3,
  )
})

testNeeding(
  missing,
  'all tests of a run share one broker and one registry',
  async () => {
    const [one, two] = await Promise.all([sharedKafka(), sharedKafka()])
    expect(one).toEqual(two)
    expect(await refuses(one.bootstrap)).toBe(false)
    expect((await fetch(`${one.registryUrl}/subjects`)).status).toBe(200)
  },
  MINUTES_3,
)

testNeeding(
  missing,
  'no server outlives a test process that is killed',
  async () => {
    const script = fileURLToPath(new URL('../support/kafka/orphan-process.ts', import.meta.url))
    const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = once(child, 'close').then(() => [''])
    const [printed] = await Promise.race([once(child.stdout.setEncoding('utf8'), 'data'), ended])
    expect(printed).toMatch(/^\d+\n$/)
    const server = `/proc/${printed.trim()}`
    expect(existsSync(server)).toBe(true)
    child.kill('SIGKILL')
    await eventually(() => !existsSync(server))
  },
  MINUTES_3,
)

/** Whether nobody listens there. */
function refuses(address: string): Promise<boolean> {
  const [host, port] = address.split(':')
  const socket = connect({ host: host!, port: Number(port) })
  return new Promise((resolve, reject) => {
    socket.once('connect', () => resolve(false))
    socket.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'ECONNREFUSED' ? resolve(true) : reject(error),
    )
  }).finally(() => socket.destroy()) as Promise<boolean>
}
