import type { Instant, Milliseconds } from '#lib/time.ts'

/**
 * What an attempt to send came to; `classify` has the table.
 *
 * - `accepted`: done.
 * - `retry`: try again with the same id; the receiver has not taken it. `unknown`: the same, but it may have taken it.
 * - `rejected`: our fault, `redirect`: never followed, `forbidden`: our own policy refuses the URL. Trying again would not help.
 * - `unauthorized`: credentials; tell the owner on another channel. `gone`: the endpoint is no more; the channel is closed.
 */
export type DeliveryResult =
  | 'accepted'
  | 'retry'
  | 'unknown'
  | 'rejected'
  | 'unauthorized'
  | 'gone'
  | 'redirect'
  | 'forbidden'

/** Names a message: a subject told on a channel. `messageId` follows from both. */
export interface MessageName {
  readonly subject: string
  readonly channel: string
  readonly messageId: string
}

export interface DeliveryDecision extends MessageName {
  readonly type: 'decision'
  readonly decidedAt: Instant
  readonly send: boolean
  readonly code: string
  readonly reason: string
  readonly commands: readonly string[]
  readonly channelConfig: string
  readonly messageType: string | null
  readonly body: string | null
  readonly dryRun: boolean
}

export interface DeliveryIntent extends MessageName {
  readonly type: 'intent'
  readonly attempt: number
  readonly at: Instant
  readonly courier: string
}

export interface DeliveryOutcome extends MessageName {
  readonly type: 'outcome'
  readonly attempt: number
  readonly at: Instant
  readonly durationMs: Milliseconds
  readonly result: DeliveryResult
  readonly status: number | null
  readonly detail: string | null
  readonly nextAttemptAt: Instant | null
}

export type DeliveryFact = DeliveryDecision | DeliveryIntent | DeliveryOutcome
