import { getEventListeners } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import tls from 'node:tls'
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import type { Classified } from '#lib/delivery/classify.ts'
import { classify } from '#lib/delivery/classify.ts'
import type { DeliveryResult } from '#lib/delivery/facts.ts'
import type { HttpPoster, HttpPosterOptions, PostAnswer } from '#lib/delivery/http-post.ts'
import { openHttpPoster } from '#lib/delivery/http-post.ts'
import { eventually } from '#tests/support/eventually.ts'
import type { Behaviour, Receiver, ReceiverOptions } from '#tests/support/receiver.ts'
import { answering, inTurn, openReceiver, raw } from '#tests/support/receiver.ts'
import type { Certificate } from '#tools/kafka/certificate.ts'
import { makeCertificate } from '#tools/kafka/certificate.ts'

const SECRET_PATH = '/services/T000/B000/s3cr3t?token=t0k3n'
let own: Certificate
let otherName: Certificate
beforeAll(() => {
  own = makeCertificate()
  otherName = makeCertificate('DNS:other.example')
})

const cleanUp: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const clean of cleanUp.splice(0).toReversed()) await clean()
})

async function receiverOf(script: Behaviour = answering(200, 'ok'), options: ReceiverOptions = {}): Promise<Receiver> {
  const receiver = await openReceiver(options)
  cleanUp.push(() => receiver.close())
  receiver.follow(script)
  return receiver
}

function poster(options: Partial<HttpPosterOptions> = {}): HttpPoster {
  const opened = openHttpPoster({ allowHosts: ['127.0.0.1', 'localhost'], env: {}, timeoutMs: 5_000, ...options })
  cleanUp.push(() => opened.close())
  return opened
}

const postTo = (url: string, by = poster()): Promise<PostAnswer> => by.post({ url, headers: {}, body: '{"a":1}' })

/** Posts once to a receiver that behaves so. */
async function answerOf(script: Behaviour, options: Partial<HttpPosterOptions> = {}): Promise<PostAnswer> {
  return await postTo((await receiverOf(script)).url(SECRET_PATH), poster(options))
}

describe('a request', () => {
  test('is one POST with the headers and the very bytes that were given', async () => {
    const receiver = await receiverOf()
    const body = '{"message":"重大 🙂"}'
    const headers = { 'content-type': 'application/json', 'webhook-id': 'msg_1' }
    expect(await poster().post({ url: receiver.url(SECRET_PATH), headers, body })).toEqual({
      kind: 'answered',
      status: 200,
      retryAfter: null,
      body: 'ok',
    })
    expect(receiver.received).toHaveLength(1)
    expect(receiver.received[0]).toMatchObject({ method: 'POST', path: SECRET_PATH, headers })
    expect(receiver.received[0]!.headers).toMatchObject({
      'user-agent': 'obstream',
      'content-length': String(Buffer.byteLength(body)),
      host: `127.0.0.1:${receiver.port}`,
    })
    expect(receiver.received[0]!.body.toString()).toBe(body)
  })

  test('that HTTP cannot carry is forbidden and not sent', async () => {
    const receiver = await receiverOf()
    const headers = { authorization: 'Bearer a\r\nx-injected: 1' }
    expect(await poster().post({ url: receiver.url(), headers, body: '' })).toEqual({
      kind: 'forbidden',
      reason: expect.stringMatching(/UND_ERR_INVALID_ARG/),
    })
    expect(receiver.connections).toBe(0)
  })

  test.each(['', 'not a url', '//127.0.0.1/', 'https://', 'https://a b/'])(
    'to "%s", which is no URL, is forbidden',
    async (url) => {
      expect(await postTo(url)).toEqual({ kind: 'forbidden', reason: 'the URL cannot be read' })
    },
  )
})

/** The table of contracts for status classes, by what receivers really do; every row is met by HTTP. */
const garbage = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nnonsense'
const half = 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf'
const rows: readonly (readonly [name: string, Behaviour, DeliveryResult, Partial<Classified>])[] = [
  ['200', answering(200, 'ok'), 'accepted', { status: 200, detail: 'ok' }],
  ['202', answering(202), 'accepted', { status: 202, detail: null }],
  ['204', answering(204), 'accepted', { status: 204 }],
  ['301', answering(301, '', { location: '/elsewhere' }), 'redirect', { status: 301 }],
  ['302', answering(302, '', { location: 'http://10.0.0.1/' }), 'redirect', { status: 302 }],
  ['304', answering(304), 'redirect', { status: 304 }],
  ['307', answering(307, '', { location: '/elsewhere' }), 'redirect', { status: 307 }],
  ['308', answering(308, '', { location: 'https://127.0.0.1/' }), 'redirect', { status: 308 }],
  ['400', answering(400, 'invalid'), 'rejected', { status: 400, detail: 'invalid' }],
  ['401', answering(401), 'unauthorized', { status: 401 }],
  ['403', answering(403), 'unauthorized', { status: 403 }],
  ['404', answering(404, 'no_service'), 'rejected', { status: 404, detail: 'no_service' }],
  ['408', answering(408), 'retry', { status: 408 }],
  ['410', answering(410), 'gone', { status: 410 }],
  ['413', answering(413), 'rejected', { status: 413 }],
  ['425', answering(425), 'retry', { status: 425 }],
  ['429', answering(429, '', { 'retry-after': '7' }), 'retry', { status: 429, retryAfter: '7' }],
  ['500', answering(500), 'retry', { status: 500 }],
  [
    '503 with a date',
    answering(503, '', { 'retry-after': 'Thu, 01 Jan 1970 00:00:00 GMT' }),
    'retry',
    { status: 503, retryAfter: 'Thu, 01 Jan 1970 00:00:00 GMT' },
  ],
  [
    '503 that contradicts itself',
    answering(503, '', { 'retry-after': ['7', '9999999999'] }),
    'retry',
    { retryAfter: '7, 9999999999' },
  ],
  ['599', answering(599), 'retry', { status: 599 }],
  [
    'a status that HTTP does not know',
    raw('HTTP/1.1 999 Denied\r\ncontent-length: 0\r\n\r\n'),
    'retry',
    { status: 999 },
  ],
  [
    'early hints before the answer',
    raw('HTTP/1.1 103 Early Hints\r\nretry-after: 5\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'),
    'accepted',
    { status: 200, detail: 'ok', retryAfter: null },
  ],
  ['an answer that ends with the connection', raw('HTTP/1.1 200 OK\r\n\r\nok'), 'accepted', { detail: 'ok' }],
  ['an answer of HTTP/1.0', raw('HTTP/1.0 200 OK\r\n\r\nok'), 'accepted', { detail: 'ok' }],
  ['closed before reading', { do: 'close_before_reading' }, 'unknown', { status: null }],
  ['closed after reading', raw(''), 'unknown', { detail: 'no answer: the connection was closed (UND_ERR_SOCKET)' }],
  ['reset after reading', raw('', 'reset'), 'unknown', { detail: 'no answer: the connection was reset (ECONNRESET)' }],
  ['closed in the head', raw('HTTP/1.1 200 OK\r\ncontent-le'), 'unknown', { status: null }],
  ['closed in the body', raw(half), 'unknown', { status: null }],
  ['reset in the body', raw(half, 'reset'), 'unknown', { status: null }],
  ['chunked garbage', raw(garbage), 'unknown', { detail: 'no answer: its answer is not HTTP' }],
  ['no HTTP at all', raw('220 smtp ready\r\n'), 'unknown', { detail: 'no answer: its answer is not HTTP' }],
  // HTTP allows it; undici 8.12.4 closes the connection.
  [
    'a 100 that nobody asked for',
    raw('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n'),
    'unknown',
    { status: null },
  ],
  ['an upgrade that nobody asked for', raw('HTTP/1.1 101 X\r\nupgrade: x\r\n\r\n'), 'unknown', { status: null }],
  [
    'headers without end',
    raw(`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(20_000)}`, 'leave_open'),
    'unknown',
    { detail: 'no answer: its answer has too many headers (UND_ERR_HEADERS_OVERFLOW)' },
  ],
]

describe('a receiver that answers or does', () => {
  test.each(rows)('%s', async (_, behaviour, result, more) => {
    const answer = await answerOf(behaviour)
    expect(classify(answer)).toMatchObject({ result, ...more })
    expect(JSON.stringify(answer)).not.toContain('s3cr3t')
  })
})

describe('a redirect', () => {
  test('is not followed, not even to the same receiver', async () => {
    const receiver = await receiverOf(answering(307, '', { location: '/elsewhere' }))
    await postTo(receiver.url())
    expect(receiver.received.map(({ path }) => path)).toEqual(['/'])
  })
})

describe('the time limit', () => {
  const timeoutMs = 150
  const lost = { kind: 'lost', reason: 'no answer: no whole answer within 150 ms' }

  test.each([
    ['says nothing', { do: 'hang' }],
    ['begins an answer and goes silent', raw(half, 'leave_open')],
    ['sends a body without end, byte for byte', { do: 'drip', status: 200 }],
    ['sends early hints only', raw('HTTP/1.1 103 Early Hints\r\n\r\n', 'leave_open')],
  ] as const)('ends the wait for a receiver that %s: the answer is lost, the connection closed', async (_, script) => {
    const receiver = await receiverOf(script as Behaviour)
    expect(await postTo(receiver.url(SECRET_PATH), poster({ timeoutMs }))).toEqual(lost)
    expect(receiver.received).toHaveLength(1)
    await eventually(() => receiver.openConnections === 0)
  })

  test('does not touch an answer that is slow but in time', async () => {
    const receiver = await receiverOf()
    const gate = Promise.withResolvers<void>()
    receiver.follow({ ...answering(200, 'ok'), after: gate.promise } as Behaviour)
    const answer = postTo(receiver.url())
    await eventually(() => receiver.received.length === 1)
    gate.resolve()
    expect(await answer).toMatchObject({ status: 200 })
  })
})

describe('a sender that gives up', () => {
  test('before it has begun has sent nothing', async () => {
    const receiver = await receiverOf()
    const request = { url: receiver.url(), headers: {}, body: '' }
    expect(await poster().post(request, AbortSignal.abort())).toMatchObject({ kind: 'not_sent' })
    expect(receiver.connections).toBe(0)
  })

  test('while the receiver thinks has lost the answer, and its connection is closed', async () => {
    const receiver = await receiverOf({ do: 'hang' })
    const stop = new AbortController()
    const answer = poster().post({ url: receiver.url(), headers: {}, body: '' }, stop.signal)
    await eventually(() => receiver.received.length === 1)
    stop.abort()
    expect(await answer).toEqual({ kind: 'lost', reason: 'no answer: the sender gave up' })
    await eventually(() => receiver.openConnections === 0)
  })

  test('by closing loses what is under way, sends nothing afterwards and may close twice', async () => {
    const receiver = await receiverOf({ do: 'hang' })
    const by = poster()
    const answer = postTo(receiver.url(), by)
    await eventually(() => receiver.received.length === 1)
    await Promise.all([by.close(), by.close()])
    expect(await answer).toEqual({ kind: 'lost', reason: 'no answer: the sender was closed (UND_ERR_DESTROYED)' })
    expect(await postTo(receiver.url(), by)).toMatchObject({ kind: 'not_sent' })
    expect(receiver.received).toHaveLength(1)
  })

  test('keeps no listener on a signal that outlives many requests', async () => {
    const receiver = await receiverOf()
    const { signal } = new AbortController()
    const by = poster()
    for (let n = 0; n < 3; n++) await by.post({ url: receiver.url(), headers: {}, body: '' }, signal)
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })
})

describe('the body of an answer', () => {
  const body = async (sent: string | Uint8Array): Promise<string> => {
    const answer = await answerOf(answering(200, sent))
    return answer.kind === 'answered' ? answer.body : `${answer.kind}: ${answer.reason}`
  }

  test('is read to its end up to 64 KiB, and its connection used again', async () => {
    const receiver = await receiverOf(answering(200, 'x'.repeat(65_536)))
    const by = poster()
    expect(await postTo(receiver.url(), by)).toMatchObject({ body: 'x'.repeat(65_536) })
    await postTo(receiver.url(), by)
    expect(receiver.connections).toBe(1)
  })

  test('is cut at 64 KiB, however huge, and its connection closed', async () => {
    const receiver = await receiverOf(answering(200, Buffer.alloc(10_000_000, 'x')))
    const by = poster()
    expect(await postTo(receiver.url(), by)).toMatchObject({ status: 200, body: 'x'.repeat(65_536) })
    await eventually(() => receiver.openConnections === 0)
    receiver.follow(answering(200, 'ok'))
    expect(await postTo(receiver.url(), by)).toMatchObject({ body: 'ok' })
    expect(receiver.connections).toBe(2)
  })

  test('is cut at a code point', async () => {
    expect(await body(`x${'重'.repeat(30_000)}`)).toBe(`x${'重'.repeat(21_845)}`)
  })

  test('that is no UTF-8 is read all the same', async () => {
    expect(await body(Buffer.from([0x6f, 0xff, 0x6b, 0xe9]))).toBe('o\uFFFDk\uFFFD')
  })
})

describe('a connection', () => {
  test('is used again by one request after the other', async () => {
    const receiver = await receiverOf()
    const by = poster()
    for (let n = 0; n < 5; n++) await postTo(receiver.url(), by)
    expect(receiver.received.map(({ connection }) => connection)).toEqual([0, 0, 0, 0, 0])
    expect(receiver.connections).toBe(1)
  })

  test('carries one request at a time: a receiver that hangs holds up no other message', async () => {
    const receiver = await receiverOf()
    receiver.follow(inTurn({ do: 'hang' }, answering(200, 'ok')))
    const by = poster({ timeoutMs: 1_000 })
    const first = postTo(receiver.url(), by)
    await eventually(() => receiver.received.length === 1)
    expect(await postTo(receiver.url(), by)).toMatchObject({ status: 200 })
    expect(await first).toMatchObject({ kind: 'lost' })
  })

  test('that the receiver has closed meanwhile is not written to', async () => {
    const receiver = await receiverOf(raw('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'))
    const by = poster()
    for (let n = 0; n < 3; n++) {
      expect(await postTo(receiver.url(), by)).toMatchObject({ status: 200 })
      await eventually(() => receiver.openConnections === 0)
    }
    expect(receiver.connections).toBe(3)
  })

  test('that broke under a request is not tried again by itself', async () => {
    const receiver = await receiverOf(raw('', 'reset'))
    await postTo(receiver.url())
    expect(receiver.received).toHaveLength(1)
    expect(receiver.connections).toBe(1)
  })
})

describe('a receiver that cannot be reached', () => {
  test('since nobody listens has not got the request', async () => {
    const receiver = await receiverOf()
    const url = receiver.url(SECRET_PATH)
    await receiver.close()
    expect(await postTo(url)).toEqual({
      kind: 'not_sent',
      reason: 'not connected: nobody listens there, or a firewall refuses (ECONNREFUSED)',
    })
  })

  test('since its name does not exist has not got the request', async () => {
    expect(await postTo('https://no-such-host.invalid/s3cr3t')).toEqual({
      kind: 'not_sent',
      reason: expect.stringMatching(/^not connected: its name .* \((ENOTFOUND|EAI_AGAIN)\)$/),
    })
  })

  test('by TLS since it closes at once has not got the request', async () => {
    const receiver = await receiverOf({ do: 'close_before_reading' }, { certificate: own })
    expect(await postTo(receiver.url(SECRET_PATH))).toEqual({
      kind: 'not_sent',
      reason: 'not connected: the connection was reset (ECONNRESET)',
    })
  })

  test('by TLS since it speaks plain HTTP has not got the request', async () => {
    const receiver = await receiverOf()
    expect(await postTo(`https://127.0.0.1:${receiver.port}${SECRET_PATH}`)).toMatchObject({
      kind: 'not_sent',
      reason: expect.stringMatching(/does not speak TLS/),
    })
    expect(receiver.received).toHaveLength(0)
  })

  describe('since a TLS handshake never ends', () => {
    const connections = new Set<Socket>()

    async function silentUrl(): Promise<string> {
      const server = createServer((socket) => {
        connections.add(socket.resume().on('error', () => {}))
        socket.once('close', () => connections.delete(socket))
      })
      cleanUp.push(() => new Promise((resolve) => server.close(resolve)))
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return `https://127.0.0.1:${(server.address() as AddressInfo).port}${SECRET_PATH}`
    }

    test('within the time limit has not got the request', async () => {
      expect(await postTo(await silentUrl(), poster({ timeoutMs: 150 }))).toEqual({
        kind: 'not_sent',
        reason: 'not connected: no whole answer within 150 ms',
      })
      await eventually(() => connections.size === 0)
    })

    test('is let go at once when the sender closes', async () => {
      const by = poster({ timeoutMs: 60_000 })
      const answer = postTo(await silentUrl(), by)
      await eventually(() => connections.size === 1)
      await by.close()
      expect(await answer).toMatchObject({ kind: 'not_sent' })
      await eventually(() => connections.size === 0)
    })
  })
})

/** Trusts these beside those that Node brings along, until the test is over. */
function trust(...certificates: readonly Certificate[]): void {
  const before = tls.getCACertificates('default')
  tls.setDefaultCACertificates([...before, ...certificates.map(({ ca }) => ca)])
  cleanUp.push(async () => tls.setDefaultCACertificates(before))
}

test('a connection that is made after the sender gave up carries no request', async () => {
  trust(own)
  const receiver = await receiverOf(answering(200, 'ok'), { certificate: own })
  const gate = Promise.withResolvers<void>()
  let waiting = 0
  const slowNetwork = createServer(async (near) => {
    waiting++
    await gate.promise
    const far = connect(receiver.port, '127.0.0.1')
    near.pipe(far).on('error', () => {})
    far.pipe(near).on('error', () => {})
  })
  cleanUp.push(() => new Promise((resolve) => slowNetwork.close(resolve)))
  await new Promise<void>((resolve) => slowNetwork.listen(0, '127.0.0.1', resolve))
  const url = `https://localhost:${(slowNetwork.address() as AddressInfo).port}/`
  const stop = new AbortController()
  const answer = poster().post({ url, headers: {}, body: '' }, stop.signal)
  await eventually(() => waiting === 1)
  stop.abort()
  expect(await answer).toEqual({ kind: 'not_sent', reason: 'not connected: the sender gave up' })
  gate.resolve()
  await eventually(() => receiver.connections === 1 && receiver.openConnections === 0)
  expect(receiver.received).toHaveLength(0)
})

describe('a certificate', () => {
  test('that is trusted and of the right name is accepted, and the connection used again', async () => {
    trust(own)
    const receiver = await receiverOf(answering(200, 'ok'), { certificate: own })
    const by = poster()
    expect(await postTo(receiver.url(), by)).toMatchObject({ status: 200, body: 'ok' })
    expect(await postTo(receiver.url(), by)).toMatchObject({ status: 200 })
    expect(receiver.received.map(({ connection }) => connection)).toEqual([0, 0])
  })

  test('that signs itself: the request is not sent, is tried again, and the reason says so', async () => {
    const receiver = await receiverOf(answering(200, 'ok'), { certificate: own })
    const answer = await postTo(receiver.url(SECRET_PATH))
    expect(classify(answer)).toMatchObject({
      result: 'retry',
      detail: 'not connected: its certificate signs itself and is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT)',
    })
    expect(receiver.received).toHaveLength(0)
  })

  test('of another host: the request is not sent, is tried again, and the reason says so', async () => {
    trust(otherName)
    const receiver = await receiverOf(answering(200, 'ok'), { certificate: otherName })
    const answer = await postTo(receiver.url(SECRET_PATH))
    expect(classify(answer)).toMatchObject({
      result: 'retry',
      detail: 'not connected: its certificate is for another name (ERR_TLS_CERT_ALTNAME_INVALID)',
    })
    expect(receiver.received).toHaveLength(0)
  })
})
