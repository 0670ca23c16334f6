import { describe, expect, test } from '@jest/globals'
import { openCodec } from '#lib/codec/avro.ts'
import type { DeliveryDecision, DeliveryIntent, DeliveryOutcome, MessageName } from '#lib/delivery/facts.ts'
import { Ledger } from '#lib/delivery/ledger.ts'
import { deliveryFactKey, messageName } from '#lib/delivery/message-name.ts'
import { openMemoryLog } from '#lib/eventlog/memory.ts'
import { openEmbeddedRegistry } from '#lib/registry/embedded.ts'
import { systemClock } from '#lib/runtime/clock.ts'
import { catalogue, MAX_BATCH_BYTES, topics } from '#lib/topics.ts'
import { behindDeposedLeader } from '#tests/support/deposed-leader.ts'

const SUBJECT = 'breach/latency_p95/router_demo/2026-06-27T20:00:00Z/0001'
const name = (channel: string, subject = SUBJECT): MessageName => messageName('staging', subject, channel)

const decision = (message: MessageName, fields: Partial<DeliveryDecision> = {}): DeliveryDecision => ({
  type: 'decision',
  ...message,
  decidedAt: 1,
  send: true,
  code: 'routed',
  reason: 'the route names it',
  commands: [],
  channelConfig: 'c',
  messageType: 'obs.alert.opened',
  body: '{}',
  dryRun: false,
  ...fields,
})

const intent = (message: MessageName, attempt: number, courier = 'a'): DeliveryIntent => ({
  type: 'intent',
  ...message,
  attempt,
  at: attempt,
  courier,
})

const outcome = (message: MessageName, attempt: number, fields: Partial<DeliveryOutcome> = {}): DeliveryOutcome => ({
  type: 'outcome',
  ...message,
  attempt,
  at: attempt,
  durationMs: 3,
  result: 'accepted',
  status: 200,
  detail: null,
  nextAttemptAt: null,
  ...fields,
})

async function scene() {
  const log = openMemoryLog({ clock: systemClock, partitions: 2 })
  await log.topics.apply(catalogue)
  const codec = await openCodec(topics.delivery, openEmbeddedRegistry(log.schemas))
  const open = (partition = 0) => Ledger.open(log, codec, { partition, sinceAt: 0 })
  return { log, codec, open }
}

describe('the ledger', () => {
  test('of two couriers that decide at once, the first counts for both', async () => {
    const { open } = await scene()
    const [one, other] = [await open(), await open()]
    await Promise.all([
      one.claim([decision(name('ops'), { body: '"one"' })]),
      other.claim([decision(name('ops'), { body: '"other"' })]),
    ])
    const bodies = [one, other].map((ledger) => ledger.message(name('ops'))!.decision.body)
    expect(new Set(bodies).size).toBe(1)
  })

  test('a claim is known once it is acknowledged, whatever a deposed leader tells of the end', async () => {
    const { log, codec, open } = await scene()
    await (await open()).claim([decision(name('pd'))])
    const lying = behindDeposedLeader(log, { topic: topics.delivery.name, lies: 1_000, endsLagMs: 60_000 })
    const ledger = await Ledger.open(lying, codec, { partition: 0, sinceAt: 0 })
    await ledger.claim([decision(name('ops'))])
    expect([...ledger.messages()].map(({ decision: { channel } }) => channel)).toEqual(['pd', 'ops'])
  })

  test('bodies of what is over are forgotten by who asks for that, and by nobody else', async () => {
    const { log, codec, open } = await scene()
    const keeping = await open()
    const forgetting = await Ledger.open(log, codec, { partition: 0, sinceAt: 0, keepsBodies: false })
    const [ops, pd] = [name('ops'), name('pd')]
    await keeping.claim([decision(ops), decision(pd), intent(ops, 1), outcome(ops, 1), intent(pd, 1)])
    await forgetting.readOn()
    const bodies = (ledger: Ledger) => [ops, pd].map((each) => ledger.message(each)!.decision.body)
    expect([bodies(keeping), bodies(forgetting)]).toEqual([
      ['{}', '{}'],
      [null, '{}'],
    ])
  })

  test('an attempt belongs to whoever said first that he makes it', async () => {
    const { open } = await scene()
    const [one, other] = [await open(), await open()]
    await one.claim([decision(name('ops'))])
    await one.claim([intent(name('ops'), 1, 'one')])
    await other.claim([intent(name('ops'), 1, 'other')])
    expect(other.message(name('ops'))!.attempts).toEqual([{ intent: intent(name('ops'), 1, 'one'), outcome: null }])
  })

  test('the first outcome of an attempt counts, and one of an attempt that nobody made does not', async () => {
    const { open } = await scene()
    const ledger = await open()
    await ledger.claim([decision(name('ops')), intent(name('ops'), 1)])
    await ledger.claim([
      outcome(name('ops'), 1),
      outcome(name('ops'), 1, { result: 'unknown' }),
      outcome(name('ops'), 2),
    ])
    expect(ledger.message(name('ops'))!.attempts).toEqual([
      { intent: intent(name('ops'), 1), outcome: outcome(name('ops'), 1) },
    ])
  })

  test('whoever opens it later knows what was said before', async () => {
    const { open } = await scene()
    const ledger = await open()
    await ledger.claim([decision(name('ops')), intent(name('ops'), 1), outcome(name('ops'), 1)])
    await ledger.claim([decision(name('pd'), { send: false, body: null, messageType: null })])
    expect((await open()).about(SUBJECT)).toEqual(ledger.about(SUBJECT))
    expect(ledger.about(SUBJECT).map(({ decision: { channel } }) => channel)).toEqual(['ops', 'pd'])
    expect((await open(1)).about(SUBJECT)).toEqual([])
  })

  test('a dry run binds nobody', async () => {
    const { open } = await scene()
    const ledger = await open()
    await ledger.claim([decision(name('ops'), { dryRun: true })])
    expect(ledger.about(SUBJECT)).toEqual([])
    await ledger.claim([decision(name('ops'))])
    expect(ledger.about(SUBJECT)).toHaveLength(1)
  })

  test('more than a batch takes is told in several', async () => {
    const { open } = await scene()
    const ledger = await open()
    const body = JSON.stringify('x'.repeat(MAX_BATCH_BYTES / 3))
    await ledger.claim(['a', 'b', 'c', 'd'].map((channel) => decision(name(channel), { body })))
    expect(ledger.about(SUBJECT)).toHaveLength(4)
  })

  test('what is forgotten is gone from memory, not from the log', async () => {
    const { open } = await scene()
    const ledger = await open()
    await ledger.claim([decision(name('ops')), decision(name('ops', 'another/0000'))])
    ledger.forget(SUBJECT)
    expect([...ledger.messages()].map(({ decision: { subject } }) => subject)).toEqual(['another/0000'])
    expect((await open()).about(SUBJECT)).toHaveLength(1)
  })
})

test('keys sort in the order of attempts, and a channel with any name stays one part', () => {
  expect(deliveryFactKey(decision(name('口座_α')))).toBe(`${SUBJECT}/口座_α/decision`)
  expect(deliveryFactKey(decision(name('a/b'), { dryRun: true }))).toBe(`${SUBJECT}/a%2Fb/decision/dry-run`)
  expect(deliveryFactKey(intent(name('ops'), 2))).toBe(`${SUBJECT}/ops/002/intent`)
  expect(deliveryFactKey(outcome(name('ops'), 11))).toBe(`${SUBJECT}/ops/011/outcome`)
})

test('a message has one id, which no other message has', () => {
  expect(name('ops')).toEqual(name('ops'))
  expect(name('ops').messageId).toMatch(/^msg_[0-9a-f]{32}$/)
  const ids = [name('ops'), name('pd'), name('ops', `${SUBJECT}x`), messageName('production', SUBJECT, 'ops')]
  expect(new Set(ids.map(({ messageId }) => messageId)).size).toBe(4)
  expect(name('a/b', 'c').messageId).not.toBe(name('a', 'b/c').messageId)
})
