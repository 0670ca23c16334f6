import { afterAll, afterEach, beforeAll, expect } from '@jest/globals'
import { isObstreamError } from '#lib/errors.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import { freshTopics, placesIn, read, recordsOf } from '#tests/contract/eventlog-fixture.ts'
import { eventually } from '#tests/support/eventually.ts'
import { type FreshLog, freshLog } from '#tests/support/kafka/fresh-logs.ts'
import { describeTopics, kafkaToolsMissing } from '#tests/support/kafka/kafka-tools.ts'
import { kafkaMissing, startCluster } from '#tests/support/kafka/provider.ts'
import { testNeeding } from '#tests/support/required.ts'
import type { KafkaCluster } from '#tools/kafka/server.ts'

const missing = kafkaMissing()
const { wide } = freshTopics()
const MINUTES_4 = 240_000

let cluster: KafkaCluster
let logs: FreshLog

if (missing === undefined) {
  beforeAll(async () => {
    cluster = await startCluster({ brokers: 3 })
  }, MINUTES_4)
  afterAll(() => cluster.stop(), MINUTES_4)
  afterEach(() => logs.close())
}

async function openLog(): Promise<EventLog> {
  logs = freshLog(cluster.bootstrap, { partitions: 3 })
  const log = await logs.open()
  await log.topics.apply([wide])
  return log
}

/** Appends one record after the other to a partition until told to stop, and remembers what it was told of each. */
class Writer {
  readonly acknowledged: string[] = []
  readonly unknown: string[] = []
  refused = 0
  readonly #log: EventLog
  readonly #partition: number
  readonly #stopping = new AbortController()
  readonly #ended: Promise<void>
  #count = 0

  constructor(log: EventLog, partition: number) {
    this.#log = log
    this.#partition = partition
    this.#ended = this.#write()
    this.#ended.catch(() => {})
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#ended
  }

  async #write(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const key = `k${this.#count++}`
      try {
        const { baseOffset } = await this.#log.append(wide.name, this.#partition, recordsOf(key))
        this.acknowledged.push(`${baseOffset}:${key}`)
      } catch (error) {
        if (!isObstreamError(error) || !error.retryable) throw error
        if (error.code === 'OBS_LOG_OUTCOME_UNKNOWN') this.unknown.push(key)
        else this.refused++
      }
    }
  }
}

/** Follows a partition from its beginning; goes on where it was when the log tells that brokers are away for long. */
function follower(log: EventLog, partition: number) {
  const seen: string[] = []
  const stop = new AbortController()
  const ended = (async () => {
    for (let next = 0; !stop.signal.aborted; )
      try {
        for await (const batch of log.follow(wide.name, partition, next, stop.signal)) {
          seen.push(...placesIn(batch, next))
          next = batch.lastOffset + 1
        }
      } catch (error) {
        if (!isObstreamError(error, 'OBS_LOG_UNAVAILABLE')) throw error
      }
  })()
  ended.catch(() => {})
  const end = async (): Promise<void> => {
    stop.abort()
    await ended
  }
  return { seen, stop: end }
}

/** Runs `hurt` while three partitions are written and followed; then everything that was acknowledged must be there. */
async function whileWriting(hurt: (writers: readonly Writer[]) => Promise<void>): Promise<void> {
  const log = await openLog()
  const writers = [0, 1, 2].map((partition) => new Writer(log, partition))
  const other = await logs.open()
  const followers = [0, 1, 2].map((partition) => follower(other, partition))
  await eventually(() => writers.every(({ acknowledged }) => acknowledged.length > 20))
  await hurt(writers)
  await Promise.all(writers.map((writer) => writer.stop()))
  for (const [partition, { acknowledged, unknown }] of writers.entries()) {
    const { end } = await eventually(async () => (await log.offsets(wide.name))[partition], 30_000)
    const places = (await read(log, wide, 0, end, partition)).split(' ')
    const keys = places.map((place) => place.split(':')[1]!)
    expect(places).toEqual(expect.arrayContaining(acknowledged))
    expect(new Set(keys).size).toBe(keys.length)
    const told = new Set([...acknowledged.map((place) => place.split(':')[1]), ...unknown])
    expect(keys.filter((key) => !told.has(key))).toEqual([])
    const { seen } = followers[partition]!
    await eventually(() => seen.length === places.length, 30_000)
    expect(seen).toEqual(places)
  }
  await Promise.all(followers.map(({ stop }) => stop()))
}

/** As many appends to each partition as show that it works again. */
async function untilWritten(writers: readonly Writer[]): Promise<void> {
  const before = writers.map(({ acknowledged }) => acknowledged.length)
  await eventually(() => writers.every(({ acknowledged }, i) => acknowledged.length > before[i]! + 20), 60_000)
}

testNeeding(
  missing ?? kafkaToolsMissing(),
  'a topic has three copies, of which two must hold a record before it is acknowledged',
  async () => {
    await openLog()
    const { [`${logs.prefix}${wide.name}`]: topic } = await describeTopics(cluster.bootstrap.join(), `${logs.prefix}.*`)
    expect(topic).toMatchObject({ partitions: 3, replication: 3, settings: { 'min.insync.replicas': '2' } })
  },
  MINUTES_4,
)

testNeeding(
  missing,
  'when one of three brokers is killed, nothing acknowledged is lost, nothing is doubled, and writing goes on',
  () =>
    whileWriting(async (writers) => {
      await cluster.broker(3).kill('SIGKILL')
      await untilWritten(writers)
      await cluster.broker(3).restart()
    }),
  MINUTES_4,
)

testNeeding(
  missing,
  'a broker that says goodbye hands its partitions over, and no append is lost or doubled',
  () =>
    whileWriting(async (writers) => {
      await cluster.broker(1).kill('SIGTERM')
      await untilWritten(writers)
      await cluster.broker(1).restart()
      await untilWritten(writers)
    }),
  MINUTES_4,
)

testNeeding(
  missing,
  'a broker that stands still and comes back changes nothing that was acknowledged',
  () =>
    whileWriting(async (writers) => {
      await cluster.broker(2).pause()
      await untilWritten(writers)
      await cluster.broker(2).resume()
      await untilWritten(writers)
    }),
  MINUTES_4,
)

testNeeding(
  missing,
  'without enough replicas in sync no append is acknowledged; it goes on once they are back',
  () =>
    whileWriting(async (writers) => {
      const doubts = (writer: Writer) => writer.unknown.length + writer.refused
      const before = writers.map(doubts)
      await Promise.all([2, 3].map((nodeId) => cluster.broker(nodeId).pause()))
      await eventually(() => writers.every((writer, i) => doubts(writer) > before[i]!), 60_000)
      await Promise.all([2, 3].map((nodeId) => cluster.broker(nodeId).resume()))
      await untilWritten(writers)
    }),
  MINUTES_4,
)
