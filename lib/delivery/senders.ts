import { canonicalJson } from '#lib/codec/canonical-json.ts'
import { sha256Hex } from '#lib/codec/sha256.ts'
import type { ChannelConfig } from '#lib/config.ts'
import { type Instant, MINUTE_MS, SECOND_MS } from '#lib/time.ts'
import type { Sendable, Sender } from './attempt.ts'
import { classify } from './classify.ts'
import type { HttpPoster, PostAnswer, PostRequest } from './http-post.ts'
import { maskOf } from './masking.ts'
import { signMessage } from './signature.ts'

/** What a message becomes on the wire of each kind of channel, and how a kind is to be treated. */
interface Kind {
  request(channel: ReadyChannel, message: Sendable, at: Instant): PostRequest
  readonly isAccepted?: (status: number, body: string) => boolean
  readonly leastRetryMs: number
  readonly intervalMs: number
}

type ReadyChannel = ChannelConfig & { readonly url: string }

const CONTENT = { 'content-type': 'application/json', 'user-agent': 'obstream' }

const kinds: Readonly<Record<ChannelConfig['kind'], Kind>> = {
  /** Standard Webhooks 1.0, and `X-OBS-Signature`. */
  webhook: {
    request: ({ url, secret, previousSecret }, { messageId, body }, at) => {
      const message = { id: messageId, at, body: body! }
      const secrets = { current: secret!, ...(previousSecret === null ? {} : { previous: previousSecret }) }
      return { url, headers: { ...CONTENT, ...signMessage(message, secrets) }, body: body! }
    },
    leastRetryMs: 0,
    intervalMs: 0,
  },
  /** Events API v2: about 120 calls a minute for each key, and a minute between two tries. */
  pagerduty: {
    request: ({ url, secret }, { body }) => ({
      url,
      headers: CONTENT,
      body: canonicalJson({ ...(JSON.parse(body!) as object), routing_key: secret }),
    }),
    leastRetryMs: MINUTE_MS,
    intervalMs: SECOND_MS / 2,
  },
  /** Incoming webhooks: one message a second. */
  slack: {
    request: ({ url }, { body }) => ({ url, headers: CONTENT, body: body! }),
    isAccepted: (status, body) => status === 200 && body.trim() === 'ok',
    leastRetryMs: 0,
    intervalMs: SECOND_MS,
  },
}

/**
 * The way to the receiver of a channel.
 *
 * @returns `undefined` when its secrets are not set: then nothing can be sent
 */
export function openSender(channel: ChannelConfig, poster: HttpPoster): Sender | undefined {
  const { url, secret } = channel
  if (url === null || (secret === null && channel.kind !== 'slack')) return undefined
  const { request, isAccepted, leastRetryMs, intervalMs } = kinds[channel.kind]
  const ready = { ...channel, url }
  const mask = maskOf(channel)
  return {
    leastRetryMs,
    intervalMs,
    paceKey: paceKeyOf(ready),
    post: async (message, at) =>
      classify(withoutSecrets(await poster.post(request(ready, message, at)), mask), isAccepted),
  }
}

/** PagerDuty counts by key, the others by address. */
function paceKeyOf({ kind, url, secret }: ReadyChannel): string {
  return sha256Hex(`${kind} ${kind === 'pagerduty' ? secret : (URL.parse(url)?.href ?? url)}`)
}

/** An answer that may be recorded. */
function withoutSecrets(answer: PostAnswer, mask: (text: string) => string): PostAnswer {
  if (answer.kind !== 'answered') return answer
  const { body, retryAfter } = answer
  return { ...answer, body: mask(body), retryAfter: retryAfter === null ? null : mask(retryAfter) }
}
