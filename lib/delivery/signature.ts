import { createHmac, timingSafeEqual } from 'node:crypto'
import { type Instant, MINUTE_MS, SECOND_MS } from '#lib/time.ts'

/** What is signed. */
export interface SignedMessage {
  /** The same over all attempts. */
  readonly id: string
  /** Of this attempt; the header has whole seconds. */
  readonly at: Instant
  readonly body: string
}

/** While a secret is rotated there are two. */
export interface SigningSecrets {
  readonly current: string
  readonly previous?: string
}

export const WEBHOOK_HEADERS = {
  id: 'webhook-id',
  timestamp: 'webhook-timestamp',
  signature: 'webhook-signature',
} as const
export const OBS_SIGNATURE = 'x-obs-signature'

/** Of secrets that `webhook-signature` is made with. */
export const STANDARD_PREFIX = 'whsec_'
const STANDARD_KEY_BYTES = { min: 24, max: 64 }
const MIN_SECRET_BYTES = 24
const HOW_TO_MAKE_ONE = `make one with: printf 'whsec_%s' "$(openssl rand -base64 32)"`
/** Older or younger messages may be replayed ones. */
const TOLERANCE_MS = 5 * MINUTE_MS

/**
 * The headers that let a receiver check a message.
 *
 * - Standard Webhooks 1.0 (`webhook-id`, `webhook-timestamp`, `webhook-signature`): one `v1,` for each `whsec_` secret, the
 *   newest first; without such a secret there is no `webhook-signature`.
 * - `x-obs-signature: sha256=<hex>`: HMAC-SHA256 of the body alone, keyed with the newest secret as it is written, the scheme of
 *   GitHub. It has no time, so it does not protect against replay.
 */
export function signMessage(message: SignedMessage, { current, previous }: SigningSecrets): Record<string, string> {
  const timestamp = String(Math.floor(message.at / SECOND_MS))
  const keys = [current, previous].flatMap((secret) => (secret?.startsWith(STANDARD_PREFIX) ? [keyOf(secret)] : []))
  const signed = `${message.id}.${timestamp}.${message.body}`
  const signatures = keys.map((key) => `v1,${hmac(key, signed).toString('base64')}`)
  return {
    [WEBHOOK_HEADERS.id]: message.id,
    [WEBHOOK_HEADERS.timestamp]: timestamp,
    ...(signatures.length > 0 ? { [WEBHOOK_HEADERS.signature]: signatures.join(' ') } : {}),
    [OBS_SIGNATURE]: `sha256=${hmac(current, message.body).toString('hex')}`,
  }
}

/** What is wrong with a secret, and what to do; `undefined`: nothing. The text does not hold the secret. */
export function secretFault(secret: string): string | undefined {
  if (!secret.startsWith(STANDARD_PREFIX))
    return Buffer.byteLength(secret) >= MIN_SECRET_BYTES
      ? undefined
      : `it is shorter than ${MIN_SECRET_BYTES} bytes; ${HOW_TO_MAKE_ONE}`
  const text = secret.slice(STANDARD_PREFIX.length)
  const key = Buffer.from(text, 'base64')
  const { min, max } = STANDARD_KEY_BYTES
  if (key.toString('base64') !== text) return `what follows whsec_ is not Base64 with its padding; ${HOW_TO_MAKE_ONE}`
  if (key.length < min || key.length > max)
    return `what follows whsec_ stands for ${key.length} bytes; it must be ${min} to ${max}; ${HOW_TO_MAKE_ONE}`
  return undefined
}

export type Verified =
  | { readonly ok: true; readonly by: 'webhook-signature' | 'x-obs-signature'; readonly isReplaySafe: boolean }
  | { readonly ok: false; readonly reason: string }

/**
 * Checks a message as a receiver should: in constant time, any one signature of a known kind, by any of the secrets.
 *
 * Where `webhook-signature` is there, it decides, and the time must be within five minutes of `now`. Without it
 * `x-obs-signature` decides, which says nothing about time: whoever has seen the message can send it again.
 *
 * @param headers names in any case
 * @param body the bytes as they came, never parsed and written again
 */
export function verifyMessage(
  { headers, body }: { readonly headers: Readonly<Record<string, string>>; readonly body: Uint8Array },
  secrets: SigningSecrets,
  now: Instant,
): Verified {
  const named = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value.trim()]))
  const all = [secrets.current, ...(secrets.previous === undefined ? [] : [secrets.previous])]
  const signature = named.get(WEBHOOK_HEADERS.signature)
  if (signature !== undefined) return verifyStandard(named, body, { signature, secrets: all, now })
  const own = named.get(OBS_SIGNATURE)
  if (own === undefined)
    return { ok: false, reason: `there is neither ${WEBHOOK_HEADERS.signature} nor ${OBS_SIGNATURE}` }
  const isOurs = all.some((secret) => isSame(own, `sha256=${hmac(secret, body).toString('hex')}`))
  return isOurs
    ? { ok: true, by: 'x-obs-signature', isReplaySafe: false }
    : { ok: false, reason: `${OBS_SIGNATURE} does not fit the body: another secret, or the body was changed` }
}

function verifyStandard(
  headers: ReadonlyMap<string, string>,
  body: Uint8Array,
  parts: { readonly signature: string; readonly secrets: readonly string[]; readonly now: Instant },
): Verified {
  const [id, timestamp] = [headers.get(WEBHOOK_HEADERS.id), headers.get(WEBHOOK_HEADERS.timestamp)]
  if (!id) return { ok: false, reason: `${WEBHOOK_HEADERS.id} is missing` }
  if (timestamp === undefined || !/^\d{1,12}$/.test(timestamp))
    return { ok: false, reason: `${WEBHOOK_HEADERS.timestamp} is not a number of seconds` }
  const offMs = parts.now - Number(timestamp) * SECOND_MS
  if (Math.abs(offMs) > TOLERANCE_MS)
    return { ok: false, reason: `it was sent ${describeAge(offMs)}, which is more than five minutes: perhaps a replay` }
  const signed = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body])
  const keys = parts.secrets.filter((secret) => secret.startsWith(STANDARD_PREFIX)).map(keyOf)
  if (keys.length === 0)
    return { ok: false, reason: `only a ${STANDARD_PREFIX} secret can check ${WEBHOOK_HEADERS.signature}` }
  const candidates = parts.signature.split(' ')
  const isOurs = keys.some((key) => {
    const expected = `v1,${hmac(key, signed).toString('base64')}`
    return candidates.some((candidate) => isSame(candidate, expected))
  })
  return isOurs
    ? { ok: true, by: 'webhook-signature', isReplaySafe: true }
    : {
        ok: false,
        reason: `no signature of ${WEBHOOK_HEADERS.signature} fits: another secret, or something was changed`,
      }
}

function describeAge(offMs: number): string {
  const seconds = Math.round(Math.abs(offMs) / SECOND_MS)
  return offMs > 0 ? `${seconds} s ago` : `${seconds} s in the future`
}

const keyOf = (secret: string): Buffer => Buffer.from(secret.slice(STANDARD_PREFIX.length), 'base64')

function hmac(key: string | Buffer, content: string | Uint8Array): Buffer {
  return createHmac('sha256', key).update(content).digest()
}

function isSame(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}
