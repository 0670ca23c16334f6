import { sha256Hex } from '#lib/codec/sha256.ts'
import { joinKey, keyPart } from '#lib/keys.ts'
import type { DeliveryFact, MessageName } from './facts.ts'

/** As many hex digits as nobody guesses and everybody can still compare by eye. */
const ID_DIGITS = 32

/**
 * The name of what a channel is told about a subject. Its `messageId` is the same for every courier and every attempt, so
 * that a receiver can tell copies apart.
 *
 * @param env name of the installation: a receiver may hear of several
 */
export function messageName(env: string, subject: string, channel: string): MessageName {
  const messageId = `msg_${sha256Hex(joinKey(env, keyPart(channel), subject)).slice(0, ID_DIGITS)}`
  return { subject, channel, messageId }
}

/**
 * The key of a fact of the ledger: `subject/channel/decision`, with `/dry-run` behind it for one that sends nothing;
 * `subject/channel/attempt/intent`, `subject/channel/attempt/outcome`, the attempt with three digits so that keys sort.
 */
export function deliveryFactKey(fact: DeliveryFact): string {
  const message = messageKey(fact)
  if (fact.type === 'decision') return joinKey(message, 'decision', ...(fact.dryRun ? ['dry-run'] : []))
  return joinKey(message, String(fact.attempt).padStart(3, '0'), fact.type)
}

/**
 * Messages of one lane go out one after the other, in the order in which they were decided: those about one alert, or whatever
 * else a subject names with all but its last part, on one channel.
 */
export function laneOf({ subject, channel }: Pick<MessageName, 'subject' | 'channel'>): string {
  return joinKey(subject.slice(0, subject.lastIndexOf('/')), keyPart(channel))
}

/** What the keys of all facts about one message begin with. */
export function messageKey({ subject, channel }: Pick<MessageName, 'subject' | 'channel'>): string {
  return joinKey(subject, keyPart(channel))
}
