import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import type { ChannelConfig } from '#lib/config.ts'
import { type HttpPoster, openHttpPoster } from '#lib/delivery/http-post.ts'
import { openSender } from '#lib/delivery/senders.ts'
import { answering, openReceiver, type Receiver } from '#tests/support/receiver.ts'

const KEY = 'thirty-two bytes make one secret'
const WEBHOOK_SECRET = `whsec_${Buffer.from(KEY).toString('base64')}`
const PREVIOUS = 'the "secret" <before> & one more'
const ROUTING_KEY = 'R0123456789abcdef0123456789abcde'
const PATH = '/services/T0/B0/secret-of-slack'

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

const kinds = {
  slack: (path = PATH) => channel({ kind: 'slack', url: receiver.url(path) }),
  webhook: (path = '/hook') =>
    channel({ kind: 'webhook', url: receiver.url(path), secret: WEBHOOK_SECRET, previousSecret: PREVIOUS }),
  pagerduty: () => channel({ kind: 'pagerduty', url: receiver.url('/v2/enqueue'), secret: ROUTING_KEY }),
}

function channel(parts: Pick<ChannelConfig, 'kind' | 'url'> & Partial<ChannelConfig>): ChannelConfig {
  return { name: 'x', profile: 'full', secret: null, previousSecret: null, configSha256: '', ...parts }
}

/** What is recorded of a receiver that answers so. */
async function detailOf(of: ChannelConfig, body: string): Promise<string | null> {
  receiver.follow(answering(400, body))
  return (await openSender(of, poster)!.post({ messageId: 'msg_1', body: '{}' }, 0)).detail
}

const jsonEscaped = (text: string): string =>
  [...text].map((letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')
const percentEncoded = (text: string): string =>
  [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')

describe('what a receiver repeats is recorded without', () => {
  test.each([
    ['the path', `no ${PATH} here`, 'no [hidden] here'],
    ['the path with its slashes escaped', JSON.stringify({ path: PATH }).replaceAll('/', '\\/'), '[hidden]'],
    ['the token alone', 'invalid token secret-of-slack', 'invalid token [hidden]'],
    ['the path, percent-encoded', `no ${encodeURIComponent(PATH)}`, '[hidden]'],
    ['each byte of the token percent-encoded', `no ${percentEncoded('secret-of-slack')}`, '[hidden]'],
    ['the token as \\u escapes', `{"token":"${jsonEscaped('secret-of-slack')}"}`, '[hidden]'],
    ['the token as HTML has it', '<b>secret&#45;of&#x2d;slack</b>', '[hidden]'],
    ['the token, escaped twice', '"secret\\\\u002dof\\\\u002dslack"', '[hidden]'],
    ['the token, percent in percent', 'secret%252Dof%252Dslack', '[hidden]'],
  ])('%s', async (_, body, detail) => {
    expect(await detailOf(kinds.slack(), body)).toBe(detail)
  })

  test('a value of the query, as it is, decoded, or with its ampersand escaped', async () => {
    const hook = kinds.webhook('/in?a=1&token=t0k3n-%C3%A9t0k3n&sig=s1gnatur3')
    for (const body of ['bad t0k3n-%C3%A9t0k3n', 'bad t0k3n-ét0k3n', 'bad s1gnatur3'])
      expect(await detailOf(hook, body)).toBe('bad [hidden]')
    expect(await detailOf(hook, 'a=1&amp;token=t0k3n-%C3%A9t0k3n&amp;sig=s1gnatur3')).not.toMatch(/t0k3n-|s1gna/)
  })

  test('the signing secret and the one before it, also escaped', async () => {
    for (const body of [WEBHOOK_SECRET, PREVIOUS, WEBHOOK_SECRET.slice('whsec_'.length), KEY])
      expect(await detailOf(kinds.webhook(), `not ${body}!`)).toBe('not [hidden]!')
    for (const body of [
      JSON.stringify({ secret: PREVIOUS }),
      PREVIOUS.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;'),
      encodeURIComponent(PREVIOUS),
      jsonEscaped(KEY),
    ])
      expect(await detailOf(kinds.webhook(), body)).toBe('[hidden]')
  })

  test('the routing key; the address of PagerDuty is known to everybody', async () => {
    expect(await detailOf(kinds.pagerduty(), `/v2/enqueue has no ${ROUTING_KEY}`)).toBe('/v2/enqueue has no [hidden]')
    expect(await detailOf(kinds.pagerduty(), percentEncoded(ROUTING_KEY))).toBe('[hidden]')
  })
})

test('what holds no secret is recorded as it came, escapes and all', async () => {
  const body = '{"error":"caf\\u00e9 \\/ 100%25 &amp; more","at":"/T0/B0"}'
  expect(await detailOf(kinds.slack(), body)).toBe(body)
})

test('the pace of a receiver is named without its secret: by address, for PagerDuty by key', () => {
  const paceOf = (of: ChannelConfig): string => openSender(of, poster)!.paceKey
  const [slack, pagerduty] = [kinds.slack(), kinds.pagerduty()]
  expect(paceOf({ ...slack, name: 'another' })).toBe(paceOf(slack))
  expect(paceOf({ ...slack, url: `${slack.url}2` })).not.toBe(paceOf(slack))
  expect(paceOf({ ...pagerduty, url: receiver.url('/eu') })).toBe(paceOf(pagerduty))
  expect(paceOf({ ...pagerduty, secret: ROUTING_KEY.toLowerCase() })).not.toBe(paceOf(pagerduty))
  for (const pace of [paceOf(slack), paceOf(pagerduty)]) expect(pace).toMatch(/^[0-9a-f]{64}$/)
})
