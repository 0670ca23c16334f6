import type { DeliveryDecision } from '#lib/delivery/facts.ts'
import { Ledger, type LedgerMessage } from '#lib/delivery/ledger.ts'
import { codecOf, type Environment } from '#lib/runtime/environment.ts'
import { topics } from '#lib/topics.ts'
import type { Arrival } from './fast-receiver.ts'

/** All messages of a log, in the order of their decisions, partition by partition. */
export async function messagesIn(env: Environment): Promise<readonly LedgerMessage[]> {
  const messages: LedgerMessage[] = []
  for (const { partition } of await env.log.offsets(topics.delivery.name)) {
    const ledger = await Ledger.open(env.log, codecOf(env, topics.delivery), { partition, sinceAt: 0 })
    messages.push(...ledger.messages())
  }
  return messages
}

/** A decision to send. */
export type Sent = DeliveryDecision & { readonly body: string }

export function sentAmong(messages: readonly LedgerMessage[]): readonly Sent[] {
  return messages.flatMap(({ decision }) =>
    decision.send && decision.body !== null ? [{ ...decision, body: decision.body }] : [],
  )
}

/**
 * Holds what came against what was decided: every message once, under its id and byte for byte, and nothing else.
 *
 * @throws Error with what differs
 */
export function assertDelivered(sent: readonly Sent[], arrivals: readonly Arrival[]): void {
  const decided = new Map(sent.map(({ messageId, body }) => [messageId, body]))
  for (const { messageId, body } of arrivals) {
    if (messageId === null || decided.get(messageId) !== body)
      throw new Error(`${messageId} came, and not as it was decided, or twice`)
    decided.delete(messageId)
  }
  if (decided.size > 0) throw new Error(`${decided.size} of ${sent.length} messages never came`)
}
