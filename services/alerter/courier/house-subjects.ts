import type { DeliveryDecision } from '#lib/delivery/facts.ts'
import { joinKey, keyPart } from '#lib/keys.ts'
import { formatInstantMs, type Instant, parseInstant, utcDay } from '#lib/time.ts'
import type { ChannelNotice, SamplerNotice } from '../messages/notice.ts'

/** What concerns no single alert, as the ledger names it, and as people are told of it. */
export type HouseNotice = ChannelNotice | SamplerNotice

/** A channel that takes nothing any more: `channel/ops/gone/2026-06-27`, once a day. */
export function channelSubject(channel: string, reason: ChannelNotice['reason'], at: Instant): string {
  return joinKey('channel', keyPart(channel), reason, utcDay(at))
}

/** A silence of the sampler, and its end: `sampler/2026-06-27T20:00:00.000Z/silent`, the instant of the last tick before it. */
export function samplerSubject(sinceAt: Instant, what: 'silent' | 'back'): string {
  return joinKey('sampler', formatInstantMs(sinceAt), what)
}

const SAMPLER = /^sampler\/([^/]+)\/(silent|back)$/
const CHANNEL = /^channel\/([^/]+)\/([^/]+)\/[^/]+$/

/** What `samplerSubject` was made from; `undefined` for another subject. */
export function parseSamplerSubject(subject: string): { readonly sinceAt: Instant; readonly what: string } | undefined {
  const [, time, what] = SAMPLER.exec(subject) ?? []
  return time === undefined ? undefined : { sinceAt: parseInstant(time)!, what: what! }
}

/** Whether a subject concerns no single alert. */
export function isOfHouse(subject: string): boolean {
  return /^(channel|sampler)\//.test(subject)
}

/** The subject under which the end of this one is told; `undefined`: it has none. */
export function endOf(subject: string): string | undefined {
  const sampler = parseSamplerSubject(subject)
  return sampler?.what === 'silent' ? samplerSubject(sampler.sinceAt, 'back') : undefined
}

/** What a decision was about, for somebody else who is to be told. The status that a channel answered is not in it. */
export function houseNoticeOf({
  subject,
  decidedAt: at,
}: Pick<DeliveryDecision, 'subject' | 'decidedAt'>): HouseNotice {
  const sampler = parseSamplerSubject(subject)
  if (sampler)
    return { kind: sampler.what === 'silent' ? 'sampler_silent' : 'sampler_back', sinceAt: sampler.sinceAt, at }
  const [, channel, reason] = CHANNEL.exec(subject)!
  return {
    kind: 'channel_failed',
    channel: decodeURIComponent(channel!),
    reason: reason as ChannelNotice['reason'],
    status: null,
    at,
  }
}
