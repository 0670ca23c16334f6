import { userInfo } from 'node:os'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { openCodec } from '#lib/codec/avro.ts'
import { CommandTopic } from '#lib/commands/command-topic.ts'
import { messageName } from '#lib/delivery/message-name.ts'
import { openEmbeddedRegistry } from '#lib/registry/embedded.ts'
import { topics } from '#lib/topics.ts'
import { freshDesk, putFile, VALID_MAIN } from '#tests/support/desk.ts'
import { factsOf, LOG_FILE, openDeskLog, recordsOf } from '#tests/support/desk-log.ts'
import { answering, type Behaviour, inTurn, openReceiver } from '#tests/support/receiver.ts'
import {
  attempted,
  type DeliveryDesk,
  decided,
  nameOf,
  OPS_SECRET,
  openDeliveryDesk,
  PD_KEY,
  SECRETS,
} from './delivery-desk.ts'

/** Ends or resets the connection in place of an answer. */
const closing = (then: 'end' | 'reset'): Behaviour => ({ do: 'raw', bytes: '', then })

let desk: DeliveryDesk
beforeAll(async () => {
  desk = await openDeliveryDesk()
})
afterEach(() => desk.receiver.follow(answering(200, 'ok')))
afterAll(() => desk.receiver.close())

const tests = async () =>
  (await factsOf(desk.dataDir, topics.command)).map(({ key, value }) => ({ key, ...value }) as Record<string, unknown>)

const missing = { secrets: 'not set', state: 'secrets missing', closed_at: null }

const since = (count: number) => desk.bodies().slice(count)

describe('a test that is accepted', () => {
  test('of a webhook: a signed message, the answer, and a record with author and reason', async () => {
    const before = desk.receiver.received.length
    const { code, stderr, summary } = await desk.run(['channels', 'test', 'ops', '--reason', 'new key'])
    expect(code).toBe(0)
    expect(stderr).toMatch(/^ops answered 200 \(accepted\) after \d+ ms\n$/)
    const [received] = desk.receiver.received.slice(before)
    expect(received!.headers['webhook-id']).toBe(summary['message_id'])
    expect(received!.headers['webhook-signature']).toMatch(/^v1,/)
    expect(since(before)).toMatchObject([
      { type: 'obs.test', data: { message: 'TEST of channel ops, asked for by mika. Nothing is wrong.' } },
    ])
    expect(summary).toMatchObject({
      status: 'ok',
      channel: 'ops',
      result: 'accepted',
      response_code: 200,
      detail: 'ok',
    })
    expect((await tests()).at(-1)).toEqual({
      ...{ key: summary['command_id'], type: 'channel_test', channel: 'ops', accepted: true },
      ...{
        channelConfig: expect.stringMatching(/^[0-9a-f]{64}$/),
        at: expect.any(Number),
        by: 'mika',
        reason: 'new key',
      },
    })
  })

  test('puts just this configuration of the channel back into use', async () => {
    const { summary } = await desk.run(['channels', 'test', 'slack', '--by', 'ann'])
    const { channelConfig } = (await tests()).at(-1)!
    const log = openDeskLog(desk.dataDir)
    const codec = await openCodec(topics.command, openEmbeddedRegistry(log.schemas))
    const standing = await new CommandTopic(log, codec).standing()
    expect(standing.acceptedTestOf('slack', channelConfig as string)).toMatchObject({
      commandId: summary['command_id'],
      by: 'ann',
      reason: 'test of the channel',
    })
    expect(standing.acceptedTestOf('slack', 'another')).toBeNull()
    await log.close()
  })

  test('of PagerDuty opens an incident of its own and ends it at once', async () => {
    const before = desk.receiver.received.length
    desk.receiver.follow(answering(202, '{"status":"success"}'))
    const { code, stderr, summary } = await desk.run(['channels', 'test', 'pd'])
    expect([code, summary['response_code']]).toEqual([0, 202])
    expect(stderr).toMatch(
      /^pd answered 202 \(accepted\) after \d+ ms to trigger\npd answered 202 \(accepted\) after \d+ ms to resolve\n$/,
    )
    const [trigger, resolve, ...more] = since(before)
    expect(trigger).toMatchObject({ event_action: 'trigger', routing_key: PD_KEY, payload: { severity: 'info' } })
    expect(resolve).toEqual({ event_action: 'resolve', routing_key: PD_KEY, dedup_key: trigger!['dedup_key'] })
    expect(trigger!['dedup_key']).toMatch(/^obs:local:test\/pd\/\d+$/)
    expect(more).toEqual([])
  })
})

describe('a test that is not accepted: the reason, what to do, and a record that says so', () => {
  test.each([
    [
      410,
      78,
      'gone',
      'has closed this address (410); set the variable of its URL to the new one [OBS_DELIVERY_REFUSED]',
    ],
    [401, 78, 'unauthorized', 'refuses our credentials (401); set the variable of its secret or URL anew'],
    [500, 69, 'retry', 'has not taken it (500); see whether it runs, then try again [OBS_DELIVERY_UNAVAILABLE]'],
    [307, 78, 'redirect', 'redirects are never followed (307)'],
    [400, 78, 'rejected', 'does not understand it (400)'],
  ])('%i', async (status, exitCode, result, words) => {
    desk.receiver.follow(answering(status))
    const { code, stderr, summary } = await desk.run(['channels', 'test', 'ops'])
    expect(code).toBe(exitCode)
    expect(stderr).toContain(`error: the receiver of ops `)
    expect(stderr).toContain(words)
    expect(summary).toMatchObject({ status: 'error', result, response_code: status })
    expect((await tests()).at(-1)).toMatchObject({ key: summary['command_id'], channel: 'ops', accepted: false })
  })

  test('a port that nobody listens on', async () => {
    const closed = await openReceiver()
    const env = { OPS_URL: closed.url(), OPS_SECRET }
    await closed.close()
    const { code, stderr, summary } = await desk.run(['channels', 'test', 'ops', '--json'], env)
    expect(code).toBe(69)
    expect(stderr).toContain('nobody listens there')
    expect(summary).toMatchObject({ result: 'retry', response_code: null, error_code: 'OBS_DELIVERY_UNAVAILABLE' })
    expect((await tests()).at(-1)).toMatchObject({ accepted: false, by: userInfo().username })
  })

  test('an address that our own policy forbids', async () => {
    const env = { OPS_URL: 'https://10.0.0.1/hook', OPS_SECRET }
    const { code, stderr } = await desk.run(['channels', 'test', 'ops'], env)
    expect(code).toBe(78)
    expect(stderr).toContain('name the host under delivery.allow_hosts')
  })

  test('PagerDuty that takes the incident and not its end: it may be open', async () => {
    desk.receiver.follow(inTurn(answering(202), answering(500)))
    const { code, stderr, summary } = await desk.run(['channels', 'test', 'pd'])
    expect(code).toBe(69)
    expect(stderr).toContain('warning: the test may have left an incident open on pd; resolve it there')
    expect(summary).toMatchObject({ status: 'error', response_code: 500 })
  })

  test('PagerDuty whose answer was lost: the end is sent all the same', async () => {
    const before = desk.receiver.received.length
    desk.receiver.follow(inTurn(closing('reset'), answering(202)))
    expect(await desk.run(['channels', 'test', 'pd'])).toMatchObject({ code: 69, summary: { result: 'unknown' } })
    expect(since(before).map((body) => body['event_action'])).toEqual(['trigger', 'resolve'])
  })
})

describe('a channel that a courier was told is gone', () => {
  const at = Date.parse('2026-06-27T23:00:00Z')
  const listed = async () => (await desk.run(['channels', '--json'])).summary['channels'] as readonly object[]
  const ofOps = { state: 'closed', closed_at: '2026-06-27T23:00:00Z', secrets: 'set' }

  test('is listed as closed, until a test of it is accepted, which says so', async () => {
    const own = await openDeliveryDesk()
    const name = nameOf('ops')
    const gone = attempted(name, 1, { at, result: 'gone', status: 410 })
    await own.claim(decided(name, { channelConfig: own.channelConfig('ops'), decidedAt: at }), ...gone)
    const states = async () => (await own.run(['channels', '--json'])).summary['channels']
    expect(await states()).toMatchObject([{ name: 'ops', ...ofOps }, { state: 'ready' }, { state: 'ready' }])
    expect((await own.run(['channels'])).stdout).toContain(
      'warning, critical  closed since 2026-06-27T23:00:00Z: it answered 410; `obstream channels test ops` puts it back\n',
    )
    own.receiver.follow(answering(410))
    const failed = await own.run(['channels', 'test', 'ops'])
    expect(failed).toMatchObject({ code: 78, summary: { put_back: false } })
    expect(await states()).toMatchObject([ofOps, {}, {}])
    own.receiver.follow(answering(200))
    const { stderr, summary } = await own.run(['channels', 'test', 'ops'])
    expect(stderr).toMatch(/\nops, closed since 2026-06-27T23:00:00Z, is back in use\n$/)
    expect(summary).toMatchObject({ status: 'ok', put_back: true })
    expect(await states()).toMatchObject([{ state: 'ready', closed_at: null }, {}, {}])
    expect(await own.run(['channels', 'test', 'ops'])).toMatchObject({
      stderr: expect.not.stringContaining('back in use'),
      summary: { put_back: false },
    })
    await own.receiver.close()
  })

  test('is not closed by what was sent with another configuration of it, nor by what the house told it', async () => {
    const house = messageName('local', 'channel/pd/gone/2026-06-27', 'ops')
    const gone = { at, result: 'gone', status: 410 } as const
    await desk.claim(
      decided(nameOf('ops', '0009'), { channelConfig: 'another', decidedAt: at }),
      ...attempted(nameOf('ops', '0009'), 1, gone),
      decided(house, { channelConfig: desk.channelConfig('ops'), decidedAt: at }),
      ...attempted(house, 1, gone),
    )
    expect(await listed()).toMatchObject([{ state: 'ready' }, { state: 'ready' }, { state: 'ready' }])
  })
})

describe('nothing is sent or recorded', () => {
  const refused = async (args: readonly string[], env?: Readonly<Record<string, string>>) => {
    const before = [desk.receiver.received.length, await tests()]
    const ended = await desk.run(args, env)
    expect([desk.receiver.received.length, await tests()]).toEqual(before)
    return ended
  }

  test('without the secret of the channel, which is named; those of others are not asked for', async () => {
    const { OPS_URL } = { OPS_URL: desk.receiver.url() }
    const { code, stderr } = await refused(['channels', 'test', 'ops'], { OPS_URL })
    expect(code).toBe(78)
    expect(stderr).toMatch(/obstream\.yaml:4.*channels\.ops\.secret_env.*OPS_SECRET is not set/)
    expect(stderr).not.toContain('PD_KEY')
    expect(await desk.run(['channels', 'test', 'ops'], { OPS_URL, OPS_SECRET })).toMatchObject({ code: 0 })
  })

  test('to a channel that is not there; the likely ones are listed', async () => {
    expect(await refused(['channels', 'test', 'slak'])).toMatchObject({
      code: 65,
      stderr: expect.stringMatching(
        /^error: there is no channel slak; channels: \[OBS_COMMAND_NO_TARGET\]\n {2}slack {2}slack\n/,
      ),
    })
  })
})

test('what a receiver repeats of a secret is neither shown nor recorded', async () => {
  desk.receiver.follow(({ path, body, headers }) => {
    const secret = headers['webhook-id'] === undefined ? JSON.parse(body.toString())['routing_key'] : OPS_SECRET
    return answering(404, `no ${path}\n${secret}`)
  })
  for (const channel of ['ops', 'pd', 'slack'])
    expect(await desk.run(['channels', 'test', channel])).toMatchObject({
      code: 78,
      stderr: expect.stringContaining('[hidden]'),
    })
  const records = (await recordsOf(desk.dataDir)).join('\n')
  for (const secret of SECRETS) expect(records).not.toContain(Buffer.from(secret).toString('hex'))
})

describe('channels', () => {
  test('lists what each is for, and whether it is ready', async () => {
    expect((await desk.run(['channels'], { OPS_URL: 'x', OPS_SECRET, SLACK_URL: 'y' })).stdout).toBe(
      [
        'channel  kind       routes             state',
        'ops      webhook    warning, critical  ready',
        'pd       pagerduty  critical           secrets missing',
        'slack    slack      fallback           ready',
        '',
      ].join('\n'),
    )
    expect((await desk.run(['channels', 'list', '--json'], { OPS_URL: 'x' })).summary).toEqual({
      channels: [
        { name: 'ops', kind: 'webhook', routes: ['warning', 'critical'], ...missing },
        { name: 'pd', kind: 'pagerduty', routes: ['critical'], ...missing },
        { name: 'slack', kind: 'slack', routes: ['fallback'], ...missing },
      ],
    })
  })

  test('needs no log', async () => {
    const dataDir = freshDesk(
      `${VALID_MAIN}channels: {ops: {kind: webhook, url_env: OPS_URL, secret_env: OPS_SECRET}}\nroutes: {warning: [ops]}\n`,
    )
    expect(await desk.run(['--data-dir', dataDir, 'channels'])).toMatchObject({
      code: 0,
      stdout: 'channel  kind     routes   state\nops      webhook  warning  ready\n',
      stderr: '',
    })
  })

  test('lists them though the log cannot be read, and says what it does not know then', async () => {
    const dataDir = freshDesk()
    putFile(dataDir, LOG_FILE, 'no database')
    expect(await desk.run(['--data-dir', dataDir, 'channels'])).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^warning: which channels are closed is not known: .*\[OBS_LOG_\w+\]\n/),
    })
  })

  test('says so when there are none', async () => {
    expect(await desk.run(['--data-dir', freshDesk(), 'channels'])).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('there are no channels'),
    })
  })
})
