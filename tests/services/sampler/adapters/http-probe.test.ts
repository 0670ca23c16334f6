import type { RequestListener, Server } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { createServer as createTcpServer } from 'node:net'
import { afterEach, describe, expect, test } from '@jest/globals'
import { systemClock } from '#lib/runtime/clock.ts'
import type { HttpTarget } from '#services/sampler/adapters/http-probe.ts'
import { MAX_BODY_BYTES, probeHttp } from '#services/sampler/adapters/http-probe.ts'
import { LagMeter } from '#services/sampler/adapters/lag-meter.ts'
import type { Prober } from '#services/sampler/adapters/probe-pool.ts'
import { createProbePool } from '#services/sampler/adapters/probe-pool.ts'
import type { ProbeResult } from '#services/sampler/sample.ts'
import { sampleOf } from '#services/sampler/sample.ts'

const cleanUp: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const clean of cleanUp.splice(0).toReversed()) await clean()
})

function listening(server: Server | ReturnType<typeof createTcpServer>): Promise<string> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  cleanUp.push(() => {
    for (const socket of sockets) socket.destroy()
    return new Promise((resolve) => server.close(resolve))
  })
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}/ping?x=1`))
  })
}

const serve = (listener: RequestListener): Promise<string> => listening(createServer(listener))
const serveTcp = (listener: (socket: Socket) => void): Promise<string> => listening(createTcpServer(listener))

function target(url: string, more: Partial<HttpTarget> = {}): HttpTarget {
  return { url, method: 'GET', headers: {}, timeoutMs: 5_000, expectedStatus: [200], ...more }
}

function pool(script?: URL): Prober {
  const prober = createProbePool(systemClock, script)
  cleanUp.push(() => prober.close())
  return prober
}

function elapsed(result: ProbeResult): number {
  if (result.kind !== 'answered') throw new Error(`no answer: ${JSON.stringify(result)}`)
  return result.elapsedMs
}

describe('a probe in the worker thread', () => {
  test.each([50, 200])(
    'takes at least the %i ms that the server takes, and no longer than who waits for it',
    async (delayMs) => {
      const url = await serve((_request, response) => void setTimeout(() => response.end('pong'), delayMs))
      const prober = pool()
      const startedMs = performance.now()
      const ms = elapsed(await prober.probe(target(url)))
      // The server's timer may fire a fraction of a millisecond early.
      expect(ms).toBeGreaterThanOrEqual(delayMs - 1)
      expect(ms).toBeLessThanOrEqual(performance.now() - startedMs)
    },
  )

  test('lasts to the end of the body, not of the headers', async () => {
    const url = await serve((_request, response) => {
      response.write('po')
      setTimeout(() => response.end('ng'), 150)
    })
    expect(elapsed(await pool().probe(target(url)))).toBeGreaterThanOrEqual(149)
  })

  test('sends method, path, query and headers as configured, on a connection of its own', async () => {
    const seen: unknown[] = []
    const ports = new Set<number | undefined>()
    const url = await serve((request, response) => {
      seen.push([request.method, request.url, request.headers['x-key'], request.headers['user-agent']])
      ports.add(request.socket.remotePort)
      response.end()
    })
    const prober = pool()
    for (const method of ['GET', 'HEAD', 'POST'] as const)
      await prober.probe(target(url, { method, headers: { 'x-key': 'k' } }))
    expect(seen).toEqual(['GET', 'HEAD', 'POST'].map((method) => [method, '/ping?x=1', 'k', 'obstream']))
    expect(ports.size).toBe(3)
  })

  test('is timed out by a server that never answers', async () => {
    const url = await serve(() => {})
    expect(await pool().probe(target(url, { timeoutMs: 100 }))).toMatchObject({ kind: 'timed_out' })
  })

  test('is timed out by a body that never ends', async () => {
    const url = await serve((_request, response) => void response.write('po'))
    expect(await pool().probe(target(url, { timeoutMs: 100 }))).toMatchObject({ kind: 'timed_out' })
  })

  test('fails with the status when it is not an expected one', async () => {
    const url = await serve((_request, response) => void response.writeHead(503).end())
    expect(await pool().probe(target(url))).toMatchObject({ kind: 'failed', errorCode: 'http_status_503' })
    expect(await pool().probe(target(url, { expectedStatus: [200, 503] }))).toMatchObject({ kind: 'answered' })
  })

  test('does not follow a redirect', async () => {
    let requests = 0
    const url = await serve((_request, response) => {
      requests++
      response.writeHead(302, { location: '/elsewhere' }).end()
    })
    expect(await pool().probe(target(url))).toMatchObject({ kind: 'failed', errorCode: 'http_status_302' })
    expect(requests).toBe(1)
  })

  test('fails when the connection is refused', async () => {
    const url = await serve(() => {})
    await cleanUp.pop()!()
    expect(await pool().probe(target(url))).toMatchObject({ kind: 'failed', errorCode: 'ECONNREFUSED' })
  })

  test('fails when the connection is reset', async () => {
    const url = await serveTcp((socket) => socket.once('data', () => socket.resetAndDestroy()))
    expect(await pool().probe(target(url))).toMatchObject({ kind: 'failed', errorCode: 'ECONNRESET' })
  })

  test('fails when the connection is closed without an answer', async () => {
    const url = await serveTcp((socket) => socket.once('data', () => socket.end()))
    expect(await pool().probe(target(url))).toMatchObject({ kind: 'failed', errorCode: 'UND_ERR_SOCKET' })
  })

  test('fails when the body breaks off', async () => {
    const url = await serveTcp((socket) =>
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\npo')),
    )
    expect(await pool().probe(target(url))).toMatchObject({ kind: 'failed' })
  })

  test('fails when the answer is no HTTP', async () => {
    const url = await serveTcp((socket) => socket.once('data', () => socket.end('220 smtp ready\r\n')))
    expect(await pool().probe(target(url))).toMatchObject({ kind: 'failed', errorCode: 'http_malformed' })
  })

  test('fails when the name does not exist', async () => {
    expect(await pool().probe(target('http://no-such-host.invalid/'))).toMatchObject({
      kind: 'failed',
      errorCode: expect.stringMatching(/^(ENOTFOUND|EAI_AGAIN)$/),
    })
  })

  test('does not read an endless body', async () => {
    const url = await serve((_request, response) => {
      const chunk = Buffer.alloc(65_536)
      const write = (): void => void (response.destroyed || setImmediate(() => response.write(chunk, write)))
      write()
    })
    expect(await pool().probe(target(url))).toMatchObject({ kind: 'failed', errorCode: 'http_body_too_large' })
    expect(MAX_BODY_BYTES).toBe(1_048_576)
  })

  test('runs beside others', async () => {
    const waiting: (() => void)[] = []
    const url = await serve((_request, response) => {
      waiting.push(() => response.end())
      if (waiting.length === 20) for (const answer of waiting) answer()
    })
    const prober = pool()
    const results = await Promise.all(Array.from({ length: 20 }, () => prober.probe(target(url))))
    expect(results.map(({ kind }) => kind)).toEqual(Array.from({ length: 20 }, () => 'answered'))
  })

  test('is not disturbed when the main thread stands still', async () => {
    const url = await serveFromThread(20)
    const prober = pool()
    await prober.probe(target(url))
    const probed = prober.probe(target(url))
    await new Promise((resolve) => setImmediate(resolve))
    const STILL_MS = 1_000
    block(STILL_MS)
    // A clock that is read on the main thread would have stood still as long.
    expect(elapsed(await probed)).toBeLessThan(STILL_MS)
  })
})

describe('the worker', () => {
  const script = (code: string): URL => new URL(`data:text/javascript,${encodeURIComponent(code)}`)
  const port = "import { parentPort } from 'node:worker_threads';"

  test('that dies fails the probes under way, and the next probe gets a new one', async () => {
    const prober = pool(
      script(`${port} parentPort.on('message', ({ id, target }) => {
        if (target.url === 'die') process.exit(1)
        if (target.url === 'throw') throw new Error('broken')
        if (target.url !== 'wait') parentPort.postMessage({ id, result: { kind: 'answered', elapsedMs: 1, lagMs: 0 } })
      })`),
    )
    const died = { kind: 'failed', errorCode: 'prober_died', lagMs: null }
    expect(await Promise.all([prober.probe(target('wait')), prober.probe(target('die'))])).toEqual([died, died])
    expect(await prober.probe(target('x'))).toMatchObject({ kind: 'answered' })
    expect(await prober.probe(target('throw'))).toEqual(died)
    expect(await prober.probe(target('x'))).toMatchObject({ kind: 'answered' })
  })

  test('that answers nothing is ended five seconds after the limit', async () => {
    const { ManualClock } = await import('#tests/support/manual-clock.ts')
    const clock = new ManualClock(0)
    const prober = createProbePool(clock, script(`${port} parentPort.on('message', () => { for (;;); })`))
    cleanUp.push(() => prober.close())
    const probed = prober.probe(target('x', { timeoutMs: 100 }))
    clock.advance(5_100)
    expect(await probed).toEqual({ kind: 'failed', errorCode: 'prober_hung', lagMs: null })
  })

  test('gives up at once when it is closed', async () => {
    const url = await serve(() => {})
    const prober = pool()
    const probed = prober.probe(target(url))
    await prober.close()
    expect(await probed).toEqual({ kind: 'failed', errorCode: 'prober_closed', lagMs: null })
    expect(await prober.probe(target(url))).toEqual({ kind: 'failed', errorCode: 'prober_closed', lagMs: null })
  })
})

describe('a busy prober', () => {
  test('whose loop stood still gives sampler_busy, never a latency', async () => {
    const url = await serveFromThread(20)
    const probed = probeHttp(target(url), new LagMeter())
    await new Promise((resolve) => setTimeout(resolve, 5))
    block(300)
    const result = await probed
    expect(result).toMatchObject({ kind: 'answered' })
    expect(result.lagMs).toBeGreaterThan(250)
    expect(sampleOf({ scheduledAt: 0, measuredAt: 0, timeoutMs: 5_000 }, result)).toMatchObject({
      outcome: 'error',
      errorCode: 'sampler_busy',
      latencyMs: null,
    })
  })

  test('counts a delay only for the probes that it fell into', async () => {
    const meter = new LagMeter()
    const early = meter.begin()
    const earlyLag = early.end()
    const late = meter.begin()
    block(60)
    expect([earlyLag, late.end() > 50]).toEqual([0, true])
  })
})

function block(ms: number): void {
  const untilMs = performance.now() + ms
  while (performance.now() < untilMs);
}

/** A server that goes on while this thread stands still. */
async function serveFromThread(delayMs: number): Promise<string> {
  const { Worker } = await import('node:worker_threads')
  const code = `import { createServer } from 'node:http'; import { parentPort } from 'node:worker_threads';
    const server = createServer((_, response) => setTimeout(() => response.end(), ${delayMs}));
    server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port))`
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`))
  cleanUp.push(() => worker.terminate())
  const port = await new Promise((resolve) => worker.once('message', resolve))
  return `http://127.0.0.1:${port}/`
}
