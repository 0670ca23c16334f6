import type { ChannelConfig, Config } from '#lib/config.ts'
import { type Composed, compose } from './compose.ts'
import type { MessageContext, TestNotice } from './notice.ts'
import { composePagerDutyEnd } from './pagerduty.ts'

/**
 * What is sent to try a channel, one after the other. For PagerDuty an incident of its own, and at once its end, so that none
 * stays open.
 *
 * @param config whose name of the installation, language and time zone the message has
 */
export function composeTest(
  { kind }: Pick<ChannelConfig, 'kind'>,
  test: Omit<TestNotice, 'kind'>,
  { env, locale, displayTimeZone, publicUrl }: Config,
): readonly Composed[] {
  const notice: TestNotice = { kind: 'test', ...test }
  const context: MessageContext = { env, locale, displayTimeZone, publicUrl, labelsOf: () => ({}) }
  const message = compose({ kind }, notice, context)!
  return kind === 'pagerduty' ? [message, composePagerDutyEnd(notice, context)] : [message]
}
