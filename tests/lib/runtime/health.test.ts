import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, describe, expect, test } from '@jest/globals'
import { isObstreamError } from '#lib/errors.ts'
import type { BuildInfo } from '#lib/runtime/build-info.ts'
import type { HealthServer, ReadinessCheck } from '#lib/runtime/health.ts'
import { createHealthServer } from '#lib/runtime/health.ts'
import { createMetricsRegistry } from '#lib/runtime/metrics.ts'

const build: BuildInfo = { version: '1.2.3', commitSha: 'a'.repeat(40), engine: 1, node: '24.0.0' }
const running: HealthServer[] = []

async function serve(checks: Record<string, ReadinessCheck> = {}, port = 0): Promise<string> {
  const server = createHealthServer({
    bind: { host: '127.0.0.1', port },
    build,
    metrics: createMetricsRegistry(),
    checks,
  })
  running.push(server)
  return (await server.start()).url
}

afterEach(async () => {
  for (const server of running.splice(0)) await server.stop()
})

async function get(url: string): Promise<{ readonly status: number; readonly body: unknown }> {
  const response = await fetch(url)
  return { status: response.status, body: await response.json() }
}

describe('endpoints', () => {
  test('/livez answers', async () => {
    expect(await get(`${await serve()}/livez`)).toEqual({ status: 200, body: { status: 'live' } })
  })

  test('/version tells which build runs', async () => {
    expect(await get(`${await serve()}/version`)).toEqual({
      status: 200,
      body: { version: '1.2.3', commit_sha: 'a'.repeat(40), engine: 1, node: '24.0.0' },
    })
  })

  test('/metrics is Prometheus text', async () => {
    const response = await fetch(`${await serve()}/metrics`)
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
    expect(await response.text()).toMatch(/^# TYPE obstream_process_resident_memory_bytes gauge$/m)
  })

  test('answers are never cached or guessed at', async () => {
    const { headers } = await fetch(`${await serve()}/livez`)
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
  })

  test.each(['/', '/metrics/', '/../package.json', '/livez/x'])('%s is not there', async (path) => {
    expect((await fetch(`${await serve()}${path}`)).status).toBe(404)
  })

  test('only GET is possible', async () => {
    expect((await fetch(`${await serve()}/readyz`, { method: 'POST', body: '{}' })).status).toBe(404)
  })
})

describe('readiness', () => {
  test('ready when every check is well, asked anew each time', async () => {
    let reason: string | null = 'waits for the log'
    const url = await serve({ rollup: () => reason, alerter: async () => null })
    expect(await get(`${url}/readyz`)).toEqual({
      status: 503,
      body: {
        status: 'not_ready',
        checks: { rollup: { ready: false, reason: 'waits for the log' }, alerter: { ready: true, reason: null } },
      },
    })
    reason = null
    expect(await get(`${url}/readyz`)).toMatchObject({ status: 200, body: { status: 'ready' } })
  })

  test('a check that fails is a reason', async () => {
    const url = await serve({ log: () => Promise.reject(new Error('EIO')) })
    expect(await get(`${url}/readyz`)).toMatchObject({
      status: 503,
      body: { checks: { log: { reason: 'the check itself failed: EIO' } } },
    })
  })

  test('a check that hangs is a reason, within seconds', async () => {
    const url = await serve({ log: () => new Promise(() => {}) })
    expect(await get(`${url}/readyz`)).toMatchObject({
      status: 503,
      body: { checks: { log: { reason: 'the check itself does not answer' } } },
    })
  })
})

describe('limits', () => {
  test('a port that is taken is an error that names it', async () => {
    const { port } = new URL(await serve())
    const error = await serve({}, Number(port)).catch((fault: Error) => fault)
    expect(isObstreamError(error, 'OBS_HTTP_CANNOT_LISTEN')).toBe(true)
    expect((error as Error).message).toContain(`127.0.0.1:${port}`)
  })

  test('headers of 16 KiB are refused', async () => {
    const response = await fetch(`${await serve()}/livez`, { headers: { 'x-large': 'x'.repeat(16 * 1024) } })
    expect(response.status).toBe(431)
  })

  test('stop ends a connection that sends nothing', async () => {
    const { port } = new URL(await serve())
    const socket = connect(Number(port), '127.0.0.1')
    const closed = once(socket, 'close')
    await once(socket, 'connect')
    await running[0]!.stop()
    await closed
    expect(socket.destroyed).toBe(true)
  })
})
