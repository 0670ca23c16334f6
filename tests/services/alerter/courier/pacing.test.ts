import { afterEach, beforeEach, expect, test } from '@jest/globals'
import type { ChannelConfig } from '#lib/config.ts'
import { MINUTE_MS, SECOND_MS } from '#lib/time.ts'
import { hours, inOrder, MONDAY } from '../desk.ts'
import { CourierDesk, CRITICAL_AT, channelOf, ROUTING_KEY } from './courier-desk.ts'

let desk: CourierDesk
beforeEach(async () => {
  desk = await CourierDesk.open(CRITICAL_AT - 30 * MINUTE_MS)
})
afterEach(() => desk.close())

/** When each of six messages was sent, in order, where three alerts are told on these two channels. */
async function sentAt(one: ChannelConfig, other: ChannelConfig): Promise<readonly number[]> {
  desk.config = { ...desk.config, channels: [one, other] }
  desk.routes({ warning: [one.name, other.name] })
  await desk.append(inOrder(...['a', 'b', 'c'].map((source) => hours('B B', MONDAY, { source }))))
  await desk.settled(await desk.start())
  const attempts = (await desk.ledger()).flatMap(({ attempts }) => attempts)
  expect(attempts.map(({ outcome }) => outcome!.result)).toEqual(Array.from({ length: 6 }, () => 'accepted'))
  return attempts.map(({ intent }) => intent.at).sort((a, b) => a - b)
}

const leastGap = (times: readonly number[]): number =>
  Math.min(...times.slice(1).map((at, index) => at - times[index]!))

test('two channels with the URL of one chat share its pace', async () => {
  const url = desk.receivers.slack.url('/services/T0/B0/one')
  const times = await sentAt(channelOf('team', 'slack', url, null), channelOf('boss', 'slack', url, null))
  expect(leastGap(times)).toBeGreaterThanOrEqual(SECOND_MS)
})

test('two channels with the key of one pager share its pace', async () => {
  const url = desk.receivers.pagerduty.url('/v2/enqueue')
  const times = await sentAt(
    channelOf('day', 'pagerduty', url, ROUTING_KEY),
    channelOf('night', 'pagerduty', url, ROUTING_KEY),
  )
  expect(leastGap(times)).toBeGreaterThanOrEqual(SECOND_MS / 2)
})

test('two chats do not wait for each other', async () => {
  const { slack } = desk.receivers
  const [one, other] = ['one', 'other'].map((name) => channelOf(name, 'slack', slack.url(`/services/${name}`), null))
  expect(leastGap(await sentAt(one!, other!))).toBe(0)
})
