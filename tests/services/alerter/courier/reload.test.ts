import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { MINUTE_MS, SECOND_MS } from '#lib/time.ts'
import { eventually } from '#tests/support/eventually.ts'
import { answering, type Receiver } from '#tests/support/receiver.ts'
import { hours, inOrder, MONDAY } from '../desk.ts'
import { CourierDesk, CRITICAL_AT } from './courier-desk.ts'

const SOURCES = 12

let desk: CourierDesk
beforeEach(async () => {
  desk = await CourierDesk.open(CRITICAL_AT - 30 * MINUTE_MS)
})
afterEach(() => desk.close())

test('twelve messages wait for a chat, and the configuration is read again after two: each is taken at its first attempt', async () => {
  desk.routes({ warning: ['chat'] })
  await desk.append(
    inOrder(...Array.from({ length: SOURCES }, (_, i) => hours('B B', MONDAY, { source: `router_${i}` }))),
  )
  const { slack } = desk.receivers
  const gate = Promise.withResolvers<void>()
  slack.follow(({ index }) => (index === 1 ? { ...thinking, after: gate.promise } : thinking))
  const courier = await desk.start()
  await eventually(() => slack.received.length === 1)
  desk.clock.advance(SECOND_MS)
  await eventually(() => slack.received.length === 2)

  const channels = desk.config.channels.map((channel) => ({ ...channel, url: moved(slack, channel.url!) }))
  await courier.reload!({ ...desk.config, channels })
  gate.resolve()
  await desk.settled(courier)

  expect(await desk.told()).toEqual(Array.from({ length: SOURCES }, () => '0 chat routed: accepted'))
  expect(slack.received.map(({ path }) => path)).toEqual([
    ...Array.from({ length: 2 }, () => '/services/T0/B0/secret-of-slack'),
    ...Array.from({ length: SOURCES - 2 }, () => '/services/T0/B0/the-new-secret'),
  ])
})

const thinking = answering(200, 'ok')

function moved(receiver: Receiver, url: string): string {
  return url.startsWith(receiver.url('/')) ? receiver.url('/services/T0/B0/the-new-secret') : url
}
