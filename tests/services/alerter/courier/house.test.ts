import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { answering, inTurn } from '#tests/support/receiver.ts'
import { hours, MONDAY } from '../desk.ts'
import { CourierDesk } from './courier-desk.ts'

const NOW = MONDAY + 2 * HOUR_MS + 40 * MINUTE_MS

let desk: CourierDesk
beforeEach(async () => {
  desk = await CourierDesk.open(NOW)
})
afterEach(() => desk.close())

/** `channel/ops/gone/2026-06-22 chat: accepted`: what was told that concerns no alert, where, and what came of it. */
async function toldOfHouse(): Promise<readonly string[]> {
  return (await desk.ledger())
    .filter(({ decision }) => decision.subject.startsWith('channel/'))
    .map(({ decision, attempts }) => {
      const { subject, channel, code } = decision
      const results = attempts.map(({ outcome }) => outcome?.result ?? '…')
      return `${subject} ${channel}: ${decision.send ? results.join(' ') : code}`
    })
}

describe('who is told that a channel does not know us', () => {
  beforeEach(async () => {
    desk.receivers.webhook.follow(answering(401))
    await desk.append(hours('B B'))
  })

  test('the route owner, and not the fallback', async () => {
    desk.routes({ owner: ['pd'] })
    desk.delivery({ fallback: 'chat' })
    await desk.tellAll()
    expect(await toldOfHouse()).toEqual(['channel/ops/unauthorized/2026-06-22 pd: accepted'])
  })

  test('without that route the fallback', async () => {
    desk.delivery({ fallback: 'chat' })
    await desk.tellAll()
    expect(await toldOfHouse()).toEqual(['channel/ops/unauthorized/2026-06-22 chat: accepted'])
  })

  test('the others of the route, and when it names but the failing channel, the fallback', async () => {
    desk.routes({ owner: ['ops', 'pd'] })
    desk.delivery({ fallback: 'chat' })
    await desk.tellAll()
    expect(await toldOfHouse()).toEqual(['channel/ops/unauthorized/2026-06-22 pd: accepted'])
    desk.routes({ owner: ['ops'] })
    desk.clock.advance(DAY_MS)
    await desk.append(hours('B B', MONDAY + DAY_MS))
    await desk.tellAll()
    expect((await toldOfHouse()).slice(1)).toEqual(['channel/ops/unauthorized/2026-06-23 chat: accepted'])
  })

  test('else whoever hears of critical alerts', async () => {
    desk.routes({ owner: ['ops'] })
    desk.delivery({ fallback: null })
    await desk.tellAll()
    expect(await toldOfHouse()).toEqual(['channel/ops/unauthorized/2026-06-22 pd: accepted'])
  })

  test.each([null, 'ops'])(
    'nobody, when there is nobody else (fallback %s), and the ledger says so',
    async (fallback) => {
      desk.routes({ owner: ['ops'], critical: ['ops'] })
      desk.delivery({ fallback })
      await desk.tellAll()
      expect(await toldOfHouse()).toEqual(['channel/ops/unauthorized/2026-06-22 *: no_route'])
    },
  )

  test('who does not know us either is told of on the next one', async () => {
    desk.routes({ owner: ['chat', 'pd'] })
    desk.receivers.slack.follow(answering(403))
    await desk.tellAll()
    expect(await toldOfHouse()).toEqual([
      'channel/ops/unauthorized/2026-06-22 chat: unauthorized',
      'channel/ops/unauthorized/2026-06-22 pd: accepted',
      'channel/chat/unauthorized/2026-06-22 pd: accepted',
    ])
  })

  test('an owner that is away for a while is told before the courier has settled', async () => {
    desk.routes({ owner: ['chat'] })
    desk.receivers.slack.follow(inTurn(answering(503), answering(200, 'ok')))
    await desk.tellAll()
    expect(await toldOfHouse()).toEqual(['channel/ops/unauthorized/2026-06-22 chat: retry accepted'])
  })

  test('an owner that is away for longer is told by the courier after', async () => {
    desk.routes({ owner: ['chat'] })
    desk.receivers.slack.follow(answering(503))
    await desk.tellAll()
    desk.receivers.slack.follow(answering(200, 'ok'))
    await desk.start()
    await desk.until(async () => (await toldOfHouse())[0]!.endsWith(' accepted'))
  })
})

test('what could not be told of the sampler is told by the courier after', async () => {
  const ofSampler = async () => (await desk.ledger()).find(({ decision }) => decision.subject.startsWith('sampler/'))
  desk.routes({ critical: ['chat'] })
  desk.receivers.slack.follow(answering(503))
  await desk.start()
  await desk.tick()
  await desk.until(async () => ((await ofSampler())?.attempts.length ?? 0) > 1)
  await desk.stop()
  desk.receivers.slack.follow(answering(200, 'ok'))
  await desk.start()
  await desk.until(async () => (await ofSampler())!.attempts.at(-1)!.outcome?.result === 'accepted')
  expect(desk.textsAt('slack').at(-1)).toContain('sampler silent')
})

test('gone and unauthorized are told of each, once a day', async () => {
  desk.routes({ owner: ['chat'], critical: ['ops'] })
  desk.receivers.webhook.follow(inTurn(answering(401), answering(410)))
  await desk.append(hours('B B B'))
  await desk.tellAll()
  await desk.tellAll()
  expect(await toldOfHouse()).toEqual([
    'channel/ops/unauthorized/2026-06-22 chat: accepted',
    'channel/ops/gone/2026-06-22 chat: accepted',
  ])
  const before = await desk.log.offsets(topics.delivery.name)
  await desk.tellAll()
  expect(await desk.log.offsets(topics.delivery.name)).toEqual(before)
})
