import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { HOUR_MS, MINUTE_MS } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { answering, inTurn } from '#tests/support/receiver.ts'
import { hours, MONDAY, window } from '../desk.ts'
import { CourierDesk } from './courier-desk.ts'

/** When a courier starts: the first three windows are news. */
const NOW = MONDAY + 2 * HOUR_MS + 40 * MINUTE_MS
const SAID = { by: 'ann', reason: 'maintenance' }

let desk: CourierDesk
beforeEach(async () => {
  desk = await CourierDesk.open(NOW)
})
afterEach(() => desk.close())

/** A courier that runs until this much time has passed. @param fact to be waited for besides */
async function runFor(ms: number, fact: () => Promise<boolean> = async () => true): Promise<void> {
  const startedAt = desk.clock.now()
  await desk.start()
  await desk.until(async () => desk.clock.now() >= startedAt + ms && (await fact()))
  await desk.stop()
}

const ledgerEnd = async () => (await desk.log.offsets(topics.delivery.name))[0]!.end
const told = async (word: string) => (await desk.told()).filter((line) => line.includes(word))
const isTold = (line: string) => async () => (await desk.told()).includes(line)

describe('the fallback', () => {
  beforeEach(() => desk.delivery({ fallback: 'chat' }))

  test('hears nothing of a channel that took the message in the end', async () => {
    desk.receivers.webhook.follow(inTurn(answering(503), answering(200)))
    await desk.append(hours('B B'))
    await desk.tellAll()
    expect(await desk.told()).toEqual(['0 ops routed: retry accepted'])
  })

  test('that fails too is not replaced again, and what was routed to it needs none', async () => {
    desk.routes({ warning: ['chat', 'ops'] })
    desk.receivers.webhook.follow(answering(400))
    desk.receivers.slack.follow(answering(400))
    await desk.append(hours('B B'))
    await desk.tellAll()
    expect(await desk.told()).toEqual(['0 chat routed: rejected', '0 ops routed: rejected'])
    desk.routes({ warning: ['ops'] })
    await desk.append(hours('B B', MONDAY, { source: 'router_b' }))
    await desk.tellAll()
    expect((await desk.told()).slice(2)).toEqual(['0 ops routed: rejected', '0 chat fallback: rejected'])
  })

  test('is told in the place of who should have heard that nobody acknowledged an alert', async () => {
    desk.routes({ critical: ['ops'], unacknowledged: ['pd'] })
    desk.receivers.pagerduty.follow(answering(400))
    await desk.append(hours('B B B'))
    await runFor(30 * MINUTE_MS, isTold('unacknowledged chat fallback: accepted'))
    expect(await told('unacknowledged ')).toEqual([
      'unacknowledged pd unacknowledged: rejected',
      'unacknowledged chat fallback: accepted',
    ])
  })
})

test('couriers that start later add nothing to the ledger, whatever has failed', async () => {
  desk.delivery({ fallback: 'chat' })
  desk.receivers.webhook.follow(answering(400))
  desk.receivers.slack.follow(answering(400))
  await desk.append(hours('B B B'))
  await desk.tellAll()
  const end = await ledgerEnd()
  await desk.tellAll()
  await desk.tellAll()
  expect(await ledgerEnd()).toBe(end)
})

test('a courier that comes back after hours tells an open alert that was corrected since', async () => {
  const corrected = window('O', MONDAY, { revision: 1, decidedAt: MONDAY + 3 * HOUR_MS + 30 * MINUTE_MS })
  await desk.append([...hours('B B B'), corrected])
  desk.clock.advance(10 * HOUR_MS)
  await desk.tellAll()
  expect(await told(' ops ')).toEqual(['0 ops superseded', '1 ops routed: accepted', '2 ops told_before: accepted'])
})

test('a test that was accepted before the channel was gone does not bring it back', async () => {
  const { configSha256 } = desk.config.channels[0]!
  const accepted = { type: 'channel_test', channel: 'ops', channelConfig: configSha256, accepted: true } as const
  await desk.command({ ...accepted, ...SAID, at: NOW - MINUTE_MS })
  desk.receivers.webhook.follow(answering(410))
  await desk.append(hours('B B'))
  await desk.tellAll()
  await desk.append(hours('B B B'), 1)
  await desk.tellAll()
  expect(await told(' ops ')).toEqual(['0 ops routed: gone', '1 ops channel_gone'])
})

describe('that nobody acknowledged an alert', () => {
  beforeEach(() => desk.routes({ unacknowledged: ['chat'] }))

  test('is told once, also by a courier that starts later; who was told hears of the end', async () => {
    await desk.append(hours('B B B'))
    await runFor(30 * MINUTE_MS, isTold('unacknowledged chat unacknowledged: accepted'))
    const end = await ledgerEnd()
    await runFor(40 * MINUTE_MS)
    expect(await ledgerEnd()).toBe(end)
    expect(await told(' chat ')).toEqual(['unacknowledged chat unacknowledged: accepted'])
    await desk.append(hours('B B B R R'), 2)
    await desk.tellAll()
    expect((await told(' chat ')).slice(1)).toEqual(['2 chat told_before: accepted'])
  })

  test('is not told within the time to do so', async () => {
    await desk.append(hours('B B B'))
    await runFor(29 * MINUTE_MS)
    expect(await told(' chat ')).toEqual([])
  })

  test.each([
    ['that has ended meanwhile', 'B B B R R'],
    ['that is a warning', 'B B'],
  ])('is not told of one %s', async (_, story) => {
    await desk.append(hours(story))
    await runFor(40 * MINUTE_MS)
    expect(await told(' chat ')).toEqual([])
  })

  const silenceFor = (ms: number): Promise<string> => {
    const matchers = [{ name: 'source', op: 'equal', value: 'router_demo' }] as const
    const at = desk.clock.now()
    return desk.command({ type: 'silence', ...SAID, at, matchers, startsAt: at, endsAt: at + ms })
  }

  test('is not told of one that nobody was told of', async () => {
    await silenceFor(10 * MINUTE_MS)
    await desk.append(hours('B B B'))
    await runFor(40 * MINUTE_MS)
    expect(await told(' chat ')).toEqual([])
  })

  test('waits for the end of a silence', async () => {
    await desk.append(hours('B B B'))
    await desk.tellAll()
    await silenceFor(HOUR_MS)
    await runFor(59 * MINUTE_MS)
    expect(await told(' chat ')).toEqual([])
    await runFor(2 * MINUTE_MS, isTold('unacknowledged chat unacknowledged: accepted'))
  })
})

test('an end tells the seconds from the opening to the acknowledgement and to the end, and who else is told', async () => {
  await desk.append(hours('B B B'))
  await desk.tellAll()
  const alertId = (await desk.ledger())[0]!.decision.subject.replace(/\/\d+$/, '')
  const openedAt = MONDAY + 2 * HOUR_MS + 10 * MINUTE_MS
  await desk.command({ type: 'ack', ...SAID, at: openedAt + 95 * 1_000, alertId })
  await desk.append(hours('B B B R R'), 2)
  await desk.tellAll()
  const [alert] = JSON.parse(desk.receivers.webhook.received.at(-1)!.body.toString()).data.alerts
  expect(alert).toMatchObject({
    acknowledged_after_s: 95,
    resolved_after_s: (3 * HOUR_MS) / 1_000,
    notified_channels: ['ops', 'pd'],
  })
})
