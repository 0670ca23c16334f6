import tls from 'node:tls'
import { afterEach, describe, expect, test } from '@jest/globals'
import type { HttpPosterOptions, PostAnswer } from '#lib/delivery/http-post.ts'
import { openHttpPoster } from '#lib/delivery/http-post.ts'
import { eventually } from '#tests/support/eventually.ts'
import type { ForwardProxy, ProxyManner } from '#tests/support/forward-proxy.ts'
import { openForwardProxy } from '#tests/support/forward-proxy.ts'
import type { Receiver } from '#tests/support/receiver.ts'
import { openReceiver } from '#tests/support/receiver.ts'
import { makeCertificate } from '#tools/kafka/certificate.ts'

const certificate = makeCertificate()
const authorities = tls.getCACertificates('default')
const cleanUp: (() => Promise<unknown>)[] = []
afterEach(async () => {
  tls.setDefaultCACertificates(authorities)
  for (const clean of cleanUp.splice(0).toReversed()) await clean()
})

async function scene(manner?: ProxyManner): Promise<{ readonly proxy: ForwardProxy; readonly receiver: Receiver }> {
  tls.setDefaultCACertificates([...authorities, certificate.ca])
  const proxy = await openForwardProxy(manner)
  const receiver = await openReceiver({ certificate })
  cleanUp.push(proxy.close, () => receiver.close())
  return { proxy, receiver }
}

async function post(url: string, options: Partial<HttpPosterOptions>): Promise<PostAnswer> {
  const poster = openHttpPoster({ allowHosts: ['localhost', '127.0.0.1'], env: {}, timeoutMs: 5_000, ...options })
  cleanUp.push(() => poster.close())
  return await poster.post({ url, headers: { 'x-key': 'k' }, body: 'body' })
}

test('a proxy of the environment gets a tunnel and its password, never the request', async () => {
  const { proxy, receiver } = await scene()
  expect(await post(receiver.url('/s3cr3t'), { env: { HTTPS_PROXY: proxy.url } })).toMatchObject({
    status: 200,
    body: 'ok',
  })
  expect(proxy.asked).toEqual([`localhost:${receiver.port}`])
  expect(proxy.credentials).toEqual([`Basic ${Buffer.from('user:secret').toString('base64')}`])
  expect(receiver.received).toMatchObject([{ path: '/s3cr3t', headers: { 'x-key': 'k' } }])
  expect(receiver.received[0]!.headers['proxy-authorization']).toBeUndefined()
})

test.each([
  ['HTTP_PROXY serves https too when there is no other', 'HTTP_PROXY'],
  ['lower case is read as well', 'https_proxy'],
])('%s', async (_, name) => {
  const { proxy, receiver } = await scene()
  expect(await post(receiver.url(), { env: { [name]: proxy.url } })).toMatchObject({ status: 200 })
  expect(proxy.asked).toHaveLength(1)
})

test.each(['localhost', '*', 'other.example, localhost'])('NO_PROXY %s goes past the proxy', async (noProxy) => {
  const { proxy, receiver } = await scene()
  expect(await post(receiver.url(), { env: { HTTPS_PROXY: proxy.url, NO_PROXY: noProxy } })).toMatchObject({
    status: 200,
  })
  expect(proxy.asked).toEqual([])
})

test('the environment of the process is not looked at', async () => {
  const { proxy, receiver } = await scene()
  const before = process.env['HTTPS_PROXY']
  process.env['HTTPS_PROXY'] = proxy.url
  try {
    expect(await post(receiver.url(), { env: {} })).toMatchObject({ status: 200 })
  } finally {
    if (before === undefined) delete process.env['HTTPS_PROXY']
    else process.env['HTTPS_PROXY'] = before
  }
  expect(proxy.asked).toEqual([])
})

describe('a request through a proxy that', () => {
  const through =
    (manner: ProxyManner, timeoutMs = 5_000) =>
    async () => {
      const { proxy, receiver } = await scene(manner)
      const answer = await post(receiver.url('/s3cr3t'), { env: { HTTPS_PROXY: proxy.url }, timeoutMs })
      expect(receiver.connections).toBe(0)
      return answer
    }

  test('refuses the tunnel has not been sent', async () => {
    expect(await through('refuse')()).toEqual({ kind: 'not_sent', reason: 'not connected: the proxy answered 403' })
  })

  test('closes the connection has not been sent', async () => {
    expect(await through('close')()).toEqual({
      kind: 'not_sent',
      reason: expect.stringMatching(
        /^not connected: the (proxy closed the connection|connection was (closed|reset)) \(/,
      ),
    })
  })

  test('says nothing has not been sent when time is up', async () => {
    expect(await through('hang', 150)()).toMatchObject({ kind: 'not_sent' })
  })

  test('is not there has not been sent', async () => {
    const { proxy, receiver } = await scene()
    await proxy.close()
    expect(await post(receiver.url(), { env: { HTTPS_PROXY: proxy.url } })).toMatchObject({
      kind: 'not_sent',
      reason: expect.stringContaining('ECONNREFUSED'),
    })
  })

  test('lets it through to a wrong certificate has not been sent', async () => {
    const { proxy, receiver } = await scene()
    tls.setDefaultCACertificates(authorities)
    expect(await post(receiver.url(), { env: { HTTPS_PROXY: proxy.url } })).toMatchObject({
      kind: 'not_sent',
      reason: expect.stringContaining('DEPTH_ZERO_SELF_SIGNED_CERT'),
    })
    expect(receiver.received).toEqual([])
  })
})

test('a proxy is not asked for a literal private address, nor for plain http', async () => {
  const { proxy, receiver } = await scene()
  const env = { HTTPS_PROXY: proxy.url, HTTP_PROXY: proxy.url }
  for (const url of [`https://127.0.0.1:${receiver.port}/`, 'https://169.254.169.254/', 'http://hooks.example/'])
    expect(await post(url, { env, allowHosts: [] })).toMatchObject({ kind: 'forbidden' })
  expect(proxy.asked).toEqual([])
})

test('resolving is up to the proxy, and so is keeping out of the private network', async () => {
  const { proxy, receiver } = await scene()
  expect(await post(receiver.url(), { env: { HTTPS_PROXY: proxy.url }, allowHosts: [] })).toMatchObject({ status: 200 })
})

test('several requests share one tunnel', async () => {
  const { proxy, receiver } = await scene()
  const poster = openHttpPoster({ allowHosts: ['localhost'], env: { HTTPS_PROXY: proxy.url } })
  cleanUp.push(() => poster.close())
  for (let n = 0; n < 3; n++) await poster.post({ url: receiver.url(), headers: {}, body: '' })
  expect(receiver.received).toHaveLength(3)
  expect(proxy.asked).toHaveLength(1)
  await poster.close()
  await eventually(() => receiver.openConnections === 0)
})

test.each(['proxy.example:3128', 'socks5://proxy.example', 'http://user:50%off@proxy.example', 'http://?'])(
  '"%s" is no proxy, and the fault does not repeat it',
  (proxy) => {
    let fault: unknown
    try {
      openHttpPoster({ allowHosts: [], env: { HTTPS_PROXY: proxy } })
    } catch (error) {
      fault = error
    }
    expect(fault).toMatchObject({ code: 'OBS_CONFIG_INVALID' })
    expect((fault as Error).message).not.toContain(proxy)
    expect((fault as Error).cause).toBeUndefined()
  },
)
