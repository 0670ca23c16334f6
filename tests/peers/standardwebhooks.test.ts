import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect } from '@jest/globals'
import fc from 'fast-check'
import { type HttpPoster, openHttpPoster, type PostAnswer } from '#lib/delivery/http-post.ts'
import { type SigningSecrets, signMessage } from '#lib/delivery/signature.ts'
import { MINUTE_MS } from '#lib/time.ts'
import { openPythonReceiver, type PythonReceiver, pythonReceiverMissing } from '#tests/support/python-receiver.ts'
import { testNeeding } from '#tests/support/required.ts'

/** A receiver that is not ours: in Python, with the `standardwebhooks` of PyPI. Our own poster tells it. */

const makeSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`
const before = makeSecret()
const now = makeSecret()
const missing = pythonReceiverMissing()

let receiver: PythonReceiver
let poster: HttpPoster
beforeAll(async () => {
  if (missing !== undefined) return
  receiver = await openPythonReceiver({ '/knows-before': before, '/knows-now': now })
  poster = openHttpPoster({ allowHosts: ['127.0.0.1'], env: {} })
})
afterAll(async () => {
  await poster?.close()
  await receiver?.close()
})

interface Sending {
  readonly to?: '/knows-before' | '/knows-now'
  readonly secrets?: SigningSecrets
  /** Default: what is sent. */
  readonly signed?: string
  readonly offMs?: number
}

/** @returns status and text of the answer, in one line */
async function send(body: string, sending: Sending = {}): Promise<string> {
  const { to = '/knows-now', secrets = { current: now }, signed = body, offMs = 0 } = sending
  const signature = signMessage({ id: 'msg_1', at: Date.now() + offMs, body: signed }, secrets)
  const headers = { 'content-type': 'application/json', ...signature }
  const answer: PostAnswer = await poster.post({ url: receiver.url(to), headers, body })
  return answer.kind === 'answered' ? `${answer.status} ${answer.body}` : `${answer.kind}: ${answer.reason}`
}

const BODY = '{"type":"obs.alert.opened","message":"重大 router_demo 🙂"}'
const ACCEPTED = '200 accepted'
const NO_MATCH = '400 No matching signature found'

describe('a receiver in Python', () => {
  testNeeding(missing, 'accepts what obstream signs, whatever characters are in it', async () => {
    expect(await send(BODY)).toBe(ACCEPTED)
    const texts = fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed())
    await fc.assert(
      fc.asyncProperty(texts, async (message) => {
        expect(await send(JSON.stringify({ message }))).toBe(ACCEPTED)
      }),
      { numRuns: 50 },
    )
  })

  testNeeding(missing, 'refuses a changed byte and another secret', async () => {
    expect(await send(BODY.replace('opened', 'openeD'), { signed: BODY })).toBe(NO_MATCH)
    expect(await send(BODY, { secrets: { current: makeSecret() } })).toBe(NO_MATCH)
  })

  testNeeding(missing, 'refuses what is more than five minutes old or ahead, and nothing nearer', async () => {
    expect(await send(BODY, { offMs: -6 * MINUTE_MS })).toBe('400 Message timestamp too old')
    expect(await send(BODY, { offMs: 6 * MINUTE_MS })).toBe('400 Message timestamp too new')
    expect(await send(BODY, { offMs: -4 * MINUTE_MS })).toBe(ACCEPTED)
    expect(await send(BODY, { offMs: 4 * MINUTE_MS })).toBe(ACCEPTED)
  })

  testNeeding(missing, 'accepts by either secret while they are rotated, then by the new one only', async () => {
    const rotating = { current: now, previous: before }
    expect(await send(BODY, { to: '/knows-before', secrets: rotating })).toBe(ACCEPTED)
    expect(await send(BODY, { to: '/knows-now', secrets: rotating })).toBe(ACCEPTED)
    expect(await send(BODY, { to: '/knows-before', secrets: { current: now } })).toBe(NO_MATCH)
    expect(await send(BODY, { to: '/knows-now', secrets: { current: now } })).toBe(ACCEPTED)
  })

  testNeeding(missing, 'refuses what was signed with a secret that is no whsec_', async () => {
    const secrets = { current: "It's a Secret to Everybody" }
    expect(await send(BODY, { secrets })).toBe('400 Missing required headers')
  })
})
