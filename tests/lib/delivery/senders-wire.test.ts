import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import type { ChannelConfig } from '#lib/config.ts'
import type { Sender } from '#lib/delivery/attempt.ts'
import { type HttpPoster, openHttpPoster } from '#lib/delivery/http-post.ts'
import { openSender } from '#lib/delivery/senders.ts'
import { verifyMessage } from '#lib/delivery/signature.ts'
import { answering, openReceiver, type Receiver } from '#tests/support/receiver.ts'

const NEW = `whsec_${Buffer.alloc(32, 'new').toString('base64')}`
const OLD = `whsec_${Buffer.alloc(32, 'old').toString('base64')}`
const KEY = '0123456789abcdef0123456789abcdef'
const AT = Date.parse('2026-06-27T23:10:04Z')
const MESSAGE = { messageId: `msg_${'0'.repeat(32)}`, body: '{"b":"重大","a":1}' }

let receiver: Receiver
let poster: HttpPoster
beforeEach(async () => {
  receiver = await openReceiver()
  poster = openHttpPoster({ allowHosts: ['127.0.0.1'], env: {} })
})
afterEach(async () => {
  await poster.close()
  await receiver.close()
})

const PATH = '/services/T0/B0/s3cr3t'

function channel(kind: ChannelConfig['kind'], more: Partial<ChannelConfig> = {}): ChannelConfig {
  const secrets = { webhook: NEW, pagerduty: KEY, slack: null }
  const common = { name: 'ops', kind, profile: 'full', configSha256: 'c', previousSecret: null } as const
  return { ...common, url: receiver.url(PATH), secret: secrets[kind], ...more }
}

const sender = (kind: ChannelConfig['kind'], more?: Partial<ChannelConfig>): Sender =>
  openSender(channel(kind, more), poster)!

const KINDS = ['webhook', 'pagerduty', 'slack'] as const

describe('what goes over the wire', () => {
  test.each(KINDS)('%s: one POST of JSON by us', async (kind) => {
    await sender(kind).post(MESSAGE, AT)
    expect(receiver.received).toMatchObject([
      { method: 'POST', path: PATH, headers: { 'content-type': 'application/json', 'user-agent': 'obstream' } },
    ])
  })

  test.each(['webhook', 'slack'] as const)('%s: the very bytes that were decided', async (kind) => {
    await sender(kind).post(MESSAGE, AT)
    expect(receiver.received[0]!.body.toString()).toBe(MESSAGE.body)
  })

  test('pagerduty: the routing key beside what was decided, as canonical JSON', async () => {
    await sender('pagerduty').post(MESSAGE, AT)
    expect(receiver.received[0]!.body.toString()).toBe(`{"a":1,"b":"重大","routing_key":"${KEY}"}`)
  })

  test('webhook: signed with the secret, and with the one before it while that is rotated', async () => {
    await sender('webhook').post(MESSAGE, AT)
    await sender('webhook', { previousSecret: OLD }).post(MESSAGE, AT)
    const accepts = receiver.received.map(({ headers, body }) =>
      [NEW, OLD].map(
        (current) => verifyMessage({ headers: headers as Record<string, string>, body }, { current }, AT).ok,
      ),
    )
    expect(accepts).toEqual([
      [true, false],
      [true, true],
    ])
    expect(receiver.received[0]!.headers['webhook-id']).toBe(MESSAGE.messageId)
  })
})

test('PagerDuty gets 120 messages a minute and is left alone for one after a failure, Slack gets one a second', () => {
  const paces = KINDS.map((kind) => [sender(kind).intervalMs, sender(kind).leastRetryMs])
  expect(paces).toEqual([
    [0, 0],
    [500, 60_000],
    [1_000, 0],
  ])
})

test('nothing can be sent without the URL, nor without the secret where there is one', () => {
  const isOpen = (kind: (typeof KINDS)[number], more: Partial<ChannelConfig>) =>
    openSender(channel(kind, more), poster) !== undefined
  expect(KINDS.map((kind) => isOpen(kind, { url: null }))).toEqual([false, false, false])
  expect(KINDS.map((kind) => isOpen(kind, { secret: null }))).toEqual([false, false, true])
})

test.each([
  [200, 'ok', 'accepted'],
  [200, 'ok\n', 'accepted'],
  [200, 'no_service', 'rejected'],
  [200, '', 'rejected'],
  [202, 'ok', 'rejected'],
])('Slack takes a message by 200 and "ok" only: %i "%s" is %s', async (status, body, result) => {
  receiver.follow(answering(status, body))
  expect((await sender('slack').post(MESSAGE, AT)).result).toBe(result)
})

describe('what an answer repeats of a secret is hidden', () => {
  async function detailOf(body: string, kind: (typeof KINDS)[number], more?: Partial<ChannelConfig>) {
    receiver.follow(answering(400, body))
    return (await sender(kind, more).post(MESSAGE, AT)).detail
  }

  test('the URL, its path with and without what follows, wherever and however often', async () => {
    const url = receiver.url(`${PATH}?token=t0k3n`)
    for (const kind of ['webhook', 'slack'] as const) {
      const detail = await detailOf(`${url} | ${PATH}?token=t0k3n | ${PATH} ${PATH} | end`, kind, { url })
      expect(detail).toBe('[hidden] | [hidden] | [hidden] [hidden] | end')
    }
  })

  test('the path as frameworks write it in JSON: without its first slash, or with slashes escaped', async () => {
    const path = PATH.slice(1)
    const escaped = `http:\\/\\/127.0.0.1:${receiver.port}${PATH.replaceAll('/', '\\/')}`
    expect(await detailOf(`The route ${path} could not be found.`, 'webhook')).toBe(
      'The route [hidden] could not be found.',
    )
    expect(await detailOf(`{"route":"${path.replaceAll('/', '\\/')}"}`, 'webhook')).toBe('[hidden]')
    expect(await detailOf(`{"url":"${escaped}"}`, 'slack')).toBe('[hidden]')
  })

  test('both secrets of a webhook, and the routing key of PagerDuty', async () => {
    expect(await detailOf(`${NEW} ${OLD} ${NEW}`, 'webhook', { previousSecret: OLD })).toBe(
      '[hidden] [hidden] [hidden]',
    )
    expect(await detailOf(`no such key ${KEY}`, 'pagerduty')).toBe('no such key [hidden]')
  })

  test('before it is cut: no beginning of a secret stays at the end of what is recorded', async () => {
    expect(await detailOf(`${'x'.repeat(190)}${NEW}`, 'webhook')).toBe(`${'x'.repeat(190)}[hidden]`)
  })

  test('but no path that is too short to be a secret, and not the URL of PagerDuty, which everybody knows', async () => {
    expect(await detailOf('no /hook or / here', 'webhook', { url: receiver.url('/hook') })).toBe('no /hook or / here')
    expect(await detailOf('no /12345678', 'webhook', { url: receiver.url('/12345678') })).toBe('no [hidden]')
    expect(await detailOf(`no ${PATH}`, 'pagerduty')).toBe(`no ${PATH}`)
  })
})
