import { urlRefusals } from '#lib/delivery/address-guard.ts'
import type { Answer } from '#lib/delivery/by-hand.ts'
import type { DeliveryResult } from '#lib/delivery/facts.ts'
import { type FaultKind, faultKind } from '#lib/delivery/transport-faults.ts'
import { type ErrorCode, ObstreamError } from '#lib/errors.ts'
import { formatInstant, type Instant } from '#lib/time.ts'

/** `200 (accepted) after 12 ms`, or that there was no answer. */
export function answerText({ result, status, durationMs }: Answer): string {
  return `${status === null ? 'nothing' : status} (${result}) after ${durationMs} ms`
}

/** What an answer is in a summary. */
export function answerJson({ result, status, durationMs, detail }: Answer): object {
  return { result, response_code: status, duration_ms: durationMs, detail }
}

const LATER: ErrorCode = 'OBS_DELIVERY_UNAVAILABLE'
const MEND: ErrorCode = 'OBS_DELIVERY_REFUSED'

interface Advice {
  readonly code: ErrorCode
  readonly what: string
  readonly remedy: string
}

const advice: Readonly<Record<Exclude<DeliveryResult, 'accepted'>, Advice>> = {
  retry: { code: LATER, what: 'has not taken it', remedy: 'see whether it runs, then try again' },
  unknown: { code: LATER, what: 'may have taken it', remedy: 'ask the receiver before you try again' },
  rejected: {
    code: MEND,
    what: 'does not understand it',
    remedy: 'see whether the URL or key is the one of this receiver',
  },
  unauthorized: { code: MEND, what: 'refuses our credentials', remedy: 'set the variable of its secret or URL anew' },
  gone: { code: MEND, what: 'has closed this address', remedy: 'set the variable of its URL to the new one' },
  redirect: {
    code: MEND,
    what: 'points to another address, and redirects are never followed',
    remedy: 'set the variable of its URL to that one',
  },
  forbidden: {
    code: MEND,
    what: 'was not asked',
    remedy: 'see what `channels` says of it in obstream.yaml, and what its variables hold',
  },
}

/** By what the URL says, for who has to write another one. */
const urlRemedies: ReadonlyMap<string, string> = new Map([
  [urlRefusals.unreadable, 'set the variable of its URL to a whole one, https://… and no quotes around it'],
  [urlRefusals.scheme, 'set the variable of its URL to one that begins with https://'],
  [urlRefusals.credentials, 'take them out of the URL; the secret of a webhook has a variable of its own'],
  [urlRefusals.plain, 'use HTTPS, or name the host under delivery.allow_hosts'],
])

const faultRemedies: Readonly<Record<FaultKind, string>> = {
  certificate:
    'let its operator mend the certificate, or let this machine trust the authority behind it: NODE_EXTRA_CA_CERTS names a file',
  protocol: 'see whether the port in its URL is the one of HTTPS',
  name: 'see whether the host in its URL is written correctly',
}

const OTHER_ADDRESS = 'use a public address, or name the host under delivery.allow_hosts'

/** What to do where the result alone would advise something beside the point. */
function specialRemedy({ result, status, detail }: Answer): string | undefined {
  if (status === 429) return 'it wants fewer requests: wait, then try again'
  if (status !== null || detail === null) return undefined
  const isAboutAddress = detail.includes('delivery.allow_hosts')
  if (result === 'forbidden') return urlRemedies.get(detail) ?? (isAboutAddress ? OTHER_ADDRESS : undefined)
  const kind = result === 'retry' ? faultKind(detail) : undefined
  if (kind) return faultRemedies[kind]
  return isAboutAddress ? 'else mend what resolves it, then try again' : undefined
}

/** Why a message was not accepted, and what to do. */
export function refusalOf(channel: string, answer: Answer): ObstreamError | null {
  if (answer.result === 'accepted') return null
  const { code, what, remedy } = advice[answer.result]
  const status = answer.status === null ? '' : ` (${answer.status})`
  const detail = answer.detail === null ? '' : `: ${printable(answer.detail)}`
  return new ObstreamError(
    code,
    `the receiver of ${channel} ${what}${status}${detail}; ${specialRemedy(answer) ?? remedy}`,
  )
}

/** What a receiver wrote, for a terminal: on one line, and without what would move its cursor. */
export function printable(text: string): string {
  return text.replaceAll(/\p{C}+/gu, ' ').trim()
}

/** When a message is tried again. In the past: no courier has come to it. */
export function nextAttemptWords(at: Instant, now: Instant): string {
  return at > now ? `next attempt at ${formatInstant(at)}` : `next attempt due since ${formatInstant(at)}`
}
