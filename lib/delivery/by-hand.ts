import type { TopicCodec } from '#lib/codec/avro.ts'
import { ObstreamError } from '#lib/errors.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import type { Instant, Milliseconds } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import {
  ATTEMPT_TAKES_MS,
  concludeAttempt,
  isEarlierUnderWay,
  makeAttempt,
  type Sendable,
  type Sender,
} from './attempt.ts'
import type { Classified } from './classify.ts'
import type { DeliveryFact, DeliveryIntent, MessageName } from './facts.ts'
import { Ledger, type LedgerMessage } from './ledger.ts'
import { isUnderWay } from './next-step.ts'
import { type FailedAttempt, nextAttemptAt } from './retry-schedule.ts'

/** A message, and the ledger that it stands in. */
export interface LedgerPlace {
  readonly ledger: Ledger
  readonly message: LedgerMessage
}

/** What a receiver made of one request. */
export interface Answer extends Classified {
  /** When it was sent. */
  readonly at: Instant
  readonly durationMs: Milliseconds
}

/** Looks for messages in all that the log remembers. @returns those that were found, by id */
export async function findMessages(
  log: EventLog,
  codec: TopicCodec<DeliveryFact>,
  messageIds: ReadonlySet<string>,
): Promise<ReadonlyMap<string, LedgerPlace>> {
  const found = new Map<string, LedgerPlace>()
  for (const { partition } of await log.offsets(topics.delivery.name)) {
    const ledger = await Ledger.open(log, codec, { partition, sinceAt: 0 })
    for (const message of ledger.messages())
      if (messageIds.has(message.decision.messageId)) found.set(message.decision.messageId, { ledger, message })
  }
  return found
}

/** Sends a message once, with nothing said of it. */
export async function sendOnce(sender: Sender, message: Sendable, clock: Clock): Promise<Answer> {
  const at = clock.now()
  const beganAtMs = clock.monotonicMs()
  const answer = await sender.post(message, at)
  return { ...answer, at, durationMs: Math.round(clock.monotonicMs() - beganAtMs) }
}

const HAND = /^by hand \S+, (.*)$/s

/** Who makes an attempt by hand, as its intent names it: the command that asks for it, who gave it, and why. */
export function handOf(commandId: string, { by, reason }: { readonly by: string; readonly reason: string }): string {
  return `by hand ${commandId}, ${by}: ${reason}`
}

/** Who made an attempt by hand, and why; `undefined`: a courier made it. */
export function handWords({ courier }: Pick<DeliveryIntent, 'courier'>): string | undefined {
  return HAND.exec(courier)?.[1]
}

export interface ByHand {
  readonly clock: Clock
  readonly sender: Sender
  /** `handOf`; unique, since an intent with it is ours. */
  readonly courier: string
  /** Sent though the channel has heard something newer. */
  readonly insists: boolean
  /** `delivery.retry_wait_seconds`. */
  readonly retryWaitMs: Milliseconds
}

/**
 * Makes the next attempt of a message out of turn: intent, request, outcome, as a courier does it and beside one that runs.
 * One that may pass leaves a courier's plan as it was: what was given up stays so, what is still tried is tried again, though
 * not sooner than after a first failure. One that tells that trying again would not help ends the plan, as it does for a courier.
 *
 * @throws OBS_DELIVERY_UNDER_WAY when somebody else is making an attempt; nothing was sent then · what `Ledger.claim` throws
 */
export async function sendByHand({ ledger, message }: LedgerPlace, by: ByHand): Promise<Answer & { attempt: number }> {
  const { clock, sender, courier, insists } = by
  const now = clock.now()
  if (isUnderWay(message, ATTEMPT_TAKES_MS, now)) throw underWay(message.decision)
  if (!insists && isEarlierUnderWay(ledger, message, now)) throw underWay(message.decision)
  const last = message.attempts.at(-1)
  if (last && !last.outcome) await concludeAttempt(ledger, message, { clock, nextAt: (_, at) => at })
  const attempt = (last?.intent.attempt ?? 0) + 1
  const made = await makeAttempt(ledger, message, attempt, {
    clock,
    courier,
    insists,
    sender: () => sender,
    nextAt: ({ retryAfter }, failedAt) => nextAfter(message, { retryAfter, failedAt }, by),
  })
  if (!made) throw underWay(message.decision)
  const { answer, at, durationMs } = made
  return { ...answer, at, durationMs, attempt }
}

/** Not sooner than after a first failure, nor than it was planned. */
function nextAfter(
  { decision: { messageId }, attempts }: LedgerMessage,
  failure: Pick<FailedAttempt, 'retryAfter' | 'failedAt'>,
  { retryWaitMs, sender }: ByHand,
): Instant | null {
  const told = attempts.flatMap(({ outcome }) => outcome ?? [])
  if (told.some(({ nextAttemptAt: at }) => at === null)) return null
  const first = { maxRetries: 1, waitMs: retryWaitMs, slowForMs: 0 }
  const failed = { messageId, attempt: 1, firstAttemptAt: failure.failedAt, leastMs: sender.leastRetryMs, ...failure }
  return Math.max(nextAttemptAt(first, failed)!.at, told.at(-1)?.nextAttemptAt ?? 0)
}

function underWay({ messageId, channel }: MessageName): ObstreamError {
  return new ObstreamError(
    'OBS_DELIVERY_UNDER_WAY',
    `${messageId} is being sent to ${channel} at this moment; see how that goes with \`obstream status\`, then try again`,
  )
}
