import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { HOUR_MS, MINUTE_MS } from '#lib/time.ts'
import { alertIdOf } from '#services/alerter/courier/subjects.ts'
import { hours, inOrder, MONDAY, run } from '../desk.ts'
import { CourierDesk, NOW, SAID } from './courier-desk.ts'

/** What operators hold back, and what is held back because it comes and goes. */

let desk: CourierDesk
beforeEach(async () => {
  desk = await CourierDesk.open(NOW)
})
afterEach(() => desk.close())

const bodyOf = (body: Buffer) => JSON.parse(body.toString())

describe('what operators said', () => {
  test('a silence holds back an opening, and the ledger names it; the end of what nobody heard is not told', async () => {
    const matchers = [{ name: 'source', op: 'regex', value: 'router.*' }] as const
    const at = desk.clock.now()
    const id = await desk.command({ type: 'silence', ...SAID, at, matchers, startsAt: at, endsAt: at + HOUR_MS })
    await desk.append(hours('B B B R R'))
    await desk.tellAll()
    expect(desk.receivers.webhook.received.length).toBe(0)
    expect(await desk.told()).toEqual(['0 ops silenced', '1 ops silenced', '1 pd silenced', '2 * nothing_told'])
    expect((await desk.ledger())[0]!.decision).toMatchObject({
      commands: [id],
      reason: 'silenced by ann until 2026-06-22T03:40:00Z: maintenance',
    })
  })

  test('an acknowledgement holds back reminders, and nothing else', async () => {
    await desk.append(hours('B B B'))
    await desk.tellAll()
    const { subject } = (await desk.ledger())[0]!.decision
    const alertId = subject.slice(0, subject.lastIndexOf('/'))
    await desk.command({ type: 'ack', ...SAID, at: desk.clock.now(), alertId })
    await desk.append(hours('B B B B B B B R R'), 2)
    await desk.tellAll()
    expect((await desk.told()).slice(3)).toEqual([
      '2 ops acknowledged',
      '2 pd acknowledged',
      '3 ops told_before: accepted',
      '3 pd told_before: accepted',
    ])
  })

  test('a critical alert that nobody acknowledges in time is told to others, once', async () => {
    desk.routes({ unacknowledged: ['chat'] })
    await desk.append(hours('B B B'))
    await desk.start()
    await desk.until(() => desk.receivers.slack.received.length > 0)
    expect(desk.clock.now()).toBeGreaterThanOrEqual(NOW + 30 * MINUTE_MS)
    expect((await desk.told()).at(-1)).toMatch(/^unacknowledged chat unacknowledged: /)
    expect(bodyOf(desk.receivers.slack.received[0]!.body).text).toContain('nobody acknowledged it within 30m')
  })

  test('readers of Japanese are told so in Japanese', async () => {
    desk.routes({ unacknowledged: ['chat'] })
    desk.config = { ...desk.config, locale: 'ja' }
    await desk.append(hours('B B B'))
    await desk.start()
    await desk.until(() => desk.receivers.slack.received.length > 0)
    expect(bodyOf(desk.receivers.slack.received[0]!.body).text).toContain(
      '通知理由: 連続3回。30m以内に誰も確認していません。',
    )
  })

  test('one that somebody has acknowledged is not, while another is', async () => {
    desk.routes({ unacknowledged: ['chat'] })
    await desk.append(inOrder(...['router_a', 'router_b'].map((source) => hours('B B B', MONDAY, { source }))))
    await desk.tellAll()
    const [first, second] = [...new Set((await desk.ledger()).map(({ decision }) => alertIdOf(decision.subject)))]
    await desk.command({ type: 'ack', ...SAID, at: desk.clock.now(), alertId: first! })
    await desk.start()
    await desk.until(() => desk.receivers.slack.received.length > 0)
    const unacknowledged = (await desk.ledger()).filter(({ decision }) => decision.code === 'unacknowledged')
    expect(unacknowledged.map(({ decision }) => alertIdOf(decision.subject))).toEqual([second])
  })
})

test('an alert that comes and goes is told of four times, with a notice, then held back until it is critical', async () => {
  const story = 'B B R R B B R R B B B'
  let known = 0
  for (let hour = 1; hour <= story.split(' ').length; hour++) {
    const facts = hours(story.slice(0, 2 * hour - 1))
    desk.clock.advance(Math.max(facts.at(-1)!.value.decidedAt - desk.clock.now(), 0))
    await desk.append(facts, known)
    known = run(facts).length
    await desk.tellAll()
  }
  expect((await desk.told()).filter((line) => line.includes(' ops '))).toEqual([
    '0 ops routed: accepted',
    '1 ops told_before: accepted',
    '0 ops routed: accepted',
    '1 ops flapping_notice: accepted',
    '0 ops flapping',
    '1 ops routed: accepted',
  ])
  expect(desk.textsAt('webhook')[3]).toContain('it opened and ended 4 times within 12h')
})
