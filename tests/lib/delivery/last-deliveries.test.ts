import { expect, test } from '@jest/globals'
import { openCodec } from '#lib/codec/avro.ts'
import type { DeliveryDecision, DeliveryFact, DeliveryOutcome, MessageName } from '#lib/delivery/facts.ts'
import { type Delivery, readLastDeliveries } from '#lib/delivery/last-deliveries.ts'
import { Ledger } from '#lib/delivery/ledger.ts'
import { messageName } from '#lib/delivery/message-name.ts'
import { openMemoryLog } from '#lib/eventlog/memory.ts'
import { openEmbeddedRegistry } from '#lib/registry/embedded.ts'
import { DAY_MS } from '#lib/time.ts'
import { catalogue, topics } from '#lib/topics.ts'
import { ManualClock } from '#tests/support/manual-clock.ts'

const NOW = Date.parse('2026-06-27T20:00:00Z')
const name = (channel: string): MessageName => messageName('staging', 'breach/r/router_demo/x/0001', channel)

const decided = (channel: string, decidedAt: number, more: Partial<DeliveryDecision> = {}): DeliveryFact => ({
  ...{ type: 'decision', ...name(channel), decidedAt, send: true, code: 'routed', reason: 'r', commands: [] },
  ...{ channelConfig: 'c', messageType: 'obs.alert.opened', body: '{}', dryRun: false },
  ...more,
})
const begun = (channel: string, attempt: number, at: number): DeliveryFact => ({
  ...{ type: 'intent', ...name(channel), attempt, at, courier: 'a' },
})
const ended = (channel: string, attempt: number, at: number, more: Partial<DeliveryOutcome> = {}): DeliveryFact => ({
  ...{ type: 'outcome', ...name(channel), attempt, at, durationMs: 1, result: 'retry', status: 503, detail: null },
  ...{ nextAttemptAt: null },
  ...more,
})

interface Told {
  readonly partition?: number
  /** When it was written. */
  readonly at?: number
  readonly facts: readonly DeliveryFact[]
}

async function lastOf(told: readonly Told[], count = 10): Promise<readonly Delivery[]> {
  const clock = new ManualClock(NOW)
  const log = openMemoryLog({ clock, partitions: 2 })
  await log.topics.apply(catalogue)
  const codec = await openCodec(topics.delivery, openEmbeddedRegistry(log.schemas))
  for (const { partition = 0, at = NOW, facts } of told) {
    clock.jumpTo(at)
    await (await Ledger.open(log, codec, { partition, sinceAt: 0 })).claim(facts)
  }
  return await readLastDeliveries(log, codec, { now: NOW, fastAttempts: 4, count })
}

const channels = (deliveries: readonly Delivery[]): readonly string[] => deliveries.map(({ channel }) => channel)

test('a message is told with what came of its last attempt, and when', async () => {
  const nextAttemptAt = NOW + 9_000
  const facts = [
    ...[decided('ops', NOW - 90), begun('ops', 1, NOW - 80), ended('ops', 1, NOW - 70, { nextAttemptAt: NOW - 65 })],
    ...[begun('ops', 2, NOW - 60), ended('ops', 2, NOW - 50, { result: 'unknown', status: null, nextAttemptAt })],
  ]
  expect(await lastOf([{ facts }])).toEqual([
    {
      ...{ ...name('ops'), at: NOW - 50, messageType: 'obs.alert.opened', attempts: 2 },
      ...{ result: 'unknown', status: null, nextAttemptAt, overtakenBy: null },
    },
  ])
})

test('one that was accepted stays so, whatever a later attempt came to', async () => {
  const accepted = [
    decided('ops', NOW - 90),
    begun('ops', 1, NOW - 80),
    ended('ops', 1, NOW - 70, { result: 'accepted', status: 200 }),
    begun('ops', 2, NOW - 60),
  ]
  for (const later of [[], [ended('ops', 2, NOW - 50)]])
    expect(await lastOf([{ facts: [...accepted, ...later] }])).toMatchObject([
      { result: 'accepted', status: 200, attempts: 2 },
    ])
})

test('one that waits has the time of its decision, one under way that of its beginning', async () => {
  expect(await lastOf([{ facts: [decided('ops', NOW - 90)] }])).toMatchObject([
    { result: 'waiting', at: NOW - 90, status: null, attempts: 0, nextAttemptAt: null },
  ])
  expect(await lastOf([{ facts: [decided('ops', NOW - 90), begun('ops', 1, NOW - 80)] }])).toMatchObject([
    { result: 'under_way', at: NOW - 80, status: null, attempts: 1, nextAttemptAt: null },
  ])
})

test('the newest come first, from every partition, and no more than were asked for', async () => {
  const told = [
    { facts: [decided('a', NOW - 30), decided('b', NOW - 10)] },
    { partition: 1, facts: [decided('c', NOW - 20), begun('c', 1, NOW - 5), decided('d', NOW - 40)] },
  ]
  expect(channels(await lastOf(told))).toEqual(['c', 'b', 'a', 'd'])
  expect(channels(await lastOf(told, 2))).toEqual(['c', 'b'])
})

test('what is held back is none, and what was decided more than seven days ago is not looked at', async () => {
  const at = (age: number) => ({ at: NOW - age })
  const told = [
    { ...at(7 * DAY_MS + 1), facts: [decided('long-ago', NOW - 7 * DAY_MS - 1)] },
    { ...at(7 * DAY_MS), facts: [decided('just-so', NOW - 7 * DAY_MS)] },
    { facts: [decided('held', NOW, { send: false, body: null, messageType: null })] },
  ]
  expect(channels(await lastOf(told))).toEqual(['just-so'])
})
