import type { Clock } from '#lib/runtime/clock.ts'
import { type Instant, type Milliseconds, SECOND_MS } from '#lib/time.ts'
import type { Classified } from './classify.ts'
import type { DeliveryDecision, DeliveryOutcome, MessageName } from './facts.ts'
import type { Ledger, LedgerMessage } from './ledger.ts'
import { isAccepted, isUnderWay, obsoleteBy } from './next-step.ts'

/** What of a decision goes out. */
export type Sendable = Pick<DeliveryDecision, 'messageId' | 'body'>

/** The way to one receiver. */
export interface Sender {
  /** Sends the body once. Never throws for what the receiver does; what is told of its answer holds no secret. */
  post(message: Sendable, at: Instant): Promise<Classified>
  /** Before a request that failed is tried again, whatever the schedule says. */
  readonly leastRetryMs: Milliseconds
  /** Between two requests. */
  readonly intervalMs: Milliseconds
  /** The same for all channels that lead to one receiver, which counts their requests together. Holds no secret. */
  readonly paceKey: string
}

/** From an intent to its outcome: the time-out of a request, and as much for the log. */
export const ATTEMPT_TAKES_MS = 30 * SECOND_MS
/** Who comes to send later than this after his intent does not: when the request ended, others might have gone on long ago. */
const LATEST_START_MS = ATTEMPT_TAKES_MS / 2

export interface Attempting {
  readonly clock: Clock
  /** Who makes the attempt; unique: an intent with it is ours. */
  readonly courier: string
  /** It is sent though the channel has heard something newer. Default `false`. */
  readonly insists?: boolean
  /** Asked when it is time to send. `undefined`: there is no such channel any more. */
  sender(): Sender | undefined
  /** When the message is due again; `null`: never. */
  nextAt(answer: Classified, failedAt: Instant): Instant | null
}

export interface Attempted {
  readonly answer: Classified
  /** When it was sent. */
  readonly at: Instant
  readonly durationMs: Milliseconds
}

/**
 * Makes an attempt: says first that it will, does it only if it was the first to say so, and says how it went.
 *
 * @param attempt its number, one more than that of the last one
 * @returns `null` when somebody else makes this attempt
 * @throws what `Ledger.claim` throws
 */
export async function makeAttempt(
  ledger: Ledger,
  { decision }: LedgerMessage,
  attempt: number,
  by: Attempting,
): Promise<Attempted | null> {
  const { clock, courier } = by
  const name = nameOf(decision)
  const at = clock.now()
  const saidAtMs = clock.monotonicMs()
  await ledger.claim([{ type: 'intent', ...name, attempt, at, courier }])
  const { intent } = ledger.message(name)!.attempts.find((known) => known.intent.attempt === attempt)!
  if (intent.courier !== courier || intent.at !== at) return null
  const beganAtMs = clock.monotonicMs()
  const isLate = Math.max(beganAtMs - saidAtMs, clock.now() - at) > LATEST_START_MS
  const hindrance = isLate ? stoodStill : by.insists ? undefined : hindranceOf(ledger, decision, clock.now())
  const answer = hindrance ?? (await by.sender()?.post(decision, at)) ?? noChannel
  const durationMs = Math.round(clock.monotonicMs() - beganAtMs)
  await tell(ledger, name, { attempt, durationMs, answer }, by)
  return { answer, at, durationMs }
}

/** What others have said between the moment in which the attempt was due and our intent. */
function hindranceOf(ledger: Ledger, decision: DeliveryDecision, now: Instant): Classified | undefined {
  const message = ledger.message(decision)!
  if (obsoleteBy(message, ledger.laneWith(message))) return overtaken
  return isEarlierUnderWay(ledger, message, now) ? outOfTurn : undefined
}

/** Whether a message that was decided before this one is being sent to the same channel at the moment. */
export function isEarlierUnderWay(ledger: Ledger, message: LedgerMessage, now: Instant): boolean {
  const earlier = ledger.laneWith(message).filter(({ order }) => order < message.order)
  return earlier.some((other) => !isAccepted(other) && isUnderWay(other, ATTEMPT_TAKES_MS, now))
}

/** Says of an attempt whose courier has said nothing for longer than one takes that it may have arrived. */
export async function concludeAttempt(
  ledger: Ledger,
  { decision, attempts }: LedgerMessage,
  by: Pick<Attempting, 'clock' | 'nextAt'>,
): Promise<void> {
  const { attempt, at } = attempts.at(-1)!.intent
  const durationMs = Math.max(by.clock.now() - at, 0)
  await tell(ledger, nameOf(decision), { attempt, durationMs, answer: neverTold }, by)
}

/** What the ledger says of an attempt; `undefined`: it is under way. */
export function outcomeOf({ attempts }: LedgerMessage, attempt: number): DeliveryOutcome | undefined {
  return attempts.find(({ intent }) => intent.attempt === attempt)?.outcome ?? undefined
}

async function tell(
  ledger: Ledger,
  name: MessageName,
  ended: { readonly attempt: number; readonly durationMs: Milliseconds; readonly answer: Classified },
  { clock, nextAt }: Pick<Attempting, 'clock' | 'nextAt'>,
): Promise<void> {
  const { attempt, durationMs, answer } = ended
  const { result, status, detail } = answer
  const at = clock.now()
  const nextAttemptAt = result === 'retry' || result === 'unknown' ? nextAt(answer, at) : null
  await ledger.claim([{ type: 'outcome', ...name, attempt, at, durationMs, result, status, detail, nextAttemptAt }])
}

function nameOf({ subject, channel, messageId }: MessageName): MessageName {
  return { subject, channel, messageId }
}

const unanswered = { status: null, retryAfter: null } as const

const noChannel: Classified = {
  ...unanswered,
  result: 'forbidden',
  detail: 'the channel is no longer in the configuration',
}

const stoodStill: Classified = {
  ...unanswered,
  result: 'retry',
  detail:
    'nothing was sent: whoever wanted to stood still, or the log did, for so long that another one may have gone on',
}

const overtaken: Classified = {
  ...unanswered,
  result: 'retry',
  detail: 'nothing was sent: the channel has heard something newer meanwhile',
}

const outOfTurn: Classified = {
  ...unanswered,
  result: 'retry',
  detail: 'nothing was sent: an earlier message is being sent to the channel at the moment',
}

const neverTold: Classified = {
  ...unanswered,
  result: 'unknown',
  detail: 'whoever made this attempt has ended without telling how it went',
}
