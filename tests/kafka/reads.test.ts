import { afterAll, afterEach, beforeAll, beforeEach, describe, expect } from '@jest/globals'
import { type Admin, Kafka, logLevel } from 'kafkajs'
import { Cluster } from '#lib/eventlog/kafka/cluster.ts'
import { listOffsets } from '#lib/eventlog/kafka/offsets.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import { freshTopics, placesIn, read, recordsOf } from '#tests/contract/eventlog-fixture.ts'
import { eventually } from '#tests/support/eventually.ts'
import { type FreshLog, freshLog } from '#tests/support/kafka/fresh-logs.ts'
import { kafkaMissing } from '#tests/support/kafka/provider.ts'
import { sharedKafka } from '#tests/support/kafka/shared.ts'
import { testNeeding } from '#tests/support/required.ts'

const missing = kafkaMissing()
const { plain, wide } = freshTopics()
let bootstrap: string
let admin: Admin
let logs: FreshLog
let log: EventLog

const kafka = () => new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING })

if (missing === undefined) {
  beforeAll(async () => {
    bootstrap = (await sharedKafka()).bootstrap
    admin = kafka().admin()
    await admin.connect()
  }, 180_000)
  afterAll(() => admin.disconnect())
  beforeEach(async () => {
    logs = freshLog([bootstrap])
    log = await logs.open()
    await log.topics.apply([plain, wide])
  })
  afterEach(() => logs.close())
}

/** What a follower has seen, and how it ended. */
function follow(from = 0) {
  const stop = new AbortController()
  const seen: string[] = []
  const ended = (async () => {
    for await (const batch of log.follow(plain.name, 0, from, stop.signal)) seen.push(...placesIn(batch, from))
  })()
  ended.catch(() => {})
  return { seen, ended, stop: () => stop.abort() }
}

const nameOf = () => `${logs.prefix}${plain.name}`

async function createAnew(): Promise<void> {
  await admin.deleteTopics({ topics: [nameOf()] })
  await eventually(async () => !(await admin.listTopics()).includes(nameOf()))
  // kafkajs, waiting for leaders itself, fails when the broker does not know the topic yet.
  await admin.createTopics({ topics: [{ topic: nameOf(), numPartitions: 1 }], waitForLeaders: false })
  await eventually(async () => (await admin.listTopics()).includes(nameOf()))
}

describe('a topic that is created anew', () => {
  testNeeding(missing, 'is not the one that is followed', async () => {
    await log.append(plain.name, 0, recordsOf('a b c'))
    const follower = follow()
    await eventually(() => follower.seen.length === 3)
    await createAnew()
    await expect(follower.ended).rejects.toMatchObject({ code: 'OBS_LOG_HISTORY_CHANGED' })
  })

  testNeeding(missing, 'is told apart also when it has grown beyond the offset that comes next', async () => {
    await log.append(plain.name, 0, recordsOf('a'))
    const follower = follow()
    await eventually(() => follower.seen.length === 1)
    await createAnew()
    const other = await logs.open()
    await other.append(plain.name, 0, recordsOf('x y z'))
    await expect(follower.ended).rejects.toMatchObject({ code: 'OBS_LOG_HISTORY_CHANGED' })
    expect(follower.seen).toEqual(['0:a'])
  })

  testNeeding(missing, 'takes nothing from who has written to the old one', async () => {
    await log.append(plain.name, 0, recordsOf('a b'))
    await createAnew()
    const outcomes = []
    for (let i = 0; i < 2; i++) outcomes.push(await log.append(plain.name, 0, recordsOf('c')).catch(({ code }) => code))
    expect(outcomes.at(-1)).toBe('OBS_LOG_HISTORY_CHANGED')
  })

  testNeeding(missing, 'has no offsets for who has known the old one, be it only by its offsets', async () => {
    await log.offsets(plain.name)
    await createAnew()
    await expect(log.offsets(plain.name)).rejects.toMatchObject({ code: 'OBS_LOG_HISTORY_CHANGED' })
  })
})

testNeeding(missing, 'a topic that is deleted is told as that, not as one that somebody should create', async () => {
  await log.append(plain.name, 0, recordsOf('a'))
  const follower = follow()
  await eventually(() => follower.seen.length === 1)
  await admin.deleteTopics({ topics: [nameOf()] })
  const told = { code: 'OBS_LOG_HISTORY_CHANGED', message: expect.stringMatching(`^${nameOf()} was deleted`) }
  await expect(follower.ended).rejects.toMatchObject(told)
  await expect(log.offsets(plain.name)).rejects.toMatchObject(told)
})

describe('records that are no longer kept', () => {
  /** An admin of its own: kafkajs looks for leaders among topics that were deleted meanwhile. */
  async function deleteBefore(offset: number): Promise<void> {
    const fresh = kafka().admin()
    await fresh.connect()
    await fresh.fetchTopicOffsets(nameOf())
    await fresh.deleteTopicRecords({ topic: nameOf(), partitions: [{ partition: 0, offset: String(offset) }] })
    await fresh.disconnect()
  }

  testNeeding(missing, 'are not skipped: who asks for them is told the oldest kept offset', async () => {
    await log.append(plain.name, 0, recordsOf('a b c'))
    await deleteBefore(2)
    expect((await log.offsets(plain.name))[0]).toMatchObject({ earliest: 2, end: 3 })
    await expect(read(log, plain, 1, 3)).rejects.toMatchObject({
      code: 'OBS_LOG_OFFSET_EXPIRED',
      message: expect.stringContaining('the oldest kept one is 2'),
    })
    expect(await read(log, plain, 2, 3)).toBe('2:c')
  })
})

testNeeding(
  missing,
  'an offset beyond the end tells of a history that is not the one it was made from',
  async () => {
    await log.append(plain.name, 0, recordsOf('a'))
    await expect(follow(5).ended).rejects.toMatchObject({
      code: 'OBS_LOG_HISTORY_CHANGED',
      message: expect.stringContaining('the log ends at 1'),
    })
  },
  60_000,
)

testNeeding(missing, 'a fast reader does not wait for a slow one, nor any for those that idle', async () => {
  const big = { key: Buffer.from('k'), value: Buffer.alloc(500_000) }
  for (let i = 0; i < 20; i++) await log.append(wide.name, 0, [big])
  const stop = new AbortController()
  const idle = log.follow(wide.name, 2, 0, stop.signal)[Symbol.asyncIterator]().next()
  const slow = log.follow(wide.name, 0, 0, stop.signal)[Symbol.asyncIterator]()
  await slow.next()
  const fast: string[] = []
  const following = (async () => {
    for await (const batch of log.follow(wide.name, 1, 0, stop.signal)) fast.push(...placesIn(batch))
  })()
  for (let i = 0; i < 20; i++) {
    await log.append(wide.name, 1, recordsOf(`k${i}`))
    await eventually(() => fast.length === i + 1)
  }
  let count = 1
  while (count < 20) {
    await slow.next()
    count++
  }
  stop.abort()
  await following
  expect((await idle).done).toBe(true)
})

testNeeding(
  missing,
  'an end before one that is known is asked for again until a leader tells a later one',
  async () => {
    const cluster = new Cluster({ brokers: [bootstrap], clientId: 'test' })
    try {
      const { promise: refused, resolve } = Promise.withResolvers<void>()
      const knownEnd = (): number => {
        resolve()
        return 3
      }
      const asked = listOffsets(cluster, { topic: nameOf(), knownEnd })
      await refused
      await log.append(plain.name, 0, recordsOf('a b c'))
      expect(await asked).toMatchObject([{ earliest: 0, end: 3 }])
    } finally {
      cluster.close()
    }
  },
)
