import type { TopicCodec } from '#lib/codec/avro.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import { DAY_MS, type Instant } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import type { DeliveryFact, DeliveryResult } from './facts.ts'
import { Ledger, type LedgerMessage } from './ledger.ts'
import { type MessageCircumstances, type MessageState, stateOf } from './message-state.ts'
import { isAccepted } from './next-step.ts'

/** One message that was to be sent, as people ask for it. */
export interface Delivery {
  /** Of its last attempt; before the first one, of the decision. */
  readonly at: Instant
  readonly channel: string
  readonly subject: string
  readonly messageId: string
  readonly messageType: string
  /**
   * Of its last attempt, unless an earlier one was accepted. `waiting`: there was none; `under_way`: it has not been told;
   * `overtaken`: the channel has accepted something newer, so it is not sent any more.
   */
  readonly result: DeliveryResult | 'waiting' | 'under_way' | 'overtaken'
  /** HTTP status; `null` without an answer. */
  readonly status: number | null
  readonly attempts: number
  /** `null`: there is no further attempt, or it is not known when. */
  readonly nextAttemptAt: Instant | null
  /** Subject of what the channel has accepted since. */
  readonly overtakenBy: string | null
}

/** What was decided longer ago is not looked at. */
export const DELIVERIES_SINCE_MS = 7 * DAY_MS

/** The messages that something happened to last, the newest first, of those decided to be sent in the last seven days. */
export async function readLastDeliveries(
  log: EventLog,
  codec: TopicCodec<DeliveryFact>,
  { now, count, fastAttempts }: Omit<MessageCircumstances, 'ledger'> & { readonly count: number },
): Promise<readonly Delivery[]> {
  const deliveries: Delivery[] = []
  for (const { partition } of await log.offsets(topics.delivery.name)) {
    const sinceAt = now - DELIVERIES_SINCE_MS
    const ledger = await Ledger.open(log, codec, { partition, sinceAt })
    for (const message of ledger.messages())
      if (message.decision.send && message.decision.decidedAt >= sinceAt)
        deliveries.push(deliveryOf(message, stateOf(message, { ledger, fastAttempts, now })))
  }
  return deliveries.toSorted((a, b) => b.at - a.at).slice(0, count)
}

function deliveryOf(message: LedgerMessage, state: MessageState): Delivery {
  const { decision, attempts } = message
  const { channel, subject, messageId, messageType, decidedAt } = decision
  const last = attempts.at(-1)
  const told = isAccepted(message) ? attempts.findLast(({ outcome }) => outcome?.result === 'accepted') : last
  const result = last ? (told!.outcome?.result ?? 'under_way') : 'waiting'
  return {
    at: last?.outcome?.at ?? last?.intent.at ?? decidedAt,
    channel,
    subject,
    messageId,
    messageType: messageType!,
    result: state.kind === 'overtaken' ? state.kind : result,
    status: told?.outcome?.status ?? null,
    attempts: attempts.length,
    nextAttemptAt: state.kind === 'not_delivered' ? state.nextAttemptAt : null,
    overtakenBy: state.kind === 'overtaken' ? state.by : null,
  }
}
