import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { formatDryRun } from '#lib/delivery/dry-run-file.ts'
import type { DeliveryFact } from '#lib/delivery/facts.ts'
import { topics } from '#lib/topics.ts'
import { putFile } from '#tests/support/desk.ts'
import { factsOf, recordsOf } from '#tests/support/desk-log.ts'
import { answering, inTurn } from '#tests/support/receiver.ts'
import { attempted, type DeliveryDesk, decided, nameOf, openDeliveryDesk, PD_KEY, SECRETS } from './delivery-desk.ts'

let desk: DeliveryDesk
beforeEach(async () => {
  desk = await openDeliveryDesk()
})
afterEach(() => desk.receiver.close())

const OPS = nameOf('ops')
const later = (): number => Date.now() + 3_600_000
const outcomes = (facts: readonly DeliveryFact[]) => facts.filter(({ type }) => type === 'outcome')

describe('a message of the ledger', () => {
  test('that was given up is sent as its next attempt: same id, same bytes, said before and after', async () => {
    await desk.claim(decided(OPS, { body: '{"exact":"本文"}' }), ...attempted(OPS, 1, {}), ...attempted(OPS, 2, {}))
    const { code, stderr, summary } = await desk.run(['deliver', OPS.messageId, '--reason', 'it is back'])
    expect(code).toBe(0)
    expect(stderr).toMatch(new RegExp(`^ops answered 200 \\(accepted\\) after \\d+ ms to ${OPS.messageId}\\n$`))
    expect(summary).toMatchObject({
      status: 'ok',
      messages: [{ message_id: OPS.messageId, channel: 'ops', subject: OPS.subject, attempt: 3, result: 'accepted' }],
    })
    const [received, ...more] = desk.receiver.received
    expect(received!.body.toString()).toBe('{"exact":"本文"}')
    expect(received!.headers['webhook-id']).toBe(OPS.messageId)
    expect(more).toEqual([])
    const [command] = await factsOf(desk.dataDir, topics.command)
    const { messageId, channel } = OPS
    expect(command!.value).toMatchObject({ type: 'deliver', messageId, channel, by: 'mika', reason: 'it is back' })
    expect((await desk.ledger()).slice(-2)).toMatchObject([
      { type: 'intent', ...OPS, attempt: 3, courier: `by hand ${command!.key}, mika: it is back` },
      { type: 'outcome', ...OPS, attempt: 3, result: 'accepted', status: 200, nextAttemptAt: null },
    ])
  })

  test('that was accepted is not sent again, unless somebody insists', async () => {
    await desk.claim(decided(OPS), ...attempted(OPS, 1, { result: 'accepted', status: 200 }))
    const refused = await desk.run(['deliver', OPS.messageId])
    expect(refused).toMatchObject({ code: 65, summary: { error_code: 'OBS_DELIVERY_UNFIT' } })
    expect(refused.stderr).toContain(`ops has accepted ${OPS.messageId} already; --force sends it all the same`)
    expect(desk.receiver.received).toEqual([])
    expect(await desk.ledger()).toHaveLength(3)
    expect(await desk.run(['deliver', OPS.messageId, '--force'])).toMatchObject({ code: 0 })
    expect(outcomes(await desk.ledger())).toMatchObject([{ attempt: 1 }, { attempt: 2, result: 'accepted' }])
  })

  test('is not sent after something newer about its alert: an opening would open what has ended', async () => {
    const end = nameOf('ops', '0002')
    await desk.claim(decided(OPS), ...attempted(OPS, 1, {}))
    await desk.claim(decided(end), ...attempted(end, 1, { result: 'accepted', status: 200 }))
    expect(await desk.run(['deliver', OPS.messageId])).toMatchObject({
      code: 65,
      stderr: expect.stringContaining(`ops is told ${end.subject} instead of ${OPS.messageId}`),
    })
    expect(desk.receiver.received).toEqual([])
    expect(await desk.run(['deliver', OPS.messageId, '--force'])).toMatchObject({ code: 0 })
  })

  test('that was held back has no body, and nobody can insist', async () => {
    await desk.claim(decided(OPS, { send: false, body: null, messageType: null, reason: 'silenced by ann' }))
    expect(await desk.run(['deliver', OPS.messageId, '--force'])).toMatchObject({
      code: 65,
      stderr: expect.stringContaining('was held back from ops, so it has no body: silenced by ann'),
    })
  })

  test('that a courier is sending at the moment is left to it', async () => {
    const [intent] = attempted(OPS, 1, {})
    await desk.claim(decided(OPS), intent!)
    expect(await desk.run(['deliver', OPS.messageId])).toMatchObject({
      code: 75,
      summary: { error_code: 'OBS_DELIVERY_UNDER_WAY' },
    })
    expect(desk.receiver.received).toEqual([])
  })

  test('whose courier has died in the middle: that attempt is unknown, the next one is made', async () => {
    await desk.claim(decided(OPS), { type: 'intent', ...OPS, attempt: 1, at: Date.now() - 60_000, courier: 'dead' })
    expect(await desk.run(['deliver', OPS.messageId])).toMatchObject({ code: 0 })
    expect(outcomes(await desk.ledger())).toMatchObject([
      { attempt: 1, result: 'unknown', status: null },
      { attempt: 2, result: 'accepted' },
    ])
  })

  test.each([
    [500, 69, 'OBS_DELIVERY_UNAVAILABLE', 'retry'],
    [401, 78, 'OBS_DELIVERY_REFUSED', 'unauthorized'],
    [410, 78, 'OBS_DELIVERY_REFUSED', 'gone'],
  ])(
    'that is answered with %i: the ledger says so, and what was given up stays so',
    async (status, exit, code, result) => {
      await desk.claim(decided(OPS), ...attempted(OPS, 1, {}))
      desk.receiver.follow(answering(status))
      const ended = await desk.run(['deliver', OPS.messageId])
      expect(ended).toMatchObject({ code: exit, summary: { status: 'error', error_code: code } })
      expect((await desk.ledger()).at(-1)).toMatchObject({ attempt: 2, result, status, nextAttemptAt: null })
    },
  )

  test('that a courier still tries, and that fails by hand: the courier goes on as it had planned', async () => {
    const nextAttemptAt = later()
    await desk.claim(decided(OPS), ...attempted(OPS, 1, { nextAttemptAt }))
    desk.receiver.follow(answering(503))
    expect(await desk.run(['deliver', OPS.messageId])).toMatchObject({ code: 69 })
    expect((await desk.ledger()).at(-1)).toMatchObject({ attempt: 2, result: 'retry', nextAttemptAt })
  })

  test('that nobody has tried yet, and that fails by hand, is tried by the courier later', async () => {
    await desk.claim(decided(OPS))
    desk.receiver.follow(answering(503, '', { 'retry-after': '1200' }))
    expect(await desk.run(['deliver', OPS.messageId])).toMatchObject({ code: 69 })
    const { at, nextAttemptAt } = (await desk.ledger()).at(-1) as DeliveryFact & { type: 'outcome' }
    expect(nextAttemptAt! - at).toBeGreaterThan(1_190_000)
  })

  test('for PagerDuty has the routing key on its way and nowhere else', async () => {
    const pd = nameOf('pd')
    await desk.claim(decided(pd, { body: '{"event_action":"trigger"}' }))
    desk.receiver.follow(answering(202, PD_KEY))
    expect(await desk.run(['deliver', pd.messageId])).toMatchObject({ code: 0 })
    expect(desk.bodies()).toEqual([{ event_action: 'trigger', routing_key: PD_KEY }])
    const records = (await recordsOf(desk.dataDir)).join('\n')
    for (const secret of SECRETS) expect(records).not.toContain(Buffer.from(secret).toString('hex'))
  })

  test('without the secret of its channel is not sent, and nothing is said', async () => {
    await desk.claim(decided(OPS))
    const { code, stderr } = await desk.run(['deliver', OPS.messageId], { OPS_URL: desk.receiver.url() })
    expect([code, stderr]).toEqual([78, expect.stringContaining('OPS_SECRET is not set')])
    expect(await desk.ledger()).toHaveLength(1)
    expect(await factsOf(desk.dataDir, topics.command)).toEqual([])
  })

  test('that nobody has decided, or that goes elsewhere', async () => {
    await desk.claim(decided(OPS))
    const { messageId } = nameOf('pd')
    expect(await desk.run(['deliver', messageId])).toMatchObject({
      code: 65,
      stderr: `error: no message in the log has the id ${messageId}; the ids stand in \`obstream status\`, \`obstream explain <alert-id>\` and the header webhook-id [OBS_COMMAND_NO_TARGET]\n`,
    })
    expect(await desk.run(['deliver', OPS.messageId, '--channel', 'pd', '--json'])).toMatchObject({
      code: 65,
      stderr: expect.stringContaining(
        `names no message to pd; messages in it: [OBS_COMMAND_NO_TARGET]\n  ops  ${OPS.messageId}\n`,
      ),
      summary: { error_message: expect.stringMatching(/messages in it:\n {2}ops {2}msg_\w+$/) },
    })
  })
})

describe('the file of a dry run', () => {
  const FILE = 'out/latency_alerts/20260627T230000Z-latency.json'
  const [first, second] = [nameOf('ops', '0001'), nameOf('slack', '0002')]
  const put = (...facts: readonly ReturnType<typeof decided>[]): void =>
    putFile(desk.dataDir, FILE, formatDryRun(facts.map((fact) => ({ ...fact, dryRun: true }))))

  test('is a JSON array of what would have been sent, and holds no secret', () => {
    const held = decided(nameOf('pd'), { send: false, body: null, messageType: null })
    const text = formatDryRun([decided(first, { body: '{"a":"é"}' }), held, decided(second)])
    expect(JSON.parse(text)).toEqual([
      { channel: 'ops', message_id: first.messageId, type: 'obs.alert.opened', body: '{"a":"é"}' },
      { channel: 'slack', message_id: second.messageId, type: 'obs.alert.opened', body: '{"b":1}' },
    ])
    expect(formatDryRun([held])).toBe('[]\n')
  })

  test('is sent under the ids in it, which is recorded, and the courier still decides about them', async () => {
    put(decided(first, { body: '{"n":1}' }), decided(second, { body: '{"n":2}' }))
    await desk.claim({ ...decided(first), dryRun: true })
    const { code, summary } = await desk.run(['deliver', FILE])
    expect(code).toBe(0)
    expect(desk.bodies()).toEqual([{ n: 1 }, { n: 2 }])
    expect(desk.receiver.received[0]!.headers['webhook-id']).toBe(first.messageId)
    expect(summary).toMatchObject({ messages: [{ attempt: null, result: 'accepted' }, { result: 'accepted' }] })
    expect(await desk.ledger()).toMatchObject([{ type: 'decision', dryRun: true }])
    expect((await factsOf(desk.dataDir, topics.command)).map(({ value }) => value)).toMatchObject(
      [first, second].map(({ messageId, channel }) => ({ type: 'deliver', messageId, channel, by: 'mika' })),
    )
  })

  test('is refused when it was changed since it was sent: one id never has two bodies', async () => {
    put(decided(first, { body: '{"n":1}' }))
    expect(await desk.run(['deliver', FILE])).toMatchObject({ code: 0 })
    put(decided(first, { body: '{"n":2}' }))
    expect(await desk.run(['deliver', FILE, '--force'])).toMatchObject({
      code: 65,
      stderr: expect.stringContaining('with another body by hand, and one id never has two'),
    })
    expect(desk.bodies()).toEqual([{ n: 1 }])
    put(decided(first, { body: '{"n":1}' }))
    expect(await desk.run(['deliver', FILE])).toMatchObject({ code: 0 })
  })

  test('may be sent to one channel only, whose secrets alone are asked for', async () => {
    put(decided(first, { body: '{"n":1}' }), decided(second, { body: '{"n":2}' }))
    const SLACK_URL = desk.receiver.url('/s')
    expect(await desk.run(['deliver', FILE, '--channel', 'slack'], { SLACK_URL })).toMatchObject({ code: 0 })
    expect(desk.bodies()).toEqual([{ n: 2 }])
  })

  test('what was decided since goes through the ledger, what was accepted is left out', async () => {
    put(decided(first), decided(second))
    await desk.claim(decided(first), ...attempted(first, 1, { result: 'accepted', status: 200 }), decided(second))
    const { code, stderr } = await desk.run(['deliver', FILE])
    expect(code).toBe(0)
    expect(stderr).toContain(`warning: ops has accepted ${first.messageId} already`)
    expect(desk.receiver.received).toHaveLength(1)
    expect((await desk.ledger()).at(-1)).toMatchObject({ type: 'outcome', ...second, attempt: 1 })
  })

  test('one id never has two bodies, and nobody can insist', async () => {
    put(decided(first, { body: '{"n":1}' }))
    await desk.claim(decided(first, { body: '{"n":2}' }))
    expect(await desk.run(['deliver', FILE, '--force'])).toMatchObject({
      code: 65,
      stderr: expect.stringContaining('was decided with another body since the dry run'),
    })
    expect(desk.receiver.received).toEqual([])
  })

  test('one that fails does not hold up the next; the first fault decides how it ends', async () => {
    put(decided(first), decided(second))
    desk.receiver.follow(inTurn(answering(503), answering(200, 'ok')))
    const { code, summary } = await desk.run(['deliver', FILE])
    expect(code).toBe(69)
    expect(summary).toMatchObject({ messages: [{ result: 'retry' }, { result: 'accepted' }] })
  })

  test('to a channel that is no longer there', async () => {
    put(decided(nameOf('pager')))
    expect(await desk.run(['deliver', FILE])).toMatchObject({
      code: 65,
      stderr: expect.stringContaining('there is no channel pager'),
    })
  })

  const entry = { channel: 'ops', message_id: first.messageId, type: 't', body: '{}' }
  test.each([
    ['no JSON', '[', 'it is no JSON array'],
    ['no array', '{}', 'it is no JSON array'],
    ['no body', JSON.stringify([entry, { ...entry, body: undefined }]), 'entry 2 has no body'],
    ['a body that is none', JSON.stringify([{ ...entry, body: '[]' }]), 'entry 1 has a body that is no message'],
    ['another id', JSON.stringify([{ ...entry, message_id: 'msg_1' }]), 'entry 1 has a message_id that is none'],
  ])('with %s is refused', async (_, text, words) => {
    putFile(desk.dataDir, FILE, text)
    expect(await desk.run(['deliver', FILE])).toMatchObject({ code: 65, stderr: expect.stringContaining(words) })
  })

  test('that is not there', async () => {
    expect(await desk.run(['deliver', 'msg_1'])).toMatchObject({
      code: 66,
      stderr: expect.stringContaining('is no message id (msg_ and 32 hexadecimal digits) and no file'),
    })
  })
})

describe('status', () => {
  test('shows the last deliveries, the newest first', async () => {
    const at = Date.now()
    const [slack, pd] = [nameOf('slack'), nameOf('pd')]
    await desk.claim(
      decided(OPS, { decidedAt: at - 60_000 }),
      decided(pd, { decidedAt: at - 30_000 }),
      decided(slack, { decidedAt: at - 40_000 }),
      decided(nameOf('ops', '0002'), { send: false, body: null, messageType: null }),
      ...attempted(OPS, 1, { at: at - 50_000, nextAttemptAt: at }),
      ...attempted(OPS, 2, { at, result: 'accepted', status: 200 }),
      attempted(slack, 1, {})[0]!,
    )
    const { summary } = await desk.run(['status', '--json'])
    const common = { subject: OPS.subject, message_type: 'obs.alert.opened', next_attempt_at: null, overtaken_by: null }
    const deliveries = summary['last_deliveries'] as readonly Record<string, unknown>[]
    expect(deliveries.toSorted((a, b) => (String(a['channel']) < String(b['channel']) ? -1 : 1))).toEqual([
      {
        ...{ ...common, at: expect.any(String), channel: 'ops', message_id: OPS.messageId },
        ...{ result: 'accepted', response_code: 200, attempts: 2 },
      },
      {
        ...{ ...common, at: expect.any(String), channel: 'pd', message_id: pd.messageId },
        ...{ result: 'waiting', response_code: null, attempts: 0 },
      },
      {
        ...{ ...common, at: expect.any(String), channel: 'slack', message_id: slack.messageId },
        ...{ result: 'under_way', response_code: null, attempts: 1 },
      },
    ])
    expect(deliveries.map(({ channel }) => channel).at(-1)).toBe('pd')
    expect((await desk.run(['status'])).stdout).toMatch(
      new RegExp(
        `^delivery {4}\\S+ {2}ops {2}obs.alert.opened ${OPS.subject} {2}accepted \\(200\\), 2 attempts {2}msg_`,
        'm',
      ),
    )
  })

  test('shows five, or as many as are asked for, and says when there are none', async () => {
    expect((await desk.run(['status'])).stdout).toContain('deliveries  none in 7d\n')
    await desk.claim(
      ...Array.from({ length: 7 }, (_, i) => decided(nameOf('ops', `000${i}`), { decidedAt: Date.now() - i })),
    )
    const shown = async (...flags: readonly string[]) =>
      ((await desk.run(['status', '--json', ...flags])).summary['last_deliveries'] as readonly unknown[]).length
    expect([await shown(), await shown('--deliveries', '6'), await shown('--deliveries', '0')]).toEqual([5, 6, 0])
  })
})
