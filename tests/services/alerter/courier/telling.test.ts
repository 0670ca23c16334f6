import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { verifyMessage } from '#lib/delivery/signature.ts'
import { HOUR_MS, MINUTE_MS } from '#lib/time.ts'
import { alertIdOf } from '#services/alerter/courier/subjects.ts'
import { answering, type Behaviour, inTurn, raw } from '#tests/support/receiver.ts'
import { hours, inOrder, MONDAY, run } from '../desk.ts'
import { CourierDesk, ROUTING_KEY, WEBHOOK_SECRET } from './courier-desk.ts'

/** The third window of `hours('B B B')` is decided then. */
const CRITICAL_AT = MONDAY + 3 * HOUR_MS + 10 * MINUTE_MS
/** When a courier starts: all of it is news. */
const NOW = CRITICAL_AT - 30 * MINUTE_MS
const SAID = { by: 'ann', reason: 'maintenance' }

let desk: CourierDesk
beforeEach(async () => {
  desk = await CourierDesk.open(NOW)
})
afterEach(() => desk.close())

/** Starts a courier, lets it tell everything, and stops it. */
async function tellAll(): Promise<void> {
  await desk.settled(await desk.start())
  await desk.stop()
}

const bodyOf = (body: Buffer) => JSON.parse(body.toString())

describe('three breaches', () => {
  beforeEach(async () => {
    await desk.append(hours('B B B'))
    await tellAll()
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
    await tellAll()
    await tellAll()
    expect(desk.receivers.webhook.received.length).toBe(2)
    expect(await desk.told()).toEqual(['0 ops routed: accepted', '1 ops routed: accepted', '1 pd routed: accepted'])
  })

  test('their end reaches whoever knows of them', async () => {
    await desk.append(hours('B B B R R'), 2)
    await tellAll()
    expect(bodyOf(desk.receivers.webhook.received.at(-1)!.body).type).toBe('obs.alert.resolved')
    const [trigger, resolve] = desk.receivers.pagerduty.received.map(({ body }) => bodyOf(body))
    expect(resolve).toMatchObject({ event_action: 'resolve', dedup_key: trigger.dedup_key })
  })
})

test('many alerts are told at the same time, and each of them in order', async () => {
  desk.routes({ critical: ['ops'] })
  const sources = Array.from({ length: 100 }, (_, i) => `router_${i}`)
  await desk.append(inOrder(...sources.map((source) => hours('B B B R R', MONDAY, { source }))))
  await tellAll()
  const bodies = desk.receivers.webhook.received.map(({ body }) => bodyOf(body))
  const told = Map.groupBy(bodies, ({ data }) => data.alerts[0].id)
  expect(told.size).toBe(sources.length)
  for (const ofAlert of told.values())
    expect(ofAlert.map(({ type }) => type)).toEqual(['obs.alert.opened', 'obs.alert.escalated', 'obs.alert.resolved'])
})

test('503, 503, 200: the log line tells of three attempts, and all of them had the same id and bytes', async () => {
  desk.receivers.webhook.follow(inTurn(answering(503), answering(503), answering(200)))
  await desk.append(hours('B B'))
  await tellAll()
  const { received } = desk.receivers.webhook
  expect(new Set(received.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
  expect(new Set(received.map(({ body }) => body.toString())).size).toBe(1)
  expect(desk.lines.filter(({ fields }) => fields['channel'] === 'ops').map(({ fields }) => fields)).toMatchObject([
    { attempts: 1, result: 'retry', response_code: 503 },
    { attempts: 2, result: 'retry', response_code: 503 },
    { attempts: 3, result: 'accepted', response_code: 200 },
  ])
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

describe('what an answer means', () => {
  const RETRIES = 3
  /** Status, what comes of it, and how often it is sent while the receiver goes on like that. */
  const rows: readonly (readonly [number, string, number])[] = [
    ...[200, 201, 202, 204, 299].map((status) => [status, 'accepted', 1] as const),
    ...[300, 301, 302, 303, 307, 308].map((status) => [status, 'redirect', 1] as const),
    ...[400, 404, 405, 406, 409, 411, 413, 415, 422, 451].map((status) => [status, 'rejected', 1] as const),
    ...[401, 403].map((status) => [status, 'unauthorized', 1] as const),
    [410, 'gone', 1],
    ...[408, 425, 429, 500, 501, 502, 503, 504, 599].map((status) => [status, 'retry', 1 + RETRIES] as const),
  ]
  const channels = [
    ['webhook', 'ops'],
    ['pagerduty', 'pd'],
    ['slack', 'chat'],
  ] as const

  test.each(channels.flatMap(([kind, name]) => rows.map((row) => [kind, name, ...row] as const)))(
    '%s (%s) answers %i: %s, sent %i times',
    async (kind, name, status, result, times) => {
      const hasBody = status !== 204
      desk.receivers[kind].follow(answering(status, hasBody ? 'ok' : ''))
      desk.routes({ warning: [name], owner: [] })
      await desk.append(hours('B B'))
      await tellAll()
      // Slack says that it took a message by 200 and `ok`, and by nothing else.
      const isWrongKindOfYes = kind === 'slack' && result === 'accepted' && status !== 200
      const expected = isWrongKindOfYes ? 'rejected' : result
      expect((await desk.told()).slice(0, 1)).toEqual([`0 ${name} routed: ${Array(times).fill(expected).join(' ')}`])
      expect(desk.receivers[kind].received.length).toBe(times)
    },
  )
})

describe('what the lack of an answer means', () => {
  /** What the receiver does once it has read the request, and what comes of it. */
  const rows: readonly (readonly [string, Behaviour])[] = [
    ['closes', raw('', 'end')],
    ['breaks the connection', raw('', 'reset')],
    ['answers half a head, then closes', raw('HTTP/1.1 20', 'end')],
    ['answers no HTTP', raw('SSH-2.0-OpenSSH_9.2\r\n', 'end')],
  ]
  const kinds = ['webhook', 'pagerduty', 'slack'] as const

  test.each(kinds.flatMap((kind) => rows.map((row) => [kind, ...row] as const)))(
    '%s reads, then %s: it may have arrived',
    async (kind, _, behaviour) => {
      desk.receivers[kind].follow(behaviour)
      expect(await toldOnceOn(kind)).toMatch(/ routed: unknown$/)
      expect(desk.receivers[kind].received.length).toBe(1)
    },
  )

  test.each(kinds)('nobody listens at %s: it has not arrived', async (kind) => {
    await desk.receivers[kind].close()
    expect(await toldOnceOn(kind)).toMatch(/ routed: retry$/)
  })

  async function toldOnceOn(kind: (typeof kinds)[number]): Promise<string> {
    const { name } = desk.config.channels.find((channel) => channel.kind === kind)!
    desk.delivery({ maxRetries: 0 })
    desk.routes({ warning: [name] })
    await desk.append(hours('B B'))
    await tellAll()
    return (await desk.told())[0]!
  }
})

describe('what operators said', () => {
  test('a silence holds back an opening, and the ledger names it; the end of what nobody heard is not told', async () => {
    const matchers = [{ name: 'source', op: 'regex', value: 'router.*' }] as const
    const at = desk.clock.now()
    const id = await desk.command({ type: 'silence', ...SAID, at, matchers, startsAt: at, endsAt: at + HOUR_MS })
    await desk.append(hours('B B B R R'))
    await tellAll()
    expect(desk.receivers.webhook.received.length).toBe(0)
    expect(await desk.told()).toEqual(['0 ops silenced', '1 ops silenced', '1 pd silenced', '2 * nothing_told'])
    expect((await desk.ledger())[0]!.decision).toMatchObject({
      commands: [id],
      reason: 'silenced by ann until 2026-06-22T03:40:00Z: maintenance',
    })
  })

  test('an acknowledgement holds back reminders, and nothing else', async () => {
    await desk.append(hours('B B B'))
    await tellAll()
    const { subject } = (await desk.ledger())[0]!.decision
    const alertId = subject.slice(0, subject.lastIndexOf('/'))
    await desk.command({ type: 'ack', ...SAID, at: desk.clock.now(), alertId })
    await desk.append(hours('B B B B B B B R R'), 2)
    await tellAll()
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
    await tellAll()
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
    await tellAll()
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

describe('a channel that fails', () => {
  test('is replaced by the fallback after its second failure, and goes on trying', async () => {
    desk.delivery({ fallback: 'chat' })
    desk.receivers.webhook.follow(inTurn(answering(503), answering(503), answering(200)))
    await desk.append(hours('B B'))
    await tellAll()
    expect(await desk.told()).toEqual(['0 ops routed: retry retry accepted', '0 chat fallback: accepted'])
    expect(bodyOf(desk.receivers.slack.received[0]!.body).text).toContain('ops failed 2 times')
  })

  test('is replaced at once where trying again would not help', async () => {
    desk.delivery({ fallback: 'chat' })
    desk.receivers.webhook.follow(answering(400))
    await desk.append(hours('B B'))
    await tellAll()
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
    await tellAll()
    await desk.append(hours('B B B R R'), 1)
    await tellAll()
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
    await tellAll()
    desk.receivers.webhook.follow(answering(200))
    const { configSha256 } = desk.config.channels[0]!
    desk.clock.advance(MINUTE_MS)
    const test = { type: 'channel_test', channel: 'ops', channelConfig: configSha256, accepted: true } as const
    await desk.command({ ...test, ...SAID, at: desk.clock.now() })
    await desk.append(hours('B B B'), 1)
    await tellAll()
    expect(await desk.told()).toContain('1 ops routed: accepted')
  })

  test('and is used again once its configuration is another one', async () => {
    desk.receivers.webhook.follow(answering(410))
    await desk.append(hours('B B'))
    await tellAll()
    desk.receivers.webhook.follow(answering(200))
    const channels = desk.config.channels.map((channel) => ({ ...channel, configSha256: 'another' }))
    desk.config = { ...desk.config, channels }
    await desk.append(hours('B B B'), 1)
    await tellAll()
    expect(await desk.told()).toContain('1 ops routed: accepted')
  })

  test('that does not know our credentials is told of to its owner, once a day, and goes on being tried', async () => {
    desk.receivers.webhook.follow(answering(401))
    await desk.append(hours('B B B R R'))
    await tellAll()
    await desk.until(() => desk.textsAt('slack').some((text) => text.includes('refuses our credentials')))
    expect(desk.textsAt('slack').filter((text) => text.includes('refuses our credentials')).length).toBe(1)
    expect(desk.receivers.webhook.received.length).toBe(3)
  })
})

describe('a sampler that falls silent', () => {
  const isTold = (what: string) => () => desk.textsAt('webhook').some((text) => text.includes(what))

  test('is told of after a minute without a tick, and so is its return', async () => {
    await desk.start()
    await desk.tick()
    await desk.until(isTold('sampler silent: no clock tick since'))
    expect(desk.clock.now()).toBeGreaterThan(NOW + MINUTE_MS)
    await desk.tick()
    await desk.until(isTold('ticks are back'))
    expect(desk.receivers.webhook.received.length).toBe(2)
  })

  test('is told of once, also by a courier that starts meanwhile, which hears its return', async () => {
    await desk.start()
    await desk.tick()
    await desk.until(isTold('sampler silent'))
    await desk.stop()
    await desk.start()
    const startedAt = desk.clock.now()
    await desk.until(() => desk.clock.now() > startedAt + 5 * MINUTE_MS)
    expect(desk.receivers.webhook.received.length).toBe(1)
    await desk.tick()
    await desk.until(isTold('ticks are back'))
  })

  test('is not told of when it was we who slept', async () => {
    await desk.start()
    await desk.tick()
    await desk.until(() => desk.clock.now() > NOW + 30_000)
    desk.clock.advance(2 * HOUR_MS)
    await desk.tick()
    const awakeAt = desk.clock.now()
    await desk.until(() => desk.clock.now() > awakeAt + 30_000)
    expect(desk.receivers.webhook.received.length).toBe(0)
    await desk.until(isTold('sampler silent'))
  })

  test('is not told of while ticks come, nor before the first one', async () => {
    await desk.start()
    await desk.until(() => desk.clock.now() > NOW + 5 * MINUTE_MS)
    for (let i = 0; i < 5; i++) {
      await desk.tick()
      const tickedAt = desk.clock.now()
      await desk.until(() => desk.clock.now() >= tickedAt + 50_000)
    }
    expect(desk.receivers.webhook.received.length).toBe(0)
  })
})

describe('a courier that comes late', () => {
  test('tells only what is still news: no openings of an alert that is over, as long as it is', async () => {
    desk = await lateDesk(CRITICAL_AT + 10 * HOUR_MS)
    await desk.append(hours('B B B R R'))
    await tellAll()
    expect(await desk.told()).toEqual(['0 ops superseded', '1 ops superseded', '1 pd superseded', '2 * nothing_told'])
    expect(desk.receivers.webhook.received.length + desk.receivers.pagerduty.received.length).toBe(0)
  })

  test('tells an alert that is still open, however old', async () => {
    desk = await lateDesk(CRITICAL_AT + 10 * HOUR_MS)
    await desk.append(hours('B B B'))
    await tellAll()
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
  await tellAll()
  const elsewhere = [...desk.receivers.slack.received, ...desk.receivers.webhook.received]
  const said = JSON.stringify([await desk.ledger(), desk.lines]) + elsewhere.map(({ body }) => body).join('\n')
  for (const secret of [WEBHOOK_SECRET, ROUTING_KEY, 'secret-of-slack']) expect(said).not.toContain(secret)
})
