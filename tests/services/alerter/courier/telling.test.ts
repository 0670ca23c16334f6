import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { verifyMessage } from '#lib/delivery/signature.ts'
import { HOUR_MS } from '#lib/time.ts'
import { answering, inTurn } from '#tests/support/receiver.ts'
import { hours, inOrder, MONDAY } from '../desk.ts'
import { CourierDesk, CRITICAL_AT, NOW, ROUTING_KEY, WEBHOOK_SECRET } from './courier-desk.ts'

/** What a courier tells of transitions, and what ledger, log and metrics say of it. */

let desk: CourierDesk
beforeEach(async () => {
  desk = await CourierDesk.open(NOW)
})
afterEach(() => desk.close())

const bodyOf = (body: Buffer) => JSON.parse(body.toString())

describe('three breaches', () => {
  beforeEach(async () => {
    await desk.append(hours('B B B'))
    await desk.tellAll()
  })

  test('reach the webhook as a warning, then as critical, signed', () => {
    const { received } = desk.receivers.webhook
    expect(received.map(({ body }) => bodyOf(body).data.alerts[0].severity)).toEqual(['warning', 'critical'])
    expect(received.map(({ path, method }) => [method, path])).toEqual([
      ['POST', '/hook'],
      ['POST', '/hook'],
    ])
    for (const { headers, body } of received)
      expect(
        verifyMessage(
          { headers: headers as Record<string, string>, body },
          { current: WEBHOOK_SECRET },
          desk.clock.now(),
        ),
      ).toEqual({ ok: true, by: 'webhook-signature', isReplaySafe: true })
  })

  test('reach PagerDuty once, as a trigger with the routing key', () => {
    expect(desk.receivers.pagerduty.received.map(({ body }) => bodyOf(body))).toEqual([
      expect.objectContaining({
        routing_key: ROUTING_KEY,
        event_action: 'trigger',
        payload: expect.objectContaining({ severity: 'critical', source: 'router_demo' }),
      }),
    ])
  })

  test('are told once, whoever starts later', async () => {
    await desk.tellAll()
    await desk.tellAll()
    expect(desk.receivers.webhook.received.length).toBe(2)
    expect(await desk.told()).toEqual(['0 ops routed: accepted', '1 ops routed: accepted', '1 pd routed: accepted'])
  })

  test('their end reaches whoever knows of them', async () => {
    await desk.append(hours('B B B R R'), 2)
    await desk.tellAll()
    expect(bodyOf(desk.receivers.webhook.received.at(-1)!.body).type).toBe('obs.alert.resolved')
    const [trigger, resolve] = desk.receivers.pagerduty.received.map(({ body }) => bodyOf(body))
    expect(resolve).toMatchObject({ event_action: 'resolve', dedup_key: trigger.dedup_key })
  })
})

test('many alerts are told at the same time, and each of them in order', async () => {
  desk.routes({ critical: ['ops'] })
  const sources = Array.from({ length: 100 }, (_, i) => `router_${i}`)
  await desk.append(inOrder(...sources.map((source) => hours('B B B R R', MONDAY, { source }))))
  await desk.tellAll()
  const bodies = desk.receivers.webhook.received.map(({ body }) => bodyOf(body))
  const told = Map.groupBy(bodies, ({ data }) => data.alerts[0].id)
  expect(told.size).toBe(sources.length)
  for (const ofAlert of told.values())
    expect(ofAlert.map(({ type }) => type)).toEqual(['obs.alert.opened', 'obs.alert.escalated', 'obs.alert.resolved'])
})

test('503, 503, 200: the log line tells of three attempts, and all of them had the same id and bytes', async () => {
  desk.receivers.webhook.follow(inTurn(answering(503), answering(503), answering(200)))
  await desk.append(hours('B B'))
  await desk.tellAll()
  const { received } = desk.receivers.webhook
  expect(new Set(received.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
  expect(new Set(received.map(({ body }) => body.toString())).size).toBe(1)
  expect(desk.lines.filter(({ fields }) => fields['channel'] === 'ops').map(({ fields }) => fields)).toMatchObject([
    { attempts: 1, result: 'retry', response_code: 503 },
    { attempts: 2, result: 'retry', response_code: 503 },
    { attempts: 3, result: 'accepted', response_code: 200 },
  ])
})

test('an alert whose plan cannot be had is not decided about: the courier says what it waits for, and tells others', async () => {
  const unknown = 'f'.repeat(64)
  await desk.append(hours('B B', MONDAY, { source: 'router_a' }), 0, unknown)
  await desk.append(hours('B B', MONDAY, { source: 'router_b' }))
  const courier = await desk.start()
  await desk.until(() => desk.receivers.webhook.received.length === 1)
  expect(courier.waitsFor).toContain(unknown)
  expect(desk.textsAt('webhook')).toEqual([expect.stringContaining('router_b')])
})

test('decisions and attempts are counted, channel by channel', async () => {
  desk.receivers.webhook.follow(inTurn(answering(503), answering(200)))
  await desk.append(hours('B B'))
  const courier = await desk.start()
  const { metrics } = desk
  await desk.settled(courier)
  const lines = (await metrics.metrics()).split('\n').filter((line) => line.startsWith('obstream_delivery_'))
  const acceptedAt = (await desk.ledger())[0]!.attempts.at(-1)!.outcome!.at / 1_000
  expect(lines).toEqual(
    expect.arrayContaining([
      'obstream_delivery_decisions_total{channel="ops",code="routed"} 1',
      'obstream_delivery_attempts_total{channel="ops",result="retry"} 1',
      'obstream_delivery_attempts_total{channel="ops",result="accepted"} 1',
      'obstream_delivery_attempt_duration_seconds_count{channel="ops"} 2',
      `obstream_delivery_last_accepted_timestamp_seconds{channel="ops"} ${acceptedAt}`,
    ]),
  )
})

describe('a courier that comes late', () => {
  test('tells only what is still news: no openings of an alert that is over, as long as it is', async () => {
    desk = await lateDesk(CRITICAL_AT + 10 * HOUR_MS)
    await desk.append(hours('B B B R R'))
    await desk.tellAll()
    expect(await desk.told()).toEqual(['0 ops superseded', '1 ops superseded', '1 pd superseded', '2 * nothing_told'])
    expect(desk.receivers.webhook.received.length + desk.receivers.pagerduty.received.length).toBe(0)
  })

  test('tells an alert that is still open, however old', async () => {
    desk = await lateDesk(CRITICAL_AT + 10 * HOUR_MS)
    await desk.append(hours('B B B'))
    await desk.tellAll()
    expect(await desk.told()).toEqual(['0 ops superseded', '1 ops routed: accepted', '1 pd routed: accepted'])
  })

  async function lateDesk(now: number): Promise<CourierDesk> {
    await desk.close()
    return CourierDesk.open(now)
  }
})

test('no secret is in the ledger, in what is logged, or in what other channels are told', async () => {
  desk.receivers.webhook.follow(answering(401, 'who are you?'))
  desk.receivers.pagerduty.follow(answering(400, ROUTING_KEY.slice(0, 4)))
  desk.delivery({ fallback: 'chat' })
  await desk.append(hours('B B B R R'))
  await desk.tellAll()
  const elsewhere = [...desk.receivers.slack.received, ...desk.receivers.webhook.received]
  const said = JSON.stringify([await desk.ledger(), desk.lines]) + elsewhere.map(({ body }) => body).join('\n')
  for (const secret of [WEBHOOK_SECRET, ROUTING_KEY, 'secret-of-slack']) expect(said).not.toContain(secret)
})
