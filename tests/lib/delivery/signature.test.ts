import { spawnSync } from 'node:child_process'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { Webhook } from 'standardwebhooks'
import type { SigningSecrets, Verified } from '#lib/delivery/signature.ts'
import { secretFault, signMessage, verifyMessage } from '#lib/delivery/signature.ts'
import type { Instant } from '#lib/time.ts'
import { SECOND_MS } from '#lib/time.ts'
import { findProgram } from '#tests/support/find-program.ts'
import { testNeeding } from '#tests/support/required.ts'

const OLD = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const NEW = `whsec_${Buffer.alloc(32, 'new').toString('base64')}`
const PLAIN = "It's a Secret to Everybody"
const SENT_AT = 1_614_265_330 * SECOND_MS
const message = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', at: SENT_AT, body: '{"test": 2432232314}' }

const bytes = (body: string): Buffer => Buffer.from(body, 'utf8')
const byStandard: Verified = { ok: true, by: 'webhook-signature', isReplaySafe: true }
const byOwn: Verified = { ok: true, by: 'x-obs-signature', isReplaySafe: false }
const refused = (reason: string): object => ({ ok: false, reason: expect.stringContaining(reason) })

interface Check {
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly secrets?: SigningSecrets
  readonly now?: Instant
}

/** Verifies the message as it was signed with `OLD`, but for what is said. */
function check({ headers = {}, body = message.body, secrets = { current: OLD }, now = SENT_AT }: Check = {}): Verified {
  const signed = { ...signMessage(message, { current: OLD }), ...headers }
  return verifyMessage({ headers: signed, body: bytes(body) }, secrets, now)
}

const secrets = fc.uint8Array({ minLength: 24, maxLength: 64 }).map((key) => ({
  key,
  text: `whsec_${Buffer.from(key).toString('base64')}`,
}))
const bodies = fc.string({ unit: 'binary', maxLength: 300 }).filter((body) => body.isWellFormed())

describe('the vectors of those who made the schemes', () => {
  test('Standard Webhooks', () => {
    expect(signMessage(message, { current: OLD })).toMatchObject({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    })
    expect(check()).toEqual(byStandard)
  })

  test('GitHub', () => {
    const signed = { ...message, body: 'Hello, World!' }
    const headers = signMessage(signed, { current: PLAIN })
    expect(headers).toEqual({
      'webhook-id': message.id,
      'webhook-timestamp': '1614265330',
      'x-obs-signature': 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17',
    })
    expect(verifyMessage({ headers, body: bytes(signed.body) }, { current: PLAIN }, SENT_AT)).toEqual(byOwn)
  })
})

test('the time is that of the attempt, in whole seconds, and a fraction does not round up', () => {
  const headers = signMessage({ ...message, at: SENT_AT + 999 }, { current: OLD })
  expect(headers).toEqual(signMessage(message, { current: OLD }))
})

describe('openssl', () => {
  const openssl = findProgram('openssl')
  const missing = openssl === undefined ? 'there is no openssl' : undefined

  function hmacOf(key: Uint8Array, content: string): Buffer {
    const args = ['dgst', '-sha256', '-mac', 'HMAC', '-macopt', `hexkey:${Buffer.from(key).toString('hex')}`, '-binary']
    const { status, stdout, stderr } = spawnSync(openssl!, args, { input: bytes(content) })
    if (status !== 0) throw new Error(`openssl failed: ${stderr}`)
    return stdout
  }

  testNeeding(missing, 'signs the same, whatever secret and body', () => {
    fc.assert(
      fc.property(secrets, bodies, (secret, body) => {
        const headers = signMessage({ ...message, body }, { current: secret.text })
        const standard = hmacOf(secret.key, `${message.id}.1614265330.${body}`).toString('base64')
        expect(headers['webhook-signature']).toBe(`v1,${standard}`)
        expect(headers['x-obs-signature']).toBe(`sha256=${hmacOf(bytes(secret.text), body).toString('hex')}`)
      }),
      { numRuns: 20 },
    )
  })
})

/** It knows no clock but that of the machine. */
describe('standardwebhooks of npm', () => {
  test('accepts what is signed here, and is accepted', () => {
    fc.assert(
      fc.property(secrets, bodies, ({ text }, body) => {
        const at = Date.now()
        const webhook = new Webhook(text)
        const ours = signMessage({ id: 'msg_1', at, body }, { current: text })
        expect(() => webhook.verify(body, ours, { jsonParse: false })).not.toThrow()
        const theirs = {
          'Webhook-Id': 'msg_1',
          'Webhook-Timestamp': String(Math.floor(at / SECOND_MS)),
          'Webhook-Signature': webhook.sign('msg_1', new Date(at), body),
        }
        expect(verifyMessage({ headers: theirs, body: bytes(body) }, { current: text }, at)).toEqual(byStandard)
      }),
    )
  })

  interface Sending {
    readonly body?: string
    readonly offMs?: number
    readonly secret?: string
  }
  const wrong: readonly (readonly [string, Sending])[] = [
    ['a changed body', { body: '{"test": 2432232315}' }],
    ['a message of six minutes ago', { offMs: -360_000 }],
    ['one of six minutes ahead', { offMs: 360_000 }],
    ['one by another secret', { secret: NEW }],
  ]
  test.each(wrong)('refuses, as we do, %s', (_, { body = message.body, offMs = 0, secret = OLD }) => {
    const now = Date.now()
    const headers = signMessage({ ...message, at: now + offMs }, { current: OLD })
    expect(() => new Webhook(secret).verify(body, headers)).toThrow()
    expect(verifyMessage({ headers, body: bytes(body) }, { current: secret }, now)).toMatchObject({ ok: false })
  })
})

describe('is refused', () => {
  test('any byte of the body that was changed, by either signature', () => {
    fc.assert(
      fc.property(
        bodies.filter((body) => body !== ''),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (body, at, change) => {
          const { 'webhook-signature': _, ...ownOnly } = signMessage({ ...message, body }, { current: OLD })
          const changed = bytes(body)
          changed[at % changed.length]! ^= change
          const all = signMessage({ ...message, body }, { current: OLD })
          expect(verifyMessage({ headers: all, body: changed }, { current: OLD }, SENT_AT).ok).toBe(false)
          expect(verifyMessage({ headers: ownOnly, body: changed }, { current: OLD }, SENT_AT).ok).toBe(false)
        },
      ),
    )
  })

  test('another id or another time, for both are signed', () => {
    expect(check({ headers: { 'webhook-id': 'msg_2' } })).toEqual(refused('something was changed'))
    expect(check({ headers: { 'webhook-timestamp': '1614265331' } })).toEqual(refused('something was changed'))
  })

  test('what is older than five minutes or as far ahead, to the second', () => {
    expect(check({ now: SENT_AT + 300 * SECOND_MS })).toEqual(byStandard)
    expect(check({ now: SENT_AT + 301 * SECOND_MS })).toEqual(refused('301 s ago'))
    expect(check({ now: SENT_AT - 300 * SECOND_MS })).toEqual(byStandard)
    expect(check({ now: SENT_AT - 301 * SECOND_MS })).toEqual(refused('301 s in the future'))
  })

  test('another secret, of either kind', () => {
    expect(check({ secrets: { current: NEW } })).toEqual(refused('another secret'))
    expect(check({ secrets: { current: PLAIN } })).toEqual(refused('only a whsec_ secret'))
    const { 'webhook-signature': _, ...headers } = signMessage(message, { current: OLD })
    const sent = { headers, body: bytes(message.body) }
    expect(verifyMessage(sent, { current: OLD }, SENT_AT)).toEqual(byOwn)
    expect(verifyMessage(sent, { current: NEW }, SENT_AT)).toEqual(refused('x-obs-signature does not fit the body'))
  })

  test.each([
    ['no id', { 'webhook-id': '' }, 'webhook-id is missing'],
    ['no time', { 'webhook-timestamp': '' }, 'webhook-timestamp is not a number'],
    ['a time in words', { 'webhook-timestamp': '2021-02-25T15:02:10Z' }, 'webhook-timestamp is not a number'],
    ['a time that is nearly a number', { 'webhook-timestamp': '1614265330.0' }, 'webhook-timestamp is not a number'],
    [
      'a time in milliseconds',
      { 'webhook-timestamp': '1614265330000' },
      'webhook-timestamp is not a number of seconds',
    ],
    ['an empty signature, though the other one fits', { 'webhook-signature': '' }, 'no signature of webhook-signature'],
    [
      'a signature of a kind we do not know',
      { 'webhook-signature': 'v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=' },
      'no signature',
    ],
    [
      'a signature that was cut',
      { 'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE' },
      'no signature',
    ],
  ])('%s', (_, headers, reason) => {
    expect(check({ headers })).toEqual(refused(reason))
  })

  test('a message without any signature', () => {
    const sent = { headers: { 'webhook-id': 'msg_1', 'webhook-timestamp': '1614265330' }, body: bytes('{}') }
    expect(verifyMessage(sent, { current: OLD }, SENT_AT)).toEqual(refused('neither webhook-signature nor'))
  })
})

test('white space around a value is no part of it, and the case of a name makes no difference', () => {
  const signed = Object.entries(signMessage(message, { current: OLD }))
  const headers = Object.fromEntries(signed.map(([name, value]) => [name.toUpperCase(), ` ${value}\t`]))
  expect(verifyMessage({ headers, body: bytes(message.body) }, { current: OLD }, SENT_AT)).toEqual(byStandard)
})

test('one signature that fits is enough, among others and in any order', () => {
  const { 'webhook-signature': fits } = signMessage(message, { current: OLD })
  const signature = `v1a,abc v1,${'A'.repeat(43)}= ${fits} v2,abc`
  expect(check({ headers: { 'webhook-signature': signature } })).toEqual(byStandard)
})

describe('while a secret is rotated', () => {
  const rotating = { current: NEW, previous: OLD }
  const sentBy = (secrets: SigningSecrets) => ({ headers: signMessage(message, secrets), body: bytes(message.body) })
  const knows = (current: string): SigningSecrets => ({ current })

  test('a message carries a signature by each, the newest first; the other header is by the newest', () => {
    const headers = signMessage(message, rotating)
    const [byNew, byOld] = [NEW, OLD].map((current) => signMessage(message, { current }))
    expect(headers['webhook-signature']).toBe(`${byNew!['webhook-signature']} ${byOld!['webhook-signature']}`)
    expect(headers['x-obs-signature']).toBe(byNew!['x-obs-signature'])
  })

  test('receivers that know either secret accept, ours and that of npm; afterwards only those that know the new one', () => {
    for (const secret of [OLD, NEW]) {
      expect(verifyMessage(sentBy(rotating), knows(secret), SENT_AT)).toEqual(byStandard)
      const headers = signMessage({ ...message, at: Date.now() }, rotating)
      expect(() => new Webhook(secret).verify(message.body, headers)).not.toThrow()
    }
    expect(verifyMessage(sentBy(knows(NEW)), knows(NEW), SENT_AT)).toEqual(byStandard)
    expect(verifyMessage(sentBy(knows(NEW)), knows(OLD), SENT_AT)).toEqual(refused('another secret'))
  })

  test('a receiver that knows both accepts what was signed with either, by both headers', () => {
    for (const secret of [OLD, NEW]) {
      const { headers, body } = sentBy(knows(secret))
      expect(verifyMessage({ headers, body }, rotating, SENT_AT)).toEqual(byStandard)
      const { 'webhook-signature': _, ...ownOnly } = headers
      expect(verifyMessage({ headers: ownOnly, body }, rotating, SENT_AT)).toEqual(byOwn)
    }
  })

  test('to or from a secret that is no whsec_, only those that are sign in webhook-signature', () => {
    const one = signMessage(message, { current: PLAIN, previous: OLD })
    expect(one['webhook-signature']).toBe(signMessage(message, knows(OLD))['webhook-signature'])
    expect(one['x-obs-signature']).toBe(signMessage(message, knows(PLAIN))['x-obs-signature'])
  })
})

describe('a secret', () => {
  const base64 = (length: number): string => Buffer.alloc(length, 'k').toString('base64')

  test.each([`whsec_${base64(24)}`, `whsec_${base64(64)}`, 'x'.repeat(24), '秘'.repeat(8), OLD, PLAIN])(
    'such as %s is one',
    (secret) => {
      expect(secretFault(secret)).toBeUndefined()
    },
  )

  test.each([
    ['', 'shorter than 24 bytes'],
    ['x'.repeat(23), 'shorter than 24 bytes'],
    ['whsec_', 'stands for 0 bytes'],
    [`whsec_${base64(23)}`, 'stands for 23 bytes'],
    [`whsec_${base64(65)}`, 'stands for 65 bytes'],
    [`whsec_${base64(32).slice(0, -1)}`, 'not Base64 with its padding'],
    [`whsec_${base64(32)}\n`, 'not Base64'],
    ['whsec_this is no Base64 but long enough', 'not Base64'],
  ])('such as "%s" is none; the reason does not repeat it and says how to make one', (secret, reason) => {
    const fault = secretFault(secret)
    expect(fault).toContain(reason)
    expect(fault).toMatch(/; make one with: printf 'whsec_%s' "\$\(openssl rand -base64 32\)"$/)
    if (secret.length > 'whsec_'.length) expect(fault).not.toContain(secret.replace('whsec_', ''))
  })
})
