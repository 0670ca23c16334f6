import type { ChannelConfig } from '#lib/config.ts'
import type { DeliveryDecision } from '#lib/delivery/facts.ts'
import { messageName } from '#lib/delivery/message-name.ts'
import type { Instant } from '#lib/time.ts'
import { type Composed, compose, type MessageContext, type Notice } from '../messages/compose.ts'
import type { Verdict } from './decide.ts'

/** What is decided about one subject. */
export interface Subject {
  readonly subject: string
  readonly decidedAt: Instant
  readonly env: string
  readonly channels: readonly ChannelConfig[]
  readonly context: MessageContext
  /** What a channel is told, when it is told. */
  notice(verdict: Verdict): Notice
}

/** The facts of the ledger that verdicts become: each with its reason, and with the exact body when it is sent. */
export function decisionsOf(subject: Subject, verdicts: readonly Verdict[]): readonly DeliveryDecision[] {
  return verdicts.map((verdict) => decisionOf(subject, verdict))
}

function decisionOf(subject: Subject, verdict: Verdict): DeliveryDecision {
  const channel = subject.channels.find(({ name }) => name === verdict.channel)
  const base = {
    type: 'decision',
    ...messageName(subject.env, subject.subject, verdict.channel),
    decidedAt: subject.decidedAt,
    commands: verdict.commands,
    channelConfig: channel?.configSha256 ?? '',
    dryRun: false,
  } as const
  const { code, reason } = verdict
  if (!verdict.send) return { ...base, ...NOT_SENT, code, reason }
  if (!channel)
    return { ...base, ...NOT_SENT, code: 'no_channel', reason: `${verdict.channel} is no longer in the configuration` }
  const composed = compose(channel, subject.notice(verdict), subject.context)
  if (!composed) return { ...base, ...NOT_SENT, code: 'not_for_channel', reason: `${channel.kind} has no such message` }
  return {
    ...base,
    send: true,
    code,
    reason: reasonOf(reason, composed),
    messageType: composed.type,
    body: composed.body,
  }
}

const NOT_SENT = { send: false, messageType: null, body: null } as const

function reasonOf(reason: string, { cut }: Composed): string {
  return cut === null ? reason : `${reason}; ${cut}`
}
