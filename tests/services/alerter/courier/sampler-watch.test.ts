import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import type { SampleFact } from '#lib/facts.ts'
import { formatInstantMs, MINUTE_MS, SECOND_MS } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { MONDAY } from '../desk.ts'
import { CourierDesk } from './courier-desk.ts'

const NOW = MONDAY

let desk: CourierDesk
afterEach(async () => {
  jest.restoreAllMocks()
  await desk.close()
})

const silences = (): readonly string[] => desk.textsAt('webhook').filter((text) => text.includes('sampler silent: no'))
const returns = (): readonly string[] => desk.textsAt('webhook').filter((text) => text.includes('ticks are back'))

/** How many records were asked for of the samples, by partition, from now on. */
function counting(): Map<number, number> {
  const counts = new Map<number, number>()
  const read = desk.log.read.bind(desk.log)
  jest.spyOn(desk.log, 'read').mockImplementation((topic, partition, from, to, signal) => {
    if (topic === topics.sample.name) counts.set(partition, (counts.get(partition) ?? 0) + to - from)
    return read(topic, partition, from, to, signal)
  })
  return counts
}

/** So many samples, a second apart. */
function samples(count: number): readonly SampleFact[] {
  return Array.from({ length: count }, (_, i) => {
    const at = NOW - (count - i) * SECOND_MS
    const answer = { outcome: 'ok', ordinal: 0, latencyMs: 5, lagMs: null, errorCode: null } as const
    return { type: 'probe', scheduledAt: at, measuredAt: at, ...answer }
  })
}

/** Time goes on while these partitions have ticks, one every half a minute. */
async function pass(ms: number, ticking: readonly number[]): Promise<void> {
  const until = desk.clock.now() + ms
  while (desk.clock.now() < until) {
    for (const partition of ticking) await desk.tick(partition)
    const tickedAt = desk.clock.now()
    await desk.until(() => desk.clock.now() >= Math.min(tickedAt + 30 * SECOND_MS, until))
  }
}

describe('a log of many samples', () => {
  beforeEach(async () => {
    desk = await CourierDesk.open(NOW)
  })

  test('is not read from its beginning: the newest tick is sought from the end, then only what is new is read', async () => {
    for (let i = 0; i < 20; i++) await desk.samples(0, samples(1_000))
    await desk.tick()
    await desk.samples(0, samples(10))
    const counts = counting()
    await desk.start()
    await desk.until(() => silences().length > 0)
    expect(silences()).toEqual([expect.stringContaining(formatInstantMs(NOW).slice(0, 16))])
    expect(counts.get(0)).toBeLessThanOrEqual(1_000)
  })

  test('is searched in growing stretches, none of them twice', async () => {
    await desk.samples(0, samples(5_000))
    await desk.tick()
    for (let i = 0; i < 5; i++) await desk.samples(0, samples(1_000))
    const counts = counting()
    await desk.start()
    await desk.until(() => silences().length > 0)
    expect(counts.get(0)).toBe(10_001)
  })

  test('without any tick is read once, and silent only when a tick has come and none followed', async () => {
    await desk.samples(0, samples(2_500))
    const counts = counting()
    await desk.start()
    await pass(5 * MINUTE_MS, [])
    expect(counts.get(0)).toBe(2_500)
    expect(silences()).toEqual([])
    await desk.tick()
    await desk.until(() => silences().length > 0)
    expect(counts.get(0)).toBe(2_501)
  })
})

describe('ticks of several partitions', () => {
  beforeEach(async () => {
    desk = await CourierDesk.open(NOW, 4)
  })

  test('are all waited for: one that stays away is a silence, since its last tick, told of once', async () => {
    await desk.start()
    await pass(MINUTE_MS, [0, 1, 2, 3])
    const lastAt = desk.clock.now() - 30 * SECOND_MS
    await pass(5 * MINUTE_MS, [0, 1, 2])
    expect(silences()).toEqual([expect.stringContaining(formatInstantMs(lastAt).slice(0, 19))])
    await pass(MINUTE_MS, [0, 1, 2, 3])
    await desk.until(() => returns().length > 0)
    expect(silences().length).toBe(1)
  })

  test('are back when all of them are', async () => {
    await desk.start()
    await pass(MINUTE_MS, [0, 1, 2, 3])
    await pass(3 * MINUTE_MS, [0, 1, 2])
    expect(silences().length).toBe(1)
    await pass(2 * MINUTE_MS, [1, 2])
    await pass(3 * MINUTE_MS, [1, 2, 3])
    expect([silences().length, returns().length]).toEqual([1, 0])
    await pass(MINUTE_MS, [0, 1, 2, 3])
    await desk.until(() => returns().length > 0)
    expect([silences().length, returns().length]).toEqual([1, 1])
  })

  test('are waited for by a courier that starts during a silence, which tells its end and no second beginning', async () => {
    await desk.start()
    await pass(MINUTE_MS, [0, 1, 2, 3])
    await pass(3 * MINUTE_MS, [0, 1, 2])
    await desk.stop()
    await desk.tick(3)
    await desk.start()
    await pass(3 * MINUTE_MS, [1, 2, 3])
    expect([silences().length, returns().length]).toEqual([1, 0])
    await pass(MINUTE_MS, [0, 1, 2, 3])
    await desk.until(() => returns().length > 0)
  })

  test('of a partition that never had one are not missed', async () => {
    await desk.start()
    await pass(5 * MINUTE_MS, [0, 1])
    expect(silences()).toEqual([])
  })

  test('cost one question to the log at each look, and what is new', async () => {
    await desk.start()
    await pass(MINUTE_MS, [0, 1, 2, 3])
    const counts = counting()
    const offsets = jest.spyOn(desk.log, 'offsets')
    await pass(MINUTE_MS, [0, 1, 2, 3])
    const asked = offsets.mock.calls.filter(([topic]) => topic === topics.sample.name).length
    expect(asked).toBeLessThanOrEqual(13)
    expect([...counts.values()]).toEqual([2, 2, 2, 2])
  })
})
