import dns from 'node:dns'
import { hostname } from 'node:os'
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { classify } from '#lib/delivery/classify.ts'
import type { PostAnswer } from '#lib/delivery/http-post.ts'
import { openHttpPoster } from '#lib/delivery/http-post.ts'
import type { Receiver } from '#tests/support/receiver.ts'
import { answering, openReceiver } from '#tests/support/receiver.ts'
import { makeCertificate } from '#tools/kafka/certificate.ts'

/** Of this machine, on every address: who gets past the guard is seen here. */
let inside: Receiver

beforeAll(async () => {
  inside = await openReceiver({ certificate: makeCertificate(), host: '0.0.0.0' })
})
afterAll(() => inside.close())
afterEach(() => {
  jest.restoreAllMocks()
})

async function post(url: string, allowHosts: readonly string[] = []): Promise<PostAnswer> {
  const poster = openHttpPoster({ allowHosts, env: {}, timeoutMs: 2_000 })
  try {
    return await poster.post({ url, headers: {}, body: '{}' })
  } finally {
    await poster.close()
  }
}

/** What the resolver says, in all the rest of a test: no name with such answers can be had here. */
function resolving(...addresses: readonly string[]): { readonly asked: readonly string[] } {
  const asked: string[] = []
  const lookup = (name: string, _: unknown, callback: (error: null, found: readonly dns.LookupAddress[]) => void) => {
    asked.push(name)
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    )
  }
  jest.spyOn(dns, 'lookup').mockImplementation(lookup as never)
  return { asked }
}

describe('a URL that leads to this machine', () => {
  test.each([
    'https://127.0.0.1:PORT/',
    'https://127.1:PORT/',
    'https://2130706433:PORT/',
    'https://0x7f.1:PORT/',
    'https://017700000001:PORT/',
    'https://0.0.0.0:PORT/',
    'https://0:PORT/',
    'https://127.0.0.1.:PORT/',
    'https://１２７.０.０.１:PORT/',
    'https://[::1]:PORT/',
    'https://[::]:PORT/',
    'https://[::ffff:127.0.0.1]:PORT/',
    'https://[::ffff:7f00:1]:PORT/',
    'https://[::127.0.0.1]:PORT/',
    'https://[64:ff9b::127.0.0.1]:PORT/',
    'https://[2002:7f00:1::]:PORT/',
    'https://good.example@127.0.0.1:PORT/',
    'https://good@localhost:PORT/',
    'https://good.example:PORT@127.0.0.1:PORT/',
    'https://127.0.0.1:PORT\\@good.example/',
    'https://127.0.0.1:PORT#@good.example/',
    'http://127.0.0.1:PORT/',
  ])('%s is forbidden, and nobody connects', async (url) => {
    const answer = await post(url.replaceAll('PORT', String(inside.port)))
    expect(classify(answer)).toMatchObject({ result: 'forbidden', status: null })
    expect(inside.connections).toBe(0)
  })

  test.each(['localhost', 'LOCALHOST', 'localhost.', hostname()])(
    'by the name %s is not connected to',
    async (name) => {
      const { result } = classify(await post(`https://${name}:${inside.port}/`))
      expect(result).toBe('retry')
      expect(inside.connections).toBe(0)
    },
  )

  test('is posted to when its host is allowed, on that port only', async () => {
    const receiver = await openReceiver()
    try {
      expect(await post(receiver.url(), ['127.0.0.1'])).toMatchObject({ status: 200 })
      expect(await post(receiver.url(), [`127.0.0.1:${receiver.port}`])).toMatchObject({ status: 200 })
      expect(await post(`http://localhost:${receiver.port}/`, ['localhost'])).toMatchObject({ status: 200 })
      expect(await post(receiver.url(), [`127.0.0.1:${receiver.port + 1}`])).toMatchObject({ kind: 'forbidden' })
      expect(await post(receiver.url(), ['localhost'])).toMatchObject({ kind: 'forbidden' })
    } finally {
      await receiver.close()
    }
  })

  test('is not reached by a redirect, allowed though its origin may be', async () => {
    const outside = await openReceiver()
    outside.follow(answering(307, '', { location: inside.url() }))
    try {
      expect(classify(await post(outside.url(), ['127.0.0.1', 'localhost']))).toMatchObject({ result: 'redirect' })
      expect(inside.connections).toBe(0)
    } finally {
      await outside.close()
    }
  })
})

describe('a name', () => {
  test.each([
    ['127.0.0.1', 'a loopback'],
    ['::1', 'a loopback'],
    ['10.1.2.3', 'a private'],
    ['169.254.169.254', 'a link-local'],
    ['fd00:ec2::254', 'a unique-local'],
    ['100.64.0.1', 'a carrier-grade NAT'],
    ['::ffff:127.0.0.1', 'an IPv4-mapped'],
    ['64:ff9b::7f00:1', 'a NAT64'],
  ])('that resolves to %s, which is %s, is not connected to, and may be tried again', async (address, range) => {
    resolving(address)
    const answer = await post(`https://hooks.example:${inside.port}/s3cr3t`)
    expect(classify(answer)).toEqual({
      result: 'retry',
      status: null,
      detail: `not connected: the name hooks.example resolves to ${address}, ${range} address; if it is meant to, name it under delivery.allow_hosts`,
      retryAfter: null,
    })
    expect(inside.connections).toBe(0)
  })

  test.each([[['127.0.0.1', '8.8.8.8']], [['2606:4700::1111', '::1']]])(
    'that resolves to good and bad addresses, %j, is not connected to',
    async (addresses) => {
      resolving(...addresses)
      expect(await post(`https://hooks.example:${inside.port}/`)).toMatchObject({ kind: 'not_sent' })
      expect(inside.connections).toBe(0)
    },
  )

  test('is asked for anew at each try', async () => {
    const poster = openHttpPoster({ allowHosts: [], env: {}, timeoutMs: 2_000 })
    const request = { url: `https://hooks.example:${inside.port}/`, headers: {}, body: '{}' }
    const { asked } = resolving('10.0.0.1')
    for (let n = 0; n < 3; n++) expect(await poster.post(request)).toMatchObject({ kind: 'not_sent' })
    await poster.close()
    expect(asked).toEqual(['hooks.example', 'hooks.example', 'hooks.example'])
    expect(inside.connections).toBe(0)
  })

  test('is looked up once for a connection: what was checked is what is connected to', async () => {
    const refused = resolving('127.0.0.1')
    await post(`https://hooks.example:${inside.port}/`)
    expect(refused.asked).toEqual(['hooks.example'])
    jest.restoreAllMocks()

    const receiver = await openReceiver()
    const allowed = resolving('127.0.0.1')
    const url = `http://hooks.example:${receiver.port}/`
    expect(await post(url, ['hooks.example'])).toMatchObject({ status: 200 })
    await receiver.close()
    expect(allowed.asked).toEqual(['hooks.example'])
  })
})

test.each(['https://a.example', '*.example', '10.0.0.0/8'])('"%s" is no host that could be allowed', (entry) => {
  expect(() => openHttpPoster({ allowHosts: [entry], env: {} })).toThrow(
    expect.objectContaining({ code: 'OBS_CONFIG_INVALID', message: expect.stringContaining(entry) }),
  )
})
