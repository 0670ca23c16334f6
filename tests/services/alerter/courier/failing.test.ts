import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { laneOf, messageName } from '#lib/delivery/message-name.ts'
import { HOUR_MS, MINUTE_MS } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { answering, inTurn } from '#tests/support/receiver.ts'
import { hours, inOrder, MONDAY, run, window } from '../desk.ts'
import { CourierDesk, CRITICAL_AT, NOW, SAID } from './courier-desk.ts'

/** Which channel is told what when another one fails, whatever happens to the alert and to couriers meanwhile. */

const EVERY_ROUTER = [{ name: 'source', op: 'regex', value: 'router.*' }] as const

let desk: CourierDesk
beforeEach(async () => {
  desk = await CourierDesk.open(NOW)
})
afterEach(() => desk.close())

async function silence(forMs: number): Promise<void> {
  const at = desk.clock.now()
  await desk.command({ type: 'silence', ...SAID, at, matchers: EVERY_ROUTER, startsAt: at, endsAt: at + forMs })
}

/** `trigger warning`, `resolve`: what the pager was told, in order. */
const paged = (): readonly string[] =>
  desk.receivers.pagerduty.received.map(({ body }) => {
    const { event_action: action, payload } = JSON.parse(body.toString())
    return payload ? `${action} ${payload.severity}` : action
  })

/** What of `told` is about a channel. */
const toldOn = async (channel: string) => (await desk.told()).filter((line) => line.split(' ')[1] === channel)

describe('the fallback of a channel that fails', () => {
  const failsTwice = () => inTurn(answering(503), answering(503), answering(200))

  test('is told of an alert as it is then, once', async () => {
    desk.delivery({ fallback: 'pd' })
    desk.receivers.webhook.follow(failsTwice())
    await desk.append(hours('B B B R R'))
    await desk.tellAll()
    expect(paged()).toEqual(['trigger critical', 'resolve'])
    expect(await toldOn('ops')).toEqual([
      '0 ops routed: retry retry accepted',
      '1 ops routed: accepted',
      '2 ops told_before: accepted',
    ])
  })

  test('is told nothing of one that has ended meanwhile, and the ledger says why', async () => {
    desk.delivery({ fallback: 'pd' })
    desk.receivers.webhook.follow(failsTwice())
    await desk.append(hours('B B R R'))
    await desk.tellAll()
    await desk.tellAll()
    expect(paged()).toEqual([])
    expect(await toldOn('pd')).toEqual(['0 pd nothing_told'])
  })

  test('is told the end of what it was told, whenever that was decided', async () => {
    desk.delivery({ fallback: 'pd' })
    desk.receivers.webhook.follow(answering(503))
    await desk.append(hours('B B'))
    await desk.tellAll()
    expect(paged()).toEqual(['trigger warning'])
    await desk.append(hours('B B R R'), 1)
    await desk.tellAll()
    expect(paged()).toEqual(['trigger warning', 'resolve'])
  })

  test('that was configured after an alert was over hears nothing of it', async () => {
    desk.receivers.webhook.follow(inTurn(answering(401), answering(200)))
    await desk.append(hours('B B R R'))
    await desk.tellAll()
    desk.clock.advance(48 * HOUR_MS)
    desk.delivery({ fallback: 'chat' })
    await desk.tellAll()
    expect(desk.textsAt('slack')).toEqual([])
  })

  test('is held back by a silence, too', async () => {
    desk.delivery({ fallback: 'chat' })
    desk.receivers.webhook.follow(answering(503))
    await desk.append(hours('B B'))
    await desk.start()
    await desk.until(() => desk.receivers.webhook.received.length === 1)
    await silence(4 * HOUR_MS)
    await desk.until(async () => (await toldOn('chat')).length > 0)
    expect(await toldOn('chat')).toEqual(['0 chat silenced'])
    expect(desk.textsAt('slack')).toEqual([])
  })

  test('is told at once when the channel asks to be left alone for long, also of what comes behind', async () => {
    desk.delivery({ fallback: 'chat' })
    desk.receivers.webhook.follow(answering(503, '', { 'retry-after': '7200' }))
    await desk.append(hours('B B'))
    await desk.start()
    await desk.until(() => desk.textsAt('slack').length === 1)
    await desk.append(hours('B B B'), 1)
    await desk.until(() => desk.textsAt('slack').length === 2)
    expect(desk.clock.now() - NOW).toBeLessThan(MINUTE_MS)
    expect(desk.textsAt('slack')[1]).toMatch(/^CRITICAL/)
    expect(desk.receivers.webhook.received.length).toBe(1)
  })

  test('is told by the courier that comes after one which died between the failure and that decision', async () => {
    desk.receivers.webhook.follow(answering(503))
    await desk.append(hours('B B'))
    await desk.start()
    await desk.until(async () => /retry retry/.test((await toldOn('ops'))[0] ?? ''))
    await desk.stop()
    const requests = desk.receivers.webhook.received.length
    desk.delivery({ fallback: 'chat' })
    await desk.start()
    await desk.until(() => desk.textsAt('slack').length > 0)
    expect(desk.receivers.webhook.received.length).toBe(requests)
  })
})

describe('what happens while the fallback is decided about', () => {
  /** Each question for what operators said takes this many turns of the event loop, as it takes round trips on a cluster. */
  function slowCommands(turns: number): void {
    const offsets = desk.log.offsets.bind(desk.log)
    desk.log.offsets = async (topic, atMs) => {
      for (let left = topic === topics.command.name ? turns : 0; left > 0; left--) await setImmediate()
      return offsets(topic, atMs)
    }
  }

  test('an end that comes then is the last that it hears', async () => {
    desk.delivery({ fallback: 'pd' })
    desk.routes({ warning: ['ops', 'pd'], critical: ['ops'] })
    await desk.append(hours('B B'))
    await desk.tellAll()
    slowCommands(60)
    let failures = 0
    desk.receivers.webhook.follow(({ body }) => {
      if (!body.includes('escalated')) return answering(200)
      failures++
      if (failures === 2) void desk.append(hours('B B B R R'), 2)
      return answering(failures > 2 ? 200 : 503)
    })
    await desk.start()
    await desk.append(hours('B B B'), 1)
    await desk.until(async () => (await toldOn('ops')).some((line) => /^2 ops told_before: accepted/.test(line)))
    await desk.until(() => paged().includes('resolve'))
    await desk.stop()
    await desk.tellAll()
    expect(paged().at(-1)).toBe('resolve')
  })

  test.each([10, 25, 50])(
    '%i alerts that escalated and ended while nobody looked end for all who heard of them',
    async (count) => {
      desk.delivery({ fallback: 'pd' })
      desk.routes({ warning: ['ops'], critical: ['ops'] })
      desk.receivers.webhook.follow(answering(503))
      const stories = (story: string) =>
        inOrder(...Array.from({ length: count }, (_, i) => hours(story, MONDAY, { source: `router_${i}` })))
      await desk.append(stories('B B'))
      await desk.start()
      await desk.until(() => desk.receivers.webhook.received.length >= count)
      await desk.stop()
      slowCommands(7)
      await desk.append(stories('B B B R R'), count)
      await desk.tellAll()
      const lanes = Map.groupBy(await desk.ledger(), ({ decision }) => laneOf(decision))
      for (const lane of lanes.values()) {
        const end = lane.find(({ decision }) => decision.messageType === 'obs.alert.resolved')
        const behind = lane.filter(({ order, attempts }) => end && order > end.order && attempts.length > 0)
        expect(behind).toEqual([])
      }
      const open = new Set<string>()
      for (const { body } of desk.receivers.pagerduty.received) {
        const { dedup_key: key, event_action: action } = JSON.parse(body.toString())
        if (action === 'trigger') open.add(key)
        else open.delete(key)
      }
      expect([...open]).toEqual([])
    },
  )
})

describe('what another courier has decided', () => {
  test('is sent by the one that runs, though it died before it sent it', async () => {
    desk.delivery({ fallback: 'chat' })
    desk.receivers.webhook.follow(answering(503))
    await desk.append(hours('B B'))
    await desk.start()
    await desk.until(() => desk.receivers.webhook.received.length === 1)
    const { decision } = (await desk.ledger())[0]!
    const name = messageName(desk.config.env, decision.subject, 'chat')
    await desk.claim({ ...decision, ...name, code: 'fallback', body: '{"text":"its last words"}' })
    await desk.until(() => desk.textsAt('slack').length > 0)
    expect(desk.textsAt('slack')).toEqual(['its last words'])
  })
})

test('a courier that is stopped with something undecided is settled all the same', async () => {
  await desk.append(hours('B B'))
  const courier = await desk.start()
  const { promise: held, resolve: release } = Promise.withResolvers<void>()
  const offsets = desk.log.offsets.bind(desk.log)
  desk.log.offsets = async (topic, atMs) => {
    if (topic === topics.command.name) await held
    return offsets(topic, atMs)
  }
  const settled = courier.settled()
  const stopped = courier.stop()
  release()
  await Promise.all([settled.catch(() => {}), stopped])
})

describe('an alert that was open while nobody was told', () => {
  test('is told when a correction is the newest that is known of it', async () => {
    await desk.close()
    desk = await CourierDesk.open(MONDAY + 6 * HOUR_MS)
    const late = window('B', MONDAY + 2 * HOUR_MS, { revision: 1, decidedAt: CRITICAL_AT + 10 * MINUTE_MS })
    const facts = [...hours('B B B'), late]
    expect(run(facts).map(({ alert }) => alert.kind)).toEqual(['opened', 'escalated', 'annotated'])
    await desk.append(facts)
    await desk.tellAll()
    expect(paged()).toEqual(['trigger critical'])
    expect(await toldOn('ops')).toContain('1 ops routed: accepted')
  })

  test('is told to the route for unacknowledged ones, counted from when it was told at last', async () => {
    desk.routes({ unacknowledged: ['chat'] })
    await silence(HOUR_MS)
    await desk.append(hours('B B B'))
    await desk.tellAll()
    desk.clock.advance(6 * HOUR_MS)
    await desk.append(hours('B B B B B B B'), 2)
    await desk.tellAll()
    const toldAt = desk.clock.now()
    await desk.start()
    await desk.until(() => desk.textsAt('slack').length > 0)
    expect(desk.clock.now() - toldAt).toBeGreaterThanOrEqual(29 * MINUTE_MS)
    expect(await toldOn('chat')).toEqual([expect.stringMatching(/^unacknowledged chat unacknowledged: /)])
  })

  test('is told there after a silence that began when it had been told', async () => {
    desk.routes({ unacknowledged: ['chat'] })
    await desk.append(hours('B B B'))
    await desk.tellAll()
    await silence(2 * HOUR_MS)
    const silencedAt = desk.clock.now()
    await desk.start()
    await desk.until(() => desk.textsAt('slack').length > 0)
    expect(desk.clock.now() - silencedAt).toBeGreaterThanOrEqual(2 * HOUR_MS)
  })

  test('flaps: the first one that is told carries the notice', async () => {
    await silence(9 * HOUR_MS)
    let known = 0
    const story = 'B B R R B B R R B B'
    for (let hour = 1; hour <= story.split(' ').length; hour++) {
      const facts = hours(story.slice(0, 2 * hour - 1))
      desk.clock.advance(Math.max(facts.at(-1)!.value.decidedAt - desk.clock.now(), 0))
      await desk.append(facts, known)
      known = run(facts).length
      if (hour === story.split(' ').length) desk.clock.advance(2 * HOUR_MS)
      await desk.tellAll()
    }
    expect((await toldOn('ops')).at(-1)).toBe('0 ops flapping_notice: accepted')
    expect(desk.textsAt('webhook')).toEqual([expect.stringContaining('it opened and ended 5 times within 12h')])
  })
})

test('an end that one channel did not take reaches the fallback, though another one never heard of the alert', async () => {
  desk.routes({ warning: ['ops', 'pd'] })
  desk.receivers.webhook.follow(answering(503))
  await desk.append(hours('B B'))
  await desk.tellAll()
  desk.delivery({ fallback: 'chat' })
  desk.receivers.pagerduty.follow(answering(503))
  await desk.append(hours('B B R R'), 1)
  await desk.start()
  await desk.until(async () => (await toldOn('chat')).some((line) => line.startsWith('1 chat fallback')))
})

describe('what concerns no single alert', () => {
  test('is told to the fallback when its channel fails, and so is its end', async () => {
    desk.routes({ critical: ['pd'] })
    desk.delivery({ fallback: 'chat' })
    desk.receivers.pagerduty.follow(answering(503))
    await desk.start()
    await desk.tick()
    await desk.until(() => desk.textsAt('slack').some((text) => text.includes('sampler silent')))
    await desk.tick()
    await desk.until(() => desk.textsAt('slack').some((text) => text.includes('ticks are back')))
    expect(desk.textsAt('slack').length).toBe(2)
  })

  test('is not told to the fallback about itself, nor an end of which it and its channel know no beginning', async () => {
    desk.routes({ critical: ['ops'], warning: ['chat'], owner: ['ops'] })
    desk.delivery({ fallback: 'chat' })
    desk.receivers.slack.follow(answering(410))
    desk.receivers.webhook.follow(answering(503))
    await desk.append(hours('B B'))
    await desk.start()
    await desk.until(async () => (await desk.told()).some((line) => /ops house: retry retry/.test(line)))
    const startedAt = desk.clock.now()
    await desk.until(() => desk.clock.now() > startedAt + 2 * MINUTE_MS)
    const aboutChat = (await desk.ledger()).filter(({ decision }) => decision.subject.startsWith('channel/chat/'))
    expect(aboutChat.map(({ decision }) => decision.channel)).toEqual(['ops'])
  })

  test('a channel that does not know us, and whose owner hears by it alone, is told of on another one', async () => {
    desk.routes({ warning: ['chat'], owner: ['chat'] })
    desk.delivery({ fallback: 'chat' })
    desk.receivers.slack.follow(answering(403))
    await desk.append(hours('B B'))
    await desk.tellAll()
    await desk.until(() =>
      desk.textsAt('webhook').some((text) => text.includes('channel chat: it refuses our credentials')),
    )
  })
})
