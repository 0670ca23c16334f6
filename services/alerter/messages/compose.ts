import type { ChannelConfig } from '#lib/config.ts'
import type { AlertKind } from '#lib/facts.ts'
import type { MessageContext, Notice } from './notice.ts'
import { composePagerDuty } from './pagerduty.ts'
import { composeSlack } from './slack.ts'
import { composeWebhook } from './webhook.ts'

export type { MessageContext, Notice } from './notice.ts'

/** A message as it goes to a channel. */
export interface Composed {
  /** E.g. `obs.alert.opened`. */
  readonly type: string
  /** The exact bytes, but for PagerDuty's routing key. */
  readonly body: string
  /** What was shortened, and why; `null`: nothing. */
  readonly cut: string | null
}

/** Whether a channel has a message for such a transition: PagerDuty has no event for a correction. */
export function isMessageFor({ kind }: Pick<ChannelConfig, 'kind'>, transition: AlertKind): boolean {
  return kind !== 'pagerduty' || transition !== 'annotated'
}

/** @returns `null` when a channel of this kind has no message for the notice */
export function compose(
  { kind }: Pick<ChannelConfig, 'kind'>,
  notice: Notice,
  context: MessageContext,
): Composed | null {
  switch (kind) {
    case 'webhook':
      return composeWebhook(notice, context)
    case 'pagerduty':
      return composePagerDuty(notice, context)
    case 'slack':
      return composeSlack(notice, context)
  }
}
