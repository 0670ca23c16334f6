import { beforeEach, describe, expect, test } from '@jest/globals'
import { MINUTE_MS } from '#lib/time.ts'
import { ALERT, attempted, type DeliveryDesk, decided, nameOf, openDeliveryDesk, transition } from './delivery-desk.ts'

let desk: DeliveryDesk
beforeEach(async () => {
  desk = await openDeliveryDesk()
})

const said = ['--by', 'ann', '--reason', 'the router is restarted']
const json = async () => (await desk.run(['status', '--json'])).summary
const text = async (...args: readonly string[]) => (await desk.run(['status', ...args])).stdout

describe('beside an open alert stands', () => {
  test('that somebody acknowledged it, and that silences hold it back, by whom and until when', async () => {
    await desk.raise(transition('opened', 0))
    const acked = await desk.run(['ack', ALERT, '--by', 'mika', '--reason', 'looking at it'])
    const { summary: one } = await desk.run(['silence', 'source=router_demo', '--for', '2h', ...said])
    const { summary: two } = await desk.run(['silence', 'desk=fx', '--for', '1h', '--by', 'aki', '--reason', 'known'])
    await desk.run(['silence', 'source=another', '--for', '1h', ...said])
    const [alert] = (await json())['open_alerts'] as readonly Record<string, unknown>[]
    expect(alert).toMatchObject({
      id: ALERT,
      acknowledged: {
        ...{ by: 'mika', reason: 'looking at it', command_id: acked.summary['command_id'] },
        at: expect.stringMatching(/^20.*Z$/),
      },
      silences: [
        { id: one['silence_id'], by: 'ann', reason: 'the router is restarted', ends_at: one['ends_at'] },
        { id: two['silence_id'], by: 'aki', reason: 'known', ends_at: two['ends_at'] },
      ],
    })
    expect(await text()).toContain(`
alert       CRITICAL  ${ALERT}  it was opened
              acknowledged by mika: looking at it
              silenced until ${one['ends_at']} by ann: the router is restarted (${one['silence_id']})
              silenced until ${two['ends_at']} by aki: known (${two['silence_id']})
`)
  })

  test('nothing when nobody said anything, and nothing of a silence that has ended or has yet to begin', async () => {
    await desk.raise(transition('opened', 0))
    const { summary } = await desk.run(['silence', 'source=router_demo', '--for', '2h', ...said])
    await desk.run(['unsilence', String(summary['silence_id']), ...said])
    const later = ['--from', new Date(Date.now() + 5 * MINUTE_MS).toISOString(), '--for', '1h']
    await desk.run(['silence', 'source=router_demo', ...later, ...said])
    expect((await json())['open_alerts']).toMatchObject([{ id: ALERT, acknowledged: null, silences: [] }])
    expect(await text()).toMatch(new RegExp(`^alert +CRITICAL {2}${ALERT} {2}it was opened\n[a-z]`, 'm'))
  })
})

describe('a channel that answered 410', () => {
  test('has a line of its own until a test of it is accepted', async () => {
    const channelConfig = desk.channelConfig('ops')
    const at = Date.parse('2026-06-27T23:00:00Z')
    expect(await json()).toMatchObject({ closed_channels: [] })
    await desk.claim(
      decided(nameOf('ops'), { channelConfig, decidedAt: at }),
      ...attempted(nameOf('ops'), 1, { at, result: 'gone', status: 410 }),
    )
    expect(await json()).toMatchObject({ closed_channels: [{ channel: 'ops', closed_at: '2026-06-27T23:00:00Z' }] })
    expect(await text()).toContain(
      '\nchannel     ops is closed since 2026-06-27T23:00:00Z: it answered 410; `obstream channels test ops` puts it back\n',
    )
    expect(await desk.run(['channels', 'test', 'ops'])).toMatchObject({ code: 0 })
    expect(await json()).toMatchObject({ closed_channels: [] })
    expect(await text()).not.toContain('channel  ')
  })
})

describe('of the last deliveries', () => {
  test('what something newer has overtaken is given up, and has no next attempt', async () => {
    const at = Date.now()
    const newer = nameOf('ops', '0002')
    await desk.claim(
      decided(nameOf('ops'), { decidedAt: at - 2 * MINUTE_MS }),
      ...attempted(nameOf('ops'), 1, { at: at - MINUTE_MS, nextAttemptAt: at - 1 }),
      decided(newer, { decidedAt: at }),
      ...attempted(newer, 1, { at, result: 'accepted', status: 200 }),
    )
    expect((await json())['last_deliveries']).toMatchObject([
      { subject: newer.subject, result: 'accepted', overtaken_by: null },
      { subject: `${ALERT}/0001`, result: 'overtaken', overtaken_by: newer.subject, next_attempt_at: null },
    ])
    expect(await text()).toContain(`${ALERT}/0001  given up: ${newer.subject} is told instead, 1 attempt  msg_`)
  })

  test('what is tried again tells when, what is not that it was given up', async () => {
    const at = Date.now()
    const next = at + 5 * MINUTE_MS
    await desk.claim(
      decided(nameOf('ops')),
      ...attempted(nameOf('ops'), 1, { at, nextAttemptAt: next }),
      decided(nameOf('slack')),
      ...attempted(nameOf('slack'), 1, { at, nextAttemptAt: at - 1 }),
      decided(nameOf('pd')),
      ...attempted(nameOf('pd'), 1, { at }),
    )
    const shown = await text()
    expect(shown).toMatch(/ ops .* retry \(503\), 1 attempt, next attempt at 20\S+Z {2}msg_/)
    expect(shown).toMatch(/ slack .* retry \(503\), 1 attempt, next attempt due since 20\S+Z {2}msg_/)
    expect(shown).toMatch(/ pd .* retry \(503\), 1 attempt, given up {2}msg_/)
  })

  test('none are shown to who wants none', async () => {
    await desk.claim(decided(nameOf('ops')))
    expect(await text('--deliveries', '0')).not.toContain('deliver')
  })
})
