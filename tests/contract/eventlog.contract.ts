import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { EventLog } from '#lib/eventlog/port.ts'
import { DAY_MS, HOUR_MS } from '#lib/time.ts'
import { COMPACTION_LAG_MS, MAX_BATCH_BYTES, topics } from '#lib/topics.ts'
import { eventually } from '#tests/support/eventually.ts'
import {
  endOf,
  freshTopics,
  type LogAdapter,
  type LogUnderTest,
  placesIn,
  progressAt,
  Recorder,
  read,
  record,
  recordsOf,
  untilAborted,
} from './eventlog-fixture.ts'

const MORNING = Date.UTC(2026, 5, 27, 8)

/** What every event log promises (`lib/eventlog/port.ts`). Each adapter runs it. */
export function eventLogContract(adapter: LogAdapter): void {
  let underTest: LogUnderTest
  let log: EventLog
  let mine: ReturnType<typeof freshTopics>

  beforeEach(async () => {
    underTest = await adapter.create()
    underTest.setTime?.(MORNING)
    log = await underTest.open()
    mine = freshTopics()
    await log.topics.apply(Object.values(mine))
  })
  afterEach(() => underTest.close())

  /** What an adapter cannot do by its nature shows as skipped, with the reason. */
  const unless =
    (...lacks: readonly (string | undefined)[]) =>
    (name: string, run: () => Promise<void>): void => {
      const reason = lacks.find((lack) => lack !== undefined)
      if (reason === undefined) test(name, run)
      else test.skip(`${name} (not here: ${reason})`, run)
    }
  const reopening = unless(adapter.lacks.reopening)
  const timed = unless(adapter.lacks['manual time'])
  const compacting = unless(adapter.lacks['manual time'], adapter.lacks['compaction on demand'])
  const append = (keys: string, topic = mine.plain, partition = 0) => log.append(topic.name, partition, recordsOf(keys))

  describe(`${adapter.name}: append and read`, () => {
    test('records get the next offsets, and come back in order with key, value and headers', async () => {
      const first = await append('a b')
      const second = await log.append(mine.plain.name, 0, [
        {
          key: Buffer.alloc(0),
          value: Buffer.from('値'),
          headers: [{ name: 'obs-cause', value: Buffer.from('81.2') }],
        },
      ])
      expect([first.baseOffset, second.baseOffset]).toEqual([0, 2])
      const batches = await Array.fromAsync(log.read(mine.plain.name, 0, 0, 3))
      expect(batches.flatMap((batch) => placesIn(batch))).toEqual(['0:a', '1:b', '2:'])
      const [last] = batches.at(-1)!.records()
      expect(last!.value!.toString()).toBe('値')
      expect(last!.headers.map(({ name, value }) => `${name}=${Buffer.from(value)}`)).toEqual(['obs-cause=81.2'])
    })

    test('the time that the log took a batch comes back with it', async () => {
      const { appendedAtMs } = await append('a')
      const [batch] = await Array.fromAsync(log.read(mine.plain.name, 0, 0, 1))
      expect(batch!.appendedAtMs).toBe(appendedAtMs)
    })

    test('a read begins and ends within batches', async () => {
      await append('a b c')
      await append('d')
      await append('e f g')
      expect(await read(log, mine.plain, 2, 6)).toBe('2:c 3:d 4:e 5:f')
      expect(await read(log, mine.plain, 3, 4)).toBe('3:d')
      expect(await read(log, mine.plain, 4, 4)).toBe('')
    })

    test('a read hands out no batch that lies outside of the asked range', async () => {
      await append('a b')
      await append('c d')
      await append('e f')
      const batches = await Array.fromAsync(log.read(mine.plain.name, 0, 2, 4))
      expect(batches.map(({ baseOffset, lastOffset }) => [baseOffset, lastOffset])).toEqual([[2, 3]])
    })

    test('a read beyond the end ends at the end that it found', async () => {
      await append('a b')
      expect(await read(log, mine.plain, 0, 1_000)).toBe('0:a 1:b')
      expect(await read(log, mine.plain, 2, 1_000)).toBe('')
    })

    test('an aborted read throws, so that nobody takes a part for the whole', async () => {
      await append('a')
      const aborted = AbortSignal.abort(new Error('enough'))
      await expect(Array.fromAsync(log.read(mine.plain.name, 0, 0, 1, aborted))).rejects.toThrow('enough')
    })

    test('partitions have offsets of their own', async () => {
      await append('a b', mine.wide, 0)
      await append('c', mine.wide, 1)
      expect(await read(log, mine.wide, 0, 9, 0)).toBe('0:a 1:b')
      expect(await read(log, mine.wide, 0, 9, 1)).toBe('0:c')
      expect(
        (await log.offsets(mine.wide.name)).map(({ partition, earliest, end }) => [partition, earliest, end]),
      ).toEqual([
        [0, 0, 2],
        [1, 0, 1],
        [2, 0, 0],
      ])
    })

    test('appends asked for at once land in the order they were asked for', async () => {
      const appended = await Promise.all(Array.from({ length: 50 }, (_, i) => append(`k${i} l${i}`)))
      expect(appended.map(({ baseOffset }) => baseOffset)).toEqual(Array.from({ length: 50 }, (_, i) => i * 2))
      expect((await read(log, mine.plain, 0, 100)).startsWith('0:k0 1:l0 2:k1')).toBe(true)
    })

    test('appends of two connections lie one behind the other, each batch whole', async () => {
      const other = await underTest.open()
      const write = async (connection: EventLog, name: string) => {
        for (let i = 0; i < 20; i++) await connection.append(mine.plain.name, 0, recordsOf(`${name}${i} ${name}${i}`))
      }
      await Promise.all([write(log, 'a'), write(other, 'b')])
      const places = (await read(log, mine.plain, 0, 80)).split(' ')
      expect(places.map((place) => place.split(':')[0])).toEqual(Array.from({ length: 80 }, (_, i) => String(i)))
      const keys = places.map((place) => place.split(':')[1]!)
      for (let i = 0; i < 80; i += 2) expect(keys[i]).toBe(keys[i + 1])
      for (const name of ['a', 'b'])
        expect(keys.filter((key, i) => i % 2 === 0 && key.startsWith(name))).toEqual(
          Array.from({ length: 20 }, (_, i) => `${name}${i}`),
        )
    })

    test('a batch larger than allowed is refused, and nothing of it is there', async () => {
      const large = { key: Buffer.from('k'), value: Buffer.alloc(MAX_BATCH_BYTES) }
      await expect(log.append(mine.plain.name, 0, [record('a'), large])).rejects.toMatchObject({
        code: 'OBS_LOG_BATCH_TOO_LARGE',
      })
      expect(await endOf(log, mine.plain)).toBe(0)
    })

    test('the largest allowed batch comes back whole', async () => {
      await log.append(mine.plain.name, 0, [{ key: Buffer.from('k'), value: Buffer.alloc(MAX_BATCH_BYTES - 200, 7) }])
      await append('b')
      const [batch] = await Array.fromAsync(log.read(mine.plain.name, 0, 0, 1))
      const [only] = batch!.records()
      expect(only!.value!.equals(Buffer.alloc(MAX_BATCH_BYTES - 200, 7))).toBe(true)
    })

    test('the dead letter topic takes any record that another topic takes', async () => {
      await log.topics.apply([topics.deadLetter])
      await log.append(topics.deadLetter.name, 0, [{ key: Buffer.from('k'), value: Buffer.alloc(MAX_BATCH_BYTES) }])
    })

    test('a topic or partition that is not there is named', async () => {
      await expect(log.append('obs.nothing.v1', 0, recordsOf('a'))).rejects.toMatchObject({
        code: 'OBS_LOG_TOPIC_MISSING',
        message: expect.stringContaining('obs.nothing.v1'),
      })
      await expect(append('a', mine.plain, 1)).rejects.toMatchObject({ code: 'OBS_LOG_TOPIC_MISSING' })
      await expect(log.offsets('obs.nothing.v1')).rejects.toMatchObject({ code: 'OBS_LOG_TOPIC_MISSING' })
      await expect(Array.fromAsync(log.read('obs.nothing.v1', 0, 0, 1))).rejects.toMatchObject({
        code: 'OBS_LOG_TOPIC_MISSING',
      })
    })
  })

  describe(`${adapter.name}: follow`, () => {
    test('gives what is there, then wakes for what comes, from any connection, until it is told to end', async () => {
      const other = await underTest.open()
      const stop = new AbortController()
      const seen: string[] = []
      await append('a b')
      const following = (async () => {
        for await (const batch of log.follow(mine.plain.name, 0, 1, stop.signal)) seen.push(...placesIn(batch, 1))
      })()
      await eventually(() => seen.length === 1)
      await append('c')
      await eventually(() => seen.length === 2)
      await other.append(mine.plain.name, 0, recordsOf('d'))
      await eventually(() => seen.length === 3)
      stop.abort()
      await following
      expect(seen).toEqual(['1:b', '2:c', '3:d'])
    })

    test('ends at once when it is told so while it waits', async () => {
      const stop = new AbortController()
      const next = log.follow(mine.plain.name, 0, 0, stop.signal)[Symbol.asyncIterator]().next()
      stop.abort()
      expect((await next).done).toBe(true)
    })
  })

  describe(`${adapter.name}: groups`, () => {
    test('a new group has no commit; each batch comes once, in order; what is committed can be read', async () => {
      const handler = new Recorder()
      await append('a b')
      const subscription = await log.subscribe('rollup', mine.plain.name, handler)
      await eventually(() => handler.events.length === 2)
      await append('c')
      await eventually(() => handler.events.length === 3)
      await subscription.stop()
      await subscription.ended
      expect(handler.events).toEqual(['assigned 0 at none', '0> 0:a 1:b', '0> 2:c', 'revoked 0'])
      expect(await log.committed('rollup', mine.plain.name)).toEqual([{ partition: 0, ...progressAt(3) }])
      expect(await log.committed('alerter', mine.plain.name)).toEqual([])
    })

    reopening('the next owner begins where the last one committed', async () => {
      const first = new Recorder()
      await append('a b')
      const subscription = await log.subscribe('rollup', mine.plain.name, first)
      await eventually(() => first.events.length === 2)
      await subscription.stop()
      await log.close()
      const reopened = await underTest.open()
      await reopened.append(mine.plain.name, 0, recordsOf('c'))
      const second = new Recorder()
      await reopened.subscribe('rollup', mine.plain.name, second)
      await eventually(() => second.events.length === 2)
      expect(second.events).toEqual(['assigned 0 at 2', '0> 2:c'])
    })

    test('what was handled but not committed comes again', async () => {
      const first = new Recorder()
      first.commits = false
      await append('a')
      await append('b')
      const subscription = await log.subscribe('rollup', mine.plain.name, first)
      await eventually(() => first.events.includes('0> 1:b'))
      await subscription.stop()
      const second = new Recorder()
      await log.subscribe('rollup', mine.plain.name, second)
      await eventually(() => second.events.includes('0> 1:b'))
      expect(second.events).toEqual(['assigned 0 at none', '0> 0:a', '0> 1:b'])
    })

    test('all partitions belong to the one member, each in its own order', async () => {
      const handler = new Recorder()
      for (let i = 0; i < 3; i++)
        for (let partition = 0; partition < 3; partition++) await append(`k${i}`, mine.wide, partition)
      await log.subscribe('rollup', mine.wide.name, handler)
      await eventually(() => handler.events.filter((event) => event.includes('>')).length === 9)
      for (let partition = 0; partition < 3; partition++)
        expect(handler.events.filter((event) => event.startsWith(`${partition}>`))).toEqual(
          [0, 1, 2].map((i) => `${partition}> ${i}:k${i}`),
        )
    })

    test('stop lets a running batch end and commits what it says', async () => {
      const handler = new Recorder()
      const gate = Promise.withResolvers<void>()
      handler.onBatch = () => gate.promise
      await append('a')
      await append('b')
      const subscription = await log.subscribe('rollup', mine.plain.name, handler)
      await eventually(() => handler.events.length === 2)
      const stopped = subscription.stop()
      gate.resolve()
      await stopped
      await subscription.stop()
      expect(handler.events).toEqual(['assigned 0 at none', '0> 0:a', 'revoked 0'])
      expect(await log.committed('rollup', mine.plain.name)).toEqual([{ partition: 0, ...progressAt(1) }])
    })

    test("a handler's error ends the subscription with that error, gives all partitions back and commits nothing of it", async () => {
      const handler = new Recorder()
      handler.onBatch = async () => {
        throw new RangeError('planted')
      }
      await append('a', mine.wide, 1)
      const subscription = await log.subscribe('rollup', mine.wide.name, handler)
      await expect(subscription.ended).rejects.toThrow(new RangeError('planted'))
      const partitionsOf = (what: RegExp) => handler.events.flatMap((event) => what.exec(event)?.[1] ?? []).sort()
      expect(partitionsOf(/^revoked (\d)/)).toEqual(partitionsOf(/^assigned (\d)/))
      expect(partitionsOf(/^revoked (\d)/)).toContain('1')
      expect(await log.committed('rollup', mine.wide.name)).toEqual([])
      const next = new Recorder()
      await log.subscribe('rollup', mine.wide.name, next)
      await eventually(() => next.events.includes('1> 0:a'))
    })

    test('a handler that waits is told when its partition is no longer its own, and holds nobody up', async () => {
      const handler = new Recorder()
      handler.onBatch = (_, ours) => untilAborted(ours)
      await append('a')
      const subscription = await log.subscribe('rollup', mine.plain.name, handler)
      await eventually(() => handler.events.length === 2)
      await subscription.stop()
      await subscription.ended
      expect(handler.events).toEqual(['assigned 0 at none', '0> 0:a', 'revoked 0'])
      expect(await log.committed('rollup', mine.plain.name)).toEqual([])
    })

    test('a partition that waits does not keep the error of another one from those who wait for it', async () => {
      const handler = new Recorder()
      const fails = Promise.withResolvers<never>()
      handler.onBatch = (batch, ours) => (placesIn(batch).includes('0:b') ? fails.promise : untilAborted(ours))
      await append('a', mine.wide, 0)
      await append('b', mine.wide, 1)
      const subscription = await log.subscribe('rollup', mine.wide.name, handler)
      await eventually(() => handler.events.includes('0> 0:a') && handler.events.includes('1> 0:b'))
      fails.reject(new RangeError('planted'))
      await expect(subscription.ended).rejects.toThrow(new RangeError('planted'))
      expect(handler.events.filter((event) => event.startsWith('revoked')).toSorted()).toEqual(
        handler.events
          .filter((event) => event.startsWith('assigned'))
          .map((event) => `revoked ${event[9]}`)
          .toSorted(),
      )
    })

    test('an error of `assigned` ends the subscription too', async () => {
      const handler = new Recorder()
      handler.assigned = () => Promise.reject(new RangeError('no state'))
      const subscription = await log.subscribe('rollup', mine.plain.name, handler)
      await expect(subscription.ended).rejects.toThrow('no state')
    })

    test('closing the log stops its subscriptions and followers', async () => {
      const handler = new Recorder()
      const subscription = await log.subscribe('rollup', mine.plain.name, handler)
      await eventually(() => handler.events.length === 1)
      const next = log.follow(mine.plain.name, 0, 0, new AbortController().signal)[Symbol.asyncIterator]().next()
      await log.close()
      await log.close()
      await subscription.ended
      expect((await next).done).toBe(true)
      expect(handler.events).toEqual(['assigned 0 at none', 'revoked 0'])
      await expect(append('a')).rejects.toMatchObject({ code: 'OBS_LOG_UNAVAILABLE' })
    })
  })

  describe(`${adapter.name}: topics`, () => {
    test('what is missing is told, created, and then as it should be', async () => {
      const fresh = Object.values(freshTopics())
      expect(await log.topics.check(fresh)).toEqual(
        fresh.map(({ name, partitions }) => ({
          topic: name,
          setting: 'partitions',
          expected: partitions === 'one' ? '1' : '3',
          actual: null,
        })),
      )
      expect(await log.topics.apply(fresh)).toEqual([])
      expect(await log.topics.check(fresh)).toEqual([])
      expect(await log.topics.apply(fresh)).toEqual([])
    })

    test('other settings are told and corrected, and the records stay', async () => {
      await append('a')
      const changed = [{ ...mine.plain, cleanup: 'compact,delete' as const, retentionMs: 400 * DAY_MS }]
      expect(await log.topics.check(changed)).toEqual([
        { topic: mine.plain.name, setting: 'cleanup.policy', expected: 'compact,delete', actual: 'delete' },
        { topic: mine.plain.name, setting: 'retention.ms', expected: '34560000000', actual: '10368000000' },
      ])
      expect(await log.topics.apply(changed)).toEqual([])
      expect(await (await underTest.open()).topics.check(changed)).toEqual([])
      expect(await read(log, mine.plain, 0, 9)).toBe('0:a')
    })

    test('another number of partitions is told and left as it is', async () => {
      const difference = [{ topic: mine.plain.name, setting: 'partitions', expected: '3', actual: '1' }]
      expect(await log.topics.apply([{ ...mine.plain, partitions: 'latency' }])).toEqual(difference)
      expect(await log.topics.check([mine.plain])).toEqual([])
    })
  })

  describe(`${adapter.name}: time`, () => {
    timed('the first offset appended at or after an instant is found', async () => {
      for (const [hour, keys] of [
        [0, 'a b'],
        [1, 'c'],
        [3, 'd e'],
      ] as const) {
        underTest.setTime!(MORNING + hour * HOUR_MS)
        await append(keys)
      }
      const atOrAfter = async (hour: number) =>
        (await log.offsets(mine.plain.name, MORNING + hour * HOUR_MS))[0]!.atOrAfter
      expect([
        await atOrAfter(-1),
        await atOrAfter(0),
        await atOrAfter(0.5),
        await atOrAfter(1),
        await atOrAfter(2),
        await atOrAfter(4),
      ]).toEqual([0, 0, 2, 2, 3, 5])
    })

    timed('a clock that is set back does not bring append times back', async () => {
      await append('a')
      underTest.setTime!(MORNING - HOUR_MS)
      expect((await append('b')).appendedAtMs).toBe(MORNING)
      underTest.setTime!(MORNING + HOUR_MS)
      expect((await append('c')).appendedAtMs).toBe(MORNING + HOUR_MS)
      expect((await log.offsets(mine.plain.name, MORNING + 1))[0]!.atOrAfter).toBe(2)
    })
  })

  describe(`${adapter.name}: compaction`, () => {
    const beyondTheLag = () => underTest.setTime!(MORNING + COMPACTION_LAG_MS)

    compacting('of copies the last one stays; offsets do not move', async () => {
      await append('1 2 3', mine.compacted)
      await append('1 2', mine.compacted)
      beyondTheLag()
      expect(await log.topics.compact([mine.compacted])).toEqual([
        { topic: mine.compacted.name, partition: 0, removedRecords: 2, removedBytes: expect.any(Number) },
      ])
      expect(await read(log, mine.compacted, 0, 9)).toBe('2:3 3:1 4:2')
      expect(await read(log, mine.compacted, 0, 3)).toBe('2:3')
      expect((await log.offsets(mine.compacted.name))[0]).toEqual({ partition: 0, earliest: 0, end: 5, atOrAfter: 5 })
      expect((await append('4', mine.compacted)).baseOffset).toBe(5)
      expect(await log.topics.compact([mine.compacted])).toEqual([])
    })

    compacting('records younger than the lag stay, copies or not', async () => {
      await append('1 2', mine.compacted)
      underTest.setTime!(MORNING + HOUR_MS)
      await append('1', mine.compacted)
      underTest.setTime!(MORNING + COMPACTION_LAG_MS)
      expect(await log.topics.compact([mine.compacted])).toEqual([])
      underTest.setTime!(MORNING + HOUR_MS + COMPACTION_LAG_MS - 1)
      expect(await log.topics.compact([mine.compacted])).toEqual([])
      underTest.setTime!(MORNING + HOUR_MS + COMPACTION_LAG_MS)
      await log.topics.compact([mine.compacted])
      expect(await read(log, mine.compacted, 0, 9)).toBe('1:2 2:1')
    })

    compacting('a copy of what an earlier round has kept removes it in a later one', async () => {
      await append('1 2 1', mine.compacted)
      beyondTheLag()
      await log.topics.compact([mine.compacted])
      await append('2 5', mine.compacted)
      underTest.setTime!(MORNING + 2 * COMPACTION_LAG_MS)
      await log.topics.compact([mine.compacted])
      expect(await read(log, mine.compacted, 0, 9)).toBe('2:1 3:2 4:5')
    })

    compacting('batches that lost all their records are passed over by read, follow and groups', async () => {
      for (const keys of ['1', '2', '1', '2', '1 2']) await append(keys, mine.compacted)
      beyondTheLag()
      await log.topics.compact([mine.compacted])
      expect(await read(log, mine.compacted, 0, 9)).toBe('4:1 5:2')
      expect(await read(log, mine.compacted, 0, 4)).toBe('')
      expect(await read(log, mine.compacted, 2, 9)).toBe('4:1 5:2')
      const handler = new Recorder()
      await log.subscribe('rollup', mine.compacted.name, handler)
      await eventually(() => handler.events.length === 2)
      expect(handler.events).toEqual(['assigned 0 at none', '0> 4:1 5:2'])
    })

    compacting('a batch that has lost what lies at or behind the asked offset is not handed out', async () => {
      await append('1 2', mine.compacted)
      await append('2 3', mine.compacted)
      beyondTheLag()
      await log.topics.compact([mine.compacted])
      const batches = await Array.fromAsync(log.read(mine.compacted.name, 0, 1, 4))
      expect(batches.map((batch) => placesIn(batch))).toEqual([['2:2', '3:3']])
    })

    compacting('a follower that waits behind a hole at the end gets what comes next', async () => {
      await append('1', mine.both)
      await append('2 2', mine.both)
      beyondTheLag()
      await log.topics.compact([mine.both])
      const stop = new AbortController()
      const follow = log.follow(mine.both.name, 0, 3, stop.signal)[Symbol.asyncIterator]()
      const next = follow.next()
      await append('7', mine.both)
      expect(placesIn((await next).value!)).toEqual(['3:7'])
      stop.abort()
    })

    compacting('a topic that is not compacted keeps its copies', async () => {
      await append('1 1')
      beyondTheLag()
      await log.topics.compact([mine.plain])
      expect(await read(log, mine.plain, 0, 9)).toBe('0:1 1:1')
    })

    compacting('expired records go; who asks for them is told the oldest kept offset', async () => {
      await append('a b')
      underTest.setTime!(MORNING + DAY_MS)
      await append('c')
      underTest.setTime!(MORNING + 120 * DAY_MS)
      expect(await log.topics.compact([mine.plain])).toEqual([])
      underTest.setTime!(MORNING + 120 * DAY_MS + 1)
      expect(await log.topics.compact([mine.plain])).toMatchObject([{ removedRecords: 2 }])
      expect((await log.offsets(mine.plain.name, 0))[0]).toEqual({ partition: 0, earliest: 2, end: 3, atOrAfter: 2 })
      await expect(read(log, mine.plain, 1, 3)).rejects.toMatchObject({
        code: 'OBS_LOG_OFFSET_EXPIRED',
        message: expect.stringContaining('the oldest kept one is 2'),
      })
      expect(await read(log, mine.plain, 2, 9)).toBe('2:c')
    })

    compacting('a topic all of whose records have expired goes on at its next offset', async () => {
      await append('a b')
      await append('c')
      underTest.setTime!(MORNING + 500 * DAY_MS)
      await log.topics.compact([mine.plain])
      expect((await log.offsets(mine.plain.name, 0))[0]).toEqual({ partition: 0, earliest: 3, end: 3, atOrAfter: 3 })
      expect((await append('d')).baseOffset).toBe(3)
      expect(await read(log, mine.plain, 3, 9)).toBe('3:d')
      underTest.setTime!(MORNING + 1_000 * DAY_MS)
      expect(await log.topics.compact([mine.plain])).toMatchObject([{ removedRecords: 1 }])
      expect((await append('e')).baseOffset).toBe(4)
    })

    compacting('a follower that expired records overtake is told, not skipped ahead', async () => {
      await append('a')
      const follow = log.follow(mine.plain.name, 0, 0, new AbortController().signal)[Symbol.asyncIterator]()
      await follow.next()
      await append('b')
      underTest.setTime!(MORNING + 500 * DAY_MS)
      await log.topics.compact([mine.plain])
      await expect(follow.next()).rejects.toMatchObject({ code: 'OBS_LOG_OFFSET_EXPIRED' })
    })

    compacting(
      'whatever is appended, compacted and expired in any order, a read finds what a plain list says',
      async () => {
        const step = fc.oneof(
          { weight: 4, arbitrary: fc.array(fc.constantFrom('1', '2', '3', '4'), { minLength: 1, maxLength: 4 }) },
          { weight: 2, arbitrary: fc.constantFrom(HOUR_MS, 10 * DAY_MS, 100 * DAY_MS) },
          { weight: 1, arbitrary: fc.constant('compact' as const) },
        )
        await fc.assert(
          fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
            const { both } = freshTopics()
            await log.topics.apply([both])
            let now = MORNING
            let list: { offset: number; key: string; at: number }[] = []
            let end = 0
            for (const what of steps) {
              underTest.setTime!(now)
              if (typeof what === 'number') now += what
              else if (what === 'compact') {
                await log.topics.compact([both])
                const old = list.filter(({ at }) => at <= now - COMPACTION_LAG_MS)
                list = list.filter(
                  ({ key, offset, at }) =>
                    at >= now - both.retentionMs! &&
                    !old.some(
                      (later) => later.key === key && later.offset > offset && old.some((o) => o.offset === offset),
                    ),
                )
              } else {
                await append(what.join(' '), both)
                for (const key of what) list.push({ offset: end++, key, at: now })
              }
            }
            const { earliest } = (await log.offsets(both.name))[0]!
            expect(await read(log, both, earliest, end + 5)).toBe(
              list.map(({ offset, key }) => `${offset}:${key}`).join(' '),
            )
            expect(await endOf(log, both)).toBe(end)
          }),
          { numRuns: 40 },
        )
      },
    )
  })
}
