import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from '@jest/globals'
import { type HttpPoster, openHttpPoster } from '#lib/delivery/http-post.ts'
import { type SigningSecrets, signMessage } from '#lib/delivery/signature.ts'
import { MINUTE_MS } from '#lib/time.ts'
import { eventually } from '#tests/support/eventually.ts'

/** The receiver that docs/notifications.md shows, as it stands there; our own poster tells it. */

const EXAMPLE = fileURLToPath(new URL('../../examples/receiver.mjs', import.meta.url))
const [OLD, NEW] = ['old', 'new'].map((key) => `whsec_${Buffer.alloc(32, key).toString('base64')}`) as [string, string]
const BODY = '{"type":"obs.alert.opened","message":"重大 🙂"}'

const cleanUp: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const clean of cleanUp.splice(0).toReversed()) await clean()
})

function start(env: Readonly<Record<string, string>>): ChildProcess {
  const child = spawn(process.execPath, [EXAMPLE], {
    env: { PATH: process.env['PATH'], PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = once(child, 'close')
  cleanUp.push(async () => {
    child.kill()
    await ended
  })
  return child
}

interface Sending {
  readonly id?: string
  readonly secrets?: SigningSecrets
  /** Default: what is sent. */
  readonly signed?: string
  readonly offMs?: number
  /** In place of ours. */
  readonly headers?: Readonly<Record<string, string>>
}

interface Running {
  readonly port: number
  /** What it has done, one message a line. */
  readonly handled: readonly string[]
  /** @returns the status of the answer */
  send(body: string, sending?: Sending): Promise<number | string>
}

async function startReceiver(env: Readonly<Record<string, string>> = { OBS_WEBHOOK_SECRET: NEW }): Promise<Running> {
  const lines: string[] = []
  createInterface(start(env).stdout!).on('line', (line) => lines.push(line))
  const first = await eventually(() => lines[0])
  const port = Number(first.replace('listening on ', ''))
  const poster: HttpPoster = openHttpPoster({ allowHosts: ['127.0.0.1'], env: {} })
  cleanUp.push(() => poster.close())
  return {
    port,
    get handled() {
      return lines.slice(1)
    },
    async send(body, { id = 'msg_1', secrets = { current: NEW }, signed = body, offMs = 0, headers = {} } = {}) {
      const signature = signMessage({ id, at: Date.now() + offMs, body: signed }, secrets)
      const url = `http://127.0.0.1:${port}/`
      const answer = await poster.post({ url, headers: { ...signature, ...headers }, body })
      return answer.kind === 'answered' ? answer.status : `${answer.kind}: ${answer.reason}`
    },
  }
}

/** All lines have come once that of a message sent after them has. */
async function handledBy(receiver: Running): Promise<readonly string[]> {
  expect(await receiver.send(BODY, { id: 'msg_last' })).toBe(204)
  await eventually(() => receiver.handled.includes('msg_last obs.alert.opened'))
  return receiver.handled.slice(0, -1)
}

describe('the example of a receiver', () => {
  test('accepts and handles a message of ours', async () => {
    const receiver = await startReceiver()
    expect(await receiver.send(BODY)).toBe(204)
    expect(await handledBy(receiver)).toEqual(['msg_1 obs.alert.opened'])
  })

  test('accepts a second copy, of a later attempt, and handles it once', async () => {
    const receiver = await startReceiver()
    expect(await receiver.send(BODY, { offMs: -MINUTE_MS })).toBe(204)
    expect(await receiver.send(BODY)).toBe(204)
    expect(await receiver.send(BODY, { id: 'msg_2' })).toBe(204)
    expect(await handledBy(receiver)).toEqual(['msg_1 obs.alert.opened', 'msg_2 obs.alert.opened'])
  })

  test('refuses and does not handle what is not ours', async () => {
    const receiver = await startReceiver()
    const { 'webhook-signature': signature } = signMessage(
      { id: 'msg_1', at: Date.now(), body: BODY },
      { current: NEW },
    )
    const refused: readonly Sending[] = [
      { signed: BODY.replace('opened', 'openeD') },
      { offMs: -6 * MINUTE_MS },
      { offMs: 6 * MINUTE_MS },
      { secrets: { current: OLD } },
      { headers: { 'webhook-id': 'msg_2' } },
      { headers: { 'webhook-timestamp': '' } },
      { offMs: Number.NaN },
      { headers: { 'webhook-signature': '' } },
      { headers: { 'webhook-signature': signature!.replace('v1,', 'v2,') } },
      // Without webhook-signature, X-OBS-Signature alone could be anybody's copy.
      { secrets: { current: "It's a Secret to Everybody" } },
    ]
    for (const sending of refused)
      expect({ sending, status: await receiver.send(BODY, sending) }).toEqual({ sending, status: 401 })
    expect(await handledBy(receiver)).toEqual([])
  })

  test('accepts either secret while they are rotated, then the new one only', async () => {
    const rotating = await startReceiver({ OBS_WEBHOOK_SECRET: NEW, OBS_WEBHOOK_SECRET_PREVIOUS: OLD })
    expect(await rotating.send(BODY, { id: 'msg_1', secrets: { current: OLD } })).toBe(204)
    expect(await rotating.send(BODY, { id: 'msg_2', secrets: { current: NEW, previous: OLD } })).toBe(204)
    expect(await rotating.send(BODY, { id: 'msg_3' })).toBe(204)
    const afterwards = await startReceiver({ OBS_WEBHOOK_SECRET: NEW })
    expect(await afterwards.send(BODY, { secrets: { current: OLD } })).toBe(401)
    expect(await afterwards.send(BODY, { secrets: { current: NEW, previous: OLD } })).toBe(204)
  })

  test('asks for a message again that it could not handle', async () => {
    const receiver = await startReceiver()
    expect(await receiver.send('no JSON')).toBe(500)
    expect(await receiver.send(BODY)).toBe(204)
    expect(await handledBy(receiver)).toEqual(['msg_1 obs.alert.opened'])
  })

  test('lives on when a message is too large, or breaks off', async () => {
    const receiver = await startReceiver()
    expect(await receiver.send('x'.repeat(2 ** 20 + 1))).toBe(413)
    const socket = connect(receiver.port, '127.0.0.1')
    await once(socket, 'connect')
    socket.write('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nhalf')
    socket.resetAndDestroy()
    await once(socket, 'close')
    expect(await handledBy(receiver)).toEqual([])
  })

  test.each([{}, { OBS_WEBHOOK_SECRET: '' }, { OBS_WEBHOOK_SECRET: 'whsec_' }, { OBS_WEBHOOK_SECRET: 'x'.repeat(40) }])(
    'does not start with %j, for then anybody could sign',
    async (env) => {
      const child = start(env)
      let stderr = ''
      child.stderr!.on('data', (text) => {
        stderr += text
      })
      expect(await once(child, 'close')).toEqual([1, null])
      expect(stderr).toContain('must be a whsec_ secret')
    },
  )
})
