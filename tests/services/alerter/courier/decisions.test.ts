import { expect, test } from '@jest/globals'
import type { ChannelConfig } from '#lib/config.ts'
import { DAY_MS, SECOND_MS } from '#lib/time.ts'
import type { Verdict } from '#services/alerter/courier/decide.ts'
import { decisionsOf } from '#services/alerter/courier/decisions.ts'
import { retrySchedule } from '#services/alerter/courier/retry.ts'
import { configOf } from '#tests/services/sampler/desk.ts'
import { inEnglish, tellOf, transitions } from '../messages/told.ts'

const channel = (kind: ChannelConfig['kind']): ChannelConfig => ({
  ...{ name: kind, kind, profile: 'full', url: null, secret: null, previousSecret: null, configSha256: `${kind}-sha` },
})
const verdict: Verdict = {
  channel: 'pagerduty',
  send: true,
  code: 'routed',
  reason: 'why',
  commands: ['c'],
  note: null,
}

const decide = (more: Partial<Verdict> = {}, alert = transitions.silent) => {
  const common = { subject: 's', decidedAt: 7, env: 'staging', context: inEnglish, notice: () => tellOf(alert) }
  const [decision] = decisionsOf({ ...common, channels: [channel('pagerduty')] }, [{ ...verdict, ...more }])
  return decision!
}

test('what is sent stands in the ledger with its body, its reason, and the configuration of its channel', () => {
  expect(decide()).toMatchObject({
    ...{ send: true, code: 'routed', reason: 'why', commands: ['c'], decidedAt: 7, dryRun: false },
    ...{ channelConfig: 'pagerduty-sha', messageType: 'obs.alert.opened', body: expect.stringContaining('"trigger"') },
  })
})

test('the reason says what had to be cut', () => {
  const long = { ...transitions.silent, reason: 'y'.repeat(2_000) }
  expect(decide({}, long).reason).toBe('why; the summary was cut: PagerDuty takes no more')
})

test('what cannot be sent has no body, and the reason for that', () => {
  const nothing = { send: false, messageType: null, body: null }
  expect(decide({ send: false, code: 'silenced' })).toMatchObject({ ...nothing, code: 'silenced', reason: 'why' })
  expect(decide({ channel: 'old' })).toMatchObject({
    ...{ ...nothing, code: 'no_channel', reason: 'old is no longer in the configuration', channelConfig: '' },
  })
  expect(decide({}, transitions.annotated)).toMatchObject({
    ...{ ...nothing, code: 'not_for_channel', reason: 'pagerduty has no such message' },
  })
})

test('a message is tried again as the configuration says, and then more slowly for three days', () => {
  const { delivery, ...config } = configOf([])
  expect(retrySchedule({ ...config, delivery: { ...delivery, maxRetries: 5, retryWaitMs: SECOND_MS } })).toEqual({
    ...{ maxRetries: 5, waitMs: SECOND_MS, slowForMs: 3 * DAY_MS },
  })
})
