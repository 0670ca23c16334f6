import type { DeliveryResult } from './facts.ts'
import type { PostAnswer } from './http-post.ts'

export interface Classified {
  readonly result: DeliveryResult
  /** Of the answer; `null` when there was none. */
  readonly status: number | null
  /** Why there was no answer, or the beginning of its body, at most 200 bytes of UTF-8; `null` for an empty body. */
  readonly detail: string | null
  /** `Retry-After` as it came. */
  readonly retryAfter: string | null
}

const MAX_DETAIL_BYTES = 200

const statuses: ReadonlyMap<number, DeliveryResult> = new Map([
  [401, 'unauthorized'],
  [403, 'unauthorized'],
  [408, 'retry'],
  [410, 'gone'],
  [425, 'retry'],
  [429, 'retry'],
])

/** By the first digit of the status, for those not named above. */
const statusClasses: ReadonlyMap<number, DeliveryResult> = new Map([
  [2, 'accepted'],
  [3, 'redirect'],
  [4, 'rejected'],
])

const withoutAnswer = {
  not_sent: 'retry',
  lost: 'unknown',
  forbidden: 'forbidden',
} as const satisfies Record<Exclude<PostAnswer['kind'], 'answered'>, DeliveryResult>

/**
 * What to make of an answer, the same on every channel.
 *
 * A status that HTTP does not know (1xx as the last one, 600 and more) counts as 5xx, as RFC 9110 §15 says. A 2xx that
 * `isAccepted` does not take is `rejected`: another answer than the channel's contract knows is not mended by repeating.
 *
 * @param isAccepted asked for 2xx only; default: any is. Slack takes 200 with the body `ok`
 */
export function classify(
  answer: PostAnswer,
  isAccepted: (status: number, body: string) => boolean = () => true,
): Classified {
  if (answer.kind !== 'answered')
    return { result: withoutAnswer[answer.kind], status: null, detail: answer.reason, retryAfter: null }
  const { status, body, retryAfter } = answer
  const byStatus = statuses.get(status) ?? statusClasses.get(Math.floor(status / 100)) ?? 'retry'
  const result = byStatus === 'accepted' && !isAccepted(status, body) ? 'rejected' : byStatus
  return { result, status, detail: beginning(body), retryAfter }
}

function beginning(body: string): string | null {
  const bytes = Buffer.from(body)
  // While more may come, a decoder keeps the first part of a code point to itself.
  return (
    new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(0, MAX_DETAIL_BYTES), { stream: true }) || null
  )
}
