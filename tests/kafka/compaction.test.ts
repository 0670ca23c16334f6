import { afterAll, beforeAll, describe, expect } from '@jest/globals'
import { settingsOf } from '#lib/eventlog/kafka/topic-settings.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import type { TopicDefinition } from '#lib/topics.ts'
import { endOf, freshTopics, placesIn, Recorder, read, record, recordsOf } from '#tests/contract/eventlog-fixture.ts'
import { eventually } from '#tests/support/eventually.ts'
import { CleaningBroker } from '#tests/support/kafka/cleaner.ts'
import { type FreshLog, freshLog } from '#tests/support/kafka/fresh-logs.ts'
import { dumpSegments, kafkaToolsMissing } from '#tests/support/kafka/kafka-tools.ts'
import { Kcat, kcatMissing } from '#tests/support/kafka/kcat.ts'
import { testNeeding } from '#tests/support/required.ts'

const missing = kafkaToolsMissing() ?? kcatMissing()
let cleaner: CleaningBroker
let logs: FreshLog
let log: EventLog

if (missing === undefined) {
  beforeAll(async () => {
    cleaner = await CleaningBroker.start()
    logs = freshLog(cleaner.bootstrap)
    log = await logs.open()
  }, 180_000)
  afterAll(async () => {
    await logs?.close()
    await cleaner?.stop()
  })
}

const placeOf = ({ name }: TopicDefinition) => ({ topic: `${logs.prefix}${name}`, partition: 0 })

/** Waits until the cleaner has been through all that a topic holds, but for a last record. */
async function cleaned(topic: TopicDefinition): Promise<readonly string[]> {
  await cleaner.hasten(topic, placeOf(topic).topic)
  await cleaner.closeSegment(placeOf(topic), () => log.append(topic.name, 0, [record('last')]))
  return cleaner.cleaned(placeOf(topic))
}

testNeeding(
  missing,
  'of 1 2 3 1 2 the last copies are kept, where they stand',
  async () => {
    const { compacted } = freshTopics()
    await log.topics.apply([compacted])
    for (const key of ['1', '2', '3', '1', '2']) await log.append(compacted.name, 0, recordsOf(key))
    await cleaned(compacted)
    expect(await read(log, compacted, 0, 5)).toBe('2:3 3:1 4:2')
  },
  90_000,
)

describe('a topic that the cleaner has been through', () => {
  const { compacted } = freshTopics()
  const KEYS = Array.from({ length: 40 }, (_, i) => `k${i}`)
  const ROUNDS = 10
  const PRODUCERS = 10
  /** Of two segments; one request brings what one segment holds. */
  const FEW = 4
  /** `offset:key` of what is left, as kcat sees it. */
  let left: readonly string[]
  let end: number

  if (missing === undefined)
    beforeAll(async () => {
      await log.topics.apply([compacted])
      // Of the first batch of each round one record stays for ever.
      for (let round = 0; round < ROUNDS; round++)
        for (let i = 0; i < KEYS.length; i += 5) {
          const keys = KEYS.slice(i, i + 5)
          if (i === 0) keys[2] = `round${round}`
          await log.append(compacted.name, 0, recordsOf(keys.join(' ')))
        }
      const idempotent = new Kcat(cleaner.bootstrap, { 'enable.idempotence': 'true' })
      const copies = KEYS.map((key) => [key, `value of ${key}`] as const)
      for (let i = 0; i < PRODUCERS; i++) await idempotent.produceKeyed(placeOf(compacted).topic, copies)
      for (const key of KEYS) await log.append(compacted.name, 0, [record(key)])
      left = await cleaned(compacted)
      end = await endOf(log, compacted)
    }, 180_000)

  /** How many requests for records that took, and what it gave. */
  async function counting<Result>(work: () => Promise<Result>): Promise<{ result: Result; fetches: number }> {
    const before = cleaner.fetches
    const result = await work()
    return { result, fetches: cleaner.fetches - before }
  }

  const within = (from: number, to: number): string =>
    left.filter((place) => Number.parseInt(place, 10) >= from && Number.parseInt(place, 10) < to).join(' ')

  testNeeding(missing, 'holds few records, many holes, and the empty batches of idempotent producers', async () => {
    expect(end).toBeGreaterThan((ROUNDS + PRODUCERS + 1) * KEYS.length)
    expect(left.length).toBeLessThanOrEqual(ROUNDS + KEYS.length + 2)
    const batches = await dumpSegments(cleaner.segmentsOf(placeOf(compacted)))
    expect(batches.filter(({ count }) => count === 0)).toHaveLength(PRODUCERS)
    expect(batches.flatMap(({ records }) => records)).toHaveLength(left.length)
    expect(cleaner.segmentsOf(placeOf(compacted))).toHaveLength(2)
  })

  testNeeding(missing, 'is read as others read it, in few requests', async () => {
    const { result, fetches } = await counting(() => read(log, compacted, 0, end))
    expect(result).toBe(left.join(' '))
    expect(fetches).toBeLessThanOrEqual(FEW)
  })

  testNeeding(missing, 'is read in few requests from anywhere to anywhere, also from hole to hole', async () => {
    for (let from = 0; from <= end; from += 67)
      for (let to = from; to <= end + 1; to += 97) {
        const { result, fetches } = await counting(() => read(log, compacted, from, to))
        expect([from, to, result]).toEqual([from, to, within(from, to)])
        expect(fetches).toBeLessThanOrEqual(FEW)
      }
  })

  testNeeding(missing, 'is followed from a hole on, in few requests, and on to what comes', async () => {
    const stop = new AbortController()
    const [seen, from] = [[] as string[], 411]
    const { fetches } = await counting(async () => {
      for await (const batch of log.follow(compacted.name, 0, from, stop.signal)) {
        seen.push(...placesIn(batch, from))
        if (seen.at(-1) === left.at(-1)) return
      }
    })
    expect(seen.join(' ')).toBe(within(from, end))
    expect(fetches).toBeLessThanOrEqual(FEW)
  })

  testNeeding(missing, 'is handed out to a group in few requests, and the group commits behind all holes', async () => {
    const member = new Recorder()
    const { fetches } = await counting(async () => {
      const subscription = await log.subscribe('reader', compacted.name, member)
      await eventually(() => member.events.some((event) => event.endsWith(left.at(-1)!)))
      await subscription.stop()
    })
    const handled = member.events.filter((event) => event.startsWith('0> ')).map((event) => event.slice(3))
    expect(handled.join(' ')).toBe(left.join(' '))
    expect(fetches).toBeLessThanOrEqual(FEW)
    expect((await log.committed('reader', compacted.name)).map(({ offset }) => offset)).toEqual([end])
  })
})

testNeeding(
  missing,
  'a segment in which nothing but an empty batch is left is passed, by readers and by those that follow',
  async () => {
    const { compacted } = freshTopics()
    const keys = Array.from({ length: 40 }, (_, i) => `k${i}`)
    const large = 'v'.repeat(20_000)
    await log.topics.apply([compacted])
    const place = placeOf(compacted)
    // The cleaner puts small segments together; two of these are too large for that.
    await cleaner.hasten(compacted, place.topic, { 'segment.bytes': '1048576' })
    await cleaner.closeSegment(place, () => log.append(compacted.name, 0, [record('k0')]))
    const idempotent = new Kcat(cleaner.bootstrap, { 'enable.idempotence': 'true' })
    await idempotent.produceKeyed(
      place.topic,
      keys.map((key) => [key, large]),
    )
    for (let i = 0; i < 2; i++)
      await log.append(
        compacted.name,
        0,
        keys.map((key) => record(key, large)),
      )
    await cleaner.closeSegment(place, () => log.append(compacted.name, 0, [record('last')]))
    const left = await cleaner.cleaned(place)
    const segments = await Promise.all(cleaner.segmentsOf(place).map((file) => dumpSegments([file])))
    expect(segments.filter((batches) => batches.length > 0 && batches.every(({ count }) => count === 0))).not.toEqual(
      [],
    )

    expect(await read(log, compacted, 0, await endOf(log, compacted))).toBe(left.join(' '))
    const followed = log.follow(compacted.name, 0, 0, AbortSignal.timeout(10_000))
    const seen: string[] = []
    for await (const batch of followed) {
      seen.push(...placesIn(batch))
      if (seen.length === left.length) break
    }
    expect(seen).toEqual(left)
  },
  60_000,
)

testNeeding(missing, 'copies that are younger than the lag are not touched', async () => {
  const { both, compacted } = freshTopics()
  await log.topics.apply([both, compacted])
  for (const topic of [both, compacted])
    for (const key of ['1', '2', '1']) await log.append(topic.name, 0, recordsOf(key))
  const { 'min.compaction.lag.ms': lag } = settingsOf(both, 1)
  await cleaner.hasten(both, placeOf(both).topic, { 'min.compaction.lag.ms': lag! })
  await cleaner.closeSegment(placeOf(both), () => log.append(both.name, 0, [record('last')]))
  await cleaned(compacted)
  expect(await read(log, both, 0, 4)).toBe('0:1 1:2 2:1 3:last')
})
