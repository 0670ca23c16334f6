import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { MINUTE_MS } from '#lib/time.ts'
import { answering, inTurn } from '#tests/support/receiver.ts'
import { hours } from '../desk.ts'
import { CourierDesk, NOW, SAID } from './courier-desk.ts'

/** A channel that fails, and one that will not come back. */

let desk: CourierDesk
beforeEach(async () => {
  desk = await CourierDesk.open(NOW)
})
afterEach(() => desk.close())

const bodyOf = (body: Buffer) => JSON.parse(body.toString())

describe('a channel that fails', () => {
  test('is replaced by the fallback after its second failure, and goes on trying', async () => {
    desk.delivery({ fallback: 'chat' })
    desk.receivers.webhook.follow(inTurn(answering(503), answering(503), answering(200)))
    await desk.append(hours('B B'))
    await desk.tellAll()
    expect(await desk.told()).toEqual(['0 ops routed: retry retry accepted', '0 chat fallback: accepted'])
    expect(bodyOf(desk.receivers.slack.received[0]!.body).text).toContain('ops failed 2 times')
  })

  test('is replaced at once where trying again would not help', async () => {
    desk.delivery({ fallback: 'chat' })
    desk.receivers.webhook.follow(answering(400))
    await desk.append(hours('B B'))
    await desk.tellAll()
    expect(await desk.told()).toEqual(['0 ops routed: rejected', '0 chat fallback: accepted'])
  })
})

describe('a channel that will not come back', () => {
  beforeEach(() => {
    desk.routes({ owner: ['chat'] })
    desk.delivery({ fallback: 'chat' })
  })

  test('that is gone gets nothing more: the fallback does, and the owner is told once', async () => {
    desk.receivers.webhook.follow(answering(410))
    await desk.append(hours('B B'))
    await desk.tellAll()
    await desk.append(hours('B B B R R'), 1)
    await desk.tellAll()
    await desk.until(() => desk.textsAt('slack').some((text) => text.includes('its address is gone')))
    expect(desk.receivers.webhook.received.length).toBe(1)
    const told = await desk.told()
    expect(told.filter((line) => line.includes(' ops '))).toEqual([
      '0 ops routed: gone',
      '1 ops channel_gone',
      '2 ops channel_gone',
    ])
    expect(told.filter((line) => line.includes(' chat ') && /^\d /.test(line))).toEqual([
      '0 chat fallback: accepted',
      '1 chat fallback: accepted',
      '2 chat told_before: accepted',
    ])
    expect(desk.textsAt('slack').filter((text) => text.includes('its address is gone')).length).toBe(1)
  })

  test('is used again once a test of it is accepted', async () => {
    desk.receivers.webhook.follow(answering(410))
    await desk.append(hours('B B'))
    await desk.tellAll()
    desk.receivers.webhook.follow(answering(200))
    const { configSha256 } = desk.config.channels[0]!
    desk.clock.advance(MINUTE_MS)
    const test = { type: 'channel_test', channel: 'ops', channelConfig: configSha256, accepted: true } as const
    await desk.command({ ...test, ...SAID, at: desk.clock.now() })
    await desk.append(hours('B B B'), 1)
    await desk.tellAll()
    expect(await desk.told()).toContain('1 ops routed: accepted')
  })

  test('and is used again once its configuration is another one', async () => {
    desk.receivers.webhook.follow(answering(410))
    await desk.append(hours('B B'))
    await desk.tellAll()
    desk.receivers.webhook.follow(answering(200))
    const channels = desk.config.channels.map((channel) => ({ ...channel, configSha256: 'another' }))
    desk.config = { ...desk.config, channels }
    await desk.append(hours('B B B'), 1)
    await desk.tellAll()
    expect(await desk.told()).toContain('1 ops routed: accepted')
  })

  test('that does not know our credentials is told of to its owner, once a day, and goes on being tried', async () => {
    desk.receivers.webhook.follow(answering(401))
    await desk.append(hours('B B B R R'))
    await desk.tellAll()
    await desk.until(() => desk.textsAt('slack').some((text) => text.includes('refuses our credentials')))
    expect(desk.textsAt('slack').filter((text) => text.includes('refuses our credentials')).length).toBe(1)
    expect(desk.receivers.webhook.received.length).toBe(3)
  })
})
