import { expect, test } from '@jest/globals'
import type { Config } from '#lib/config.ts'
import { composeTest } from '#services/alerter/messages/test-message.ts'
import { configOf } from '#tests/services/sampler/desk.ts'
import { at } from '../desk.ts'

const config: Config = {
  ...configOf([]),
  env: 'production',
  locale: 'ja',
  displayTimeZone: 'Asia/Tokyo',
  publicUrl: 'https://obs.example',
}
const asked = { channel: 'ops', by: 'ann', at: at('23:10') }
const bodies = (kind: 'webhook' | 'pagerduty' | 'slack') =>
  composeTest({ kind }, asked, config).map(({ type, body }) => ({ type, ...JSON.parse(body) }))

const TEXT = 'テスト チャネル ops(依頼者 ann)。異常はありません。'

test('a test of a webhook or of Slack is one message, in the language and by the name of the installation', () => {
  expect(bodies('webhook')).toMatchObject([
    { type: 'obs.test', timestamp: '2026-06-22T23:10:00Z', data: { env: 'production', message: TEXT, by: 'ann' } },
  ])
  expect(bodies('slack')).toMatchObject([{ type: 'obs.test', text: TEXT }])
})

test('a test of PagerDuty is an incident of its own and its end, which leaves none open', () => {
  const [trigger, resolve, ...more] = bodies('pagerduty')
  expect(trigger).toMatchObject({
    event_action: 'trigger',
    client_url: 'https://obs.example',
    payload: { summary: TEXT, severity: 'info', group: 'production' },
  })
  expect(resolve).toEqual({ type: 'obs.test', event_action: 'resolve', dedup_key: trigger.dedup_key })
  expect(more).toEqual([])
})
