import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { type MemoryLog, openMemoryLog } from '#lib/eventlog/memory.ts'
import { openOverlayLog } from '#lib/eventlog/overlay.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import { DAY_MS, HOUR_MS } from '#lib/time.ts'
import { COMPACTION_LAG_MS, type TopicDefinition } from '#lib/topics.ts'
import { eventLogContract } from '#tests/contract/eventlog.contract.ts'
import {
  endOf,
  freshTopics,
  placesIn,
  progressAt,
  Recorder,
  read,
  record,
  recordsOf,
} from '#tests/contract/eventlog-fixture.ts'
import { eventually } from '#tests/support/eventually.ts'
import { ManualClock } from '#tests/support/manual-clock.ts'

eventLogContract({
  name: 'overlay',
  lacks: { reopening: 'an overlay is gone when it is closed' },
  create: async () => {
    const clock = new ManualClock(0)
    const base = openMemoryLog({ clock, partitions: 3 })
    const overlay = await openOverlayLog(base, { clock, partitions: 3, topics: [], groups: [] })
    return {
      open: async () => overlay,
      setTime: (now) => clock.jumpTo(now),
      close: async () => void (await Promise.all([overlay.close(), base.close()])),
    }
  },
})

const MORNING = Date.UTC(2026, 5, 27, 8)

class Scene {
  readonly clock = new ManualClock(MORNING)
  readonly base: MemoryLog
  readonly topics = freshTopics()

  private constructor() {
    this.base = openMemoryLog({ clock: this.clock, partitions: 3 })
  }

  static async open(): Promise<Scene> {
    const scene = new Scene()
    await scene.base.topics.apply(Object.values(scene.topics))
    return scene
  }

  overlay(groups: readonly { group: string; topic: TopicDefinition }[] = []): Promise<EventLog> {
    const { base, clock } = this
    return openOverlayLog(base, { clock, partitions: 3, topics: Object.values(this.topics), groups })
  }
}

describe('an overlay over a log with records', () => {
  test('goes on at the next offset and leaves the base as it is', async () => {
    const scene = await Scene.open()
    const { plain } = scene.topics
    await scene.base.append(plain.name, 0, recordsOf('a b'))
    const overlay = await scene.overlay()
    expect((await overlay.append(plain.name, 0, recordsOf('c d'))).baseOffset).toBe(2)
    expect(await read(overlay, plain, 0, 9)).toBe('0:a 1:b 2:c 3:d')
    expect(await read(overlay, plain, 1, 3)).toBe('1:b 2:c')
    expect(await read(overlay, plain, 0, 2)).toBe('0:a 1:b')
    expect(await read(overlay, plain, 3, 9)).toBe('3:d')
    expect(await read(scene.base, plain, 0, 9)).toBe('0:a 1:b')
  })

  test('a read hands out no batch of the base or the overlay that lies outside of the asked range', async () => {
    const scene = await Scene.open()
    const { plain } = scene.topics
    for (const keys of ['a b', 'c d']) await scene.base.append(plain.name, 0, recordsOf(keys))
    const overlay = await scene.overlay()
    for (const keys of ['e f', 'g h']) await overlay.append(plain.name, 0, recordsOf(keys))
    const placesOf = async (from: number, to: number) =>
      (await Array.fromAsync(overlay.read(plain.name, 0, from, to))).map(({ baseOffset, lastOffset }) => [
        baseOffset,
        lastOffset,
      ])
    expect(await placesOf(0, 2)).toEqual([[0, 1]])
    expect(await placesOf(2, 6)).toEqual([
      [2, 3],
      [4, 5],
    ])
    expect(await placesOf(6, 9)).toEqual([[6, 7]])
  })

  test('what the base takes afterwards is not seen; both go on by themselves', async () => {
    const scene = await Scene.open()
    const { plain } = scene.topics
    await scene.base.append(plain.name, 0, recordsOf('a'))
    const overlay = await scene.overlay()
    await scene.base.append(plain.name, 0, recordsOf('x y z'))
    expect(await endOf(overlay, plain)).toBe(1)
    await overlay.append(plain.name, 0, recordsOf('b'))
    expect(await read(overlay, plain, 0, 9)).toBe('0:a 1:b')
    expect(await read(scene.base, plain, 0, 9)).toBe('0:a 1:x 2:y 3:z')
  })

  test('a follower passes from the base to the overlay without a hole, and ends when it is closed', async () => {
    const scene = await Scene.open()
    const { plain } = scene.topics
    await scene.base.append(plain.name, 0, recordsOf('a b'))
    const overlay = await scene.overlay()
    const seen: string[] = []
    const following = (async () => {
      for await (const batch of overlay.follow(plain.name, 0, 1, new AbortController().signal))
        seen.push(...placesIn(batch, 1))
    })()
    await overlay.append(plain.name, 0, recordsOf('c'))
    await eventually(() => seen.length === 2)
    await overlay.append(plain.name, 0, recordsOf('d'))
    await eventually(() => seen.length === 3)
    await overlay.close()
    await following
    expect(seen).toEqual(['1:b', '2:c', '3:d'])
    expect(await read(scene.base, plain, 0, 9)).toBe('0:a 1:b')
  })

  test('a group begins at the commit of the base, while another process holds it there, and commits to the overlay', async () => {
    const scene = await Scene.open()
    const { plain } = scene.topics
    await scene.base.append(plain.name, 0, recordsOf('a b'))
    const holder = new Recorder()
    await scene.base.subscribe('rollup', plain.name, holder)
    await eventually(() => holder.events.length === 2)
    await eventually(async () => (await scene.base.committed('rollup', plain.name)).length === 1)
    const overlay = await scene.overlay([{ group: 'rollup', topic: plain }])
    const handler = new Recorder()
    const subscription = await overlay.subscribe('rollup', plain.name, handler)
    await overlay.append(plain.name, 0, recordsOf('c'))
    await eventually(() => handler.events.length === 2)
    await subscription.stop()
    expect(handler.events).toEqual(['assigned 0 at 2', '0> 2:c', 'revoked 0'])
    expect(await overlay.committed('rollup', plain.name)).toEqual([{ partition: 0, ...progressAt(3) }])
    expect(await scene.base.committed('rollup', plain.name)).toEqual([{ partition: 0, ...progressAt(2) }])
    await scene.base.close()
  })

  test('a group that it was not told of begins at the oldest record, in the base', async () => {
    const scene = await Scene.open()
    const { plain } = scene.topics
    await scene.base.append(plain.name, 0, recordsOf('a b'))
    const overlay = await scene.overlay()
    await overlay.append(plain.name, 0, recordsOf('c'))
    const handler = new Recorder()
    await overlay.subscribe('rollup', plain.name, handler)
    await eventually(() => handler.events.length === 3)
    expect(handler.events).toEqual(['assigned 0 at none', '0> 0:a 1:b', '0> 2:c'])
    await overlay.close()
  })

  test('append times go on from the base, whatever the clock says', async () => {
    const scene = await Scene.open()
    const { plain } = scene.topics
    await scene.base.append(plain.name, 0, recordsOf('a'))
    scene.clock.jumpTo(MORNING - HOUR_MS)
    const overlay = await scene.overlay()
    expect((await overlay.append(plain.name, 0, recordsOf('b'))).appendedAtMs).toBe(MORNING)
  })

  test('instants are found in the base and in the overlay', async () => {
    const scene = await Scene.open()
    const { plain } = scene.topics
    await scene.base.append(plain.name, 0, recordsOf('a b'))
    const overlay = await scene.overlay()
    scene.clock.jumpTo(MORNING + HOUR_MS)
    await overlay.append(plain.name, 0, recordsOf('c'))
    const atOrAfter = async (hour: number) =>
      (await overlay.offsets(plain.name, MORNING + hour * HOUR_MS))[0]!.atOrAfter
    expect([
      await atOrAfter(-1),
      await atOrAfter(0),
      await atOrAfter(0.5),
      await atOrAfter(1),
      await atOrAfter(2),
    ]).toEqual([0, 0, 2, 2, 3])
  })

  test('retention and compaction of the base show, and do not disturb what is the overlay’s own', async () => {
    const scene = await Scene.open()
    const { plain, compacted } = scene.topics
    await scene.base.append(plain.name, 0, recordsOf('a b'))
    await scene.base.append(compacted.name, 0, recordsOf('1 2 1'))
    const overlay = await scene.overlay()
    await overlay.append(plain.name, 0, recordsOf('c'))
    await overlay.append(compacted.name, 0, recordsOf('3'))
    scene.clock.jumpTo(MORNING + 121 * DAY_MS)
    await scene.base.topics.compact([plain, compacted])
    expect((await overlay.offsets(plain.name))[0]).toMatchObject({ earliest: 2, end: 3 })
    await expect(read(overlay, plain, 1, 3)).rejects.toMatchObject({ code: 'OBS_LOG_OFFSET_EXPIRED' })
    expect(await read(overlay, plain, 2, 9)).toBe('2:c')
    expect(await read(overlay, compacted, 0, 9)).toBe('1:2 2:1 3:3')
  })

  test('compaction on demand touches the overlay only', async () => {
    const scene = await Scene.open()
    const { compacted } = scene.topics
    await scene.base.append(compacted.name, 0, recordsOf('1 1'))
    const overlay = await scene.overlay()
    await overlay.append(compacted.name, 0, recordsOf('2 2'))
    scene.clock.jumpTo(MORNING + COMPACTION_LAG_MS)
    await overlay.topics.compact([compacted])
    expect(await read(overlay, compacted, 0, 9)).toBe('0:1 1:1 3:2')
    expect(await read(scene.base, compacted, 0, 9)).toBe('0:1 1:1')
  })

  test('a topic that the base lacks is created on the overlay only', async () => {
    const scene = await Scene.open()
    const { plain } = freshTopics()
    const overlay = await openOverlayLog(scene.base, { clock: scene.clock, partitions: 3, topics: [plain], groups: [] })
    expect(await overlay.topics.apply([plain])).toEqual([])
    await overlay.append(plain.name, 0, recordsOf('a'))
    expect(await read(overlay, plain, 0, 9)).toBe('0:a')
    await expect(scene.base.offsets(plain.name)).rejects.toMatchObject({ code: 'OBS_LOG_TOPIC_MISSING' })
  })

  test('wherever it is laid over a log, it shows what a plain log with the same appends shows', async () => {
    const batches = fc.array(
      fc.record({
        partition: fc.nat(2),
        keys: fc.array(fc.constantFrom('1', '2', '3'), { minLength: 1, maxLength: 3 }),
        waitMs: fc.nat(HOUR_MS),
      }),
      { maxLength: 12 },
    )
    await fc.assert(
      fc.asyncProperty(batches, fc.nat(12), fc.nat(30), fc.nat(30), async (appends, split, from, to) => {
        const scene = await Scene.open()
        const { wide } = scene.topics
        const plain = openMemoryLog({ clock: scene.clock, partitions: 3 })
        await plain.topics.apply([wide])
        const take = async (log: EventLog, part: typeof appends) => {
          for (const { partition, keys } of part)
            await log.append(
              wide.name,
              partition,
              keys.map((key) => record(key)),
            )
        }
        const both = async (log: () => EventLog, part: typeof appends) => {
          for (const one of part) {
            scene.clock.advance(one.waitMs)
            await take(log(), [one])
            await take(plain, [one])
          }
        }
        await both(() => scene.base, appends.slice(0, split))
        const overlay = await scene.overlay()
        await both(() => overlay, appends.slice(split))
        const askedAt = MORNING + from * HOUR_MS
        expect(await overlay.offsets(wide.name)).toEqual(await plain.offsets(wide.name))
        expect(await overlay.offsets(wide.name, askedAt)).toEqual(await plain.offsets(wide.name, askedAt))
        for (const partition of [0, 1, 2])
          expect(await read(overlay, wide, from, to, partition)).toBe(await read(plain, wide, from, to, partition))
      }),
      { numRuns: 100 },
    )
  })
})
