import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect } from '@jest/globals'
import type { EventLog, LogRecord } from '#lib/eventlog/port.ts'
import { type TopicDefinition, topics } from '#lib/topics.ts'
import { freshTopics, read, record, recordsOf } from '#tests/contract/eventlog-fixture.ts'
import { RecordedDesk } from '#tests/replay/recorded-desk.ts'
import { BEGINS_AT, plansOf, scenario } from '#tests/replay/scenario.ts'
import { type FreshLog, freshLog } from '#tests/support/kafka/fresh-logs.ts'
import { consoleConsume, dumpSegments, kafkaTool, kafkaToolsMissing } from '#tests/support/kafka/kafka-tools.ts'
import { Kcat, kcatMissing } from '#tests/support/kafka/kcat.ts'
import { type SeenRecord, seenByUs } from '#tests/support/kafka/seen-record.ts'
import { segmentFiles } from '#tests/support/kafka/segment-files.ts'
import { PatientClock } from '#tests/support/patient-clock.ts'
import { testNeeding } from '#tests/support/required.ts'
import { type CutCluster, startCutCluster } from '#tools/kafka/cut-cluster.ts'

/** What others see of what we have written, and we of what others have written. */

const missing = kafkaToolsMissing() ?? kcatMissing()
const PARTITIONS = 2
const { plain } = freshTopics()
let cluster: CutCluster
let logs: FreshLog
let log: EventLog
let kcat: Kcat

if (missing === undefined) {
  beforeAll(async () => {
    cluster = await startCutCluster(1)
    kcat = new Kcat(cluster.bootstrap)
    logs = freshLog(cluster.bootstrap, { partitions: PARTITIONS })
    log = await logs.open()
    await log.topics.apply([plain])
  }, 180_000)
  afterAll(async () => {
    await logs?.close()
    await cluster?.stop()
  })
}

const nameOf = (topic: TopicDefinition): string => `${logs.prefix}${topic.name}`
const filesOf = (topic: TopicDefinition, partition: number): readonly string[] =>
  segmentFiles(cluster.dataFolder(1), { topic: nameOf(topic), partition })

/** Records of every shape that a log may hold, in batches of one to three hundred. */
function oddities(): readonly (readonly LogRecord[])[] {
  const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
  const headers = [
    { name: 'obs-cause', value: Buffer.from('81.2') },
    { name: '口座', value: Buffer.from('α') },
    { name: 'empty', value: Buffer.alloc(0) },
  ]
  return [
    [record('a')],
    [record('口座_α/2026-06-27T23:00:00Z/r0', 'ね'), { ...record(''), value: Buffer.alloc(0) }],
    [{ key: everyByte, value: everyByte }],
    [{ ...record('headers'), headers }, { ...record('one header'), headers: headers.slice(0, 1) }, record('none')],
    recordsOf(Array.from({ length: 300 }, (_, i) => `k${i}`).join(' ')),
    [{ key: Buffer.from('large'), value: Buffer.alloc(900_000, 'v') }],
  ]
}

/** What `DumpLogSegments` says of a record. */
const dumped = ({ offset, key, value, headers }: SeenRecord) => ({
  offset,
  keyBytes: key.length,
  valueBytes: value?.length ?? -1,
  headerNames: headers.replace(/=[^,]*/g, ''),
})

describe('what we write is seen by others as by ourselves:', () => {
  const written = oddities()
  let ours: readonly SeenRecord[]

  if (missing === undefined)
    beforeAll(async () => {
      for (const batch of written) await log.append(plain.name, 0, batch)
      ours = await seenByUs(log, plain.name, 0)
    }, 60_000)

  testNeeding(missing, 'by kcat', async () => {
    expect(ours).toHaveLength(written.flat().length)
    expect(await kcat.records(nameOf(plain))).toEqual(ours)
  })

  testNeeding(missing, "by Kafka's console consumer", async () => {
    expect(await consoleConsume(cluster.bootstrap, { topic: nameOf(plain), partition: 0 }, ours.length)).toEqual(ours)
  })

  testNeeding(missing, "by Kafka's reader of segment files, which finds every batch whole and valid", async () => {
    const batches = await dumpSegments(filesOf(plain, 0))
    expect(batches.map(({ count, isValid, compression }) => [count, isValid, compression])).toEqual(
      written.map(({ length }) => [length, true, 'none']),
    )
    expect(batches.flatMap(({ records }) => records)).toEqual(ours.map(dumped))
  })
})

testNeeding(missing, 'a bit that changed on the disk of a broker is found by us as by its own reader', async () => {
  const { both } = freshTopics()
  await log.topics.apply([both])
  await log.append(both.name, 0, recordsOf('a'))
  await log.append(both.name, 0, [record('b', 'the value that changes')])
  const [file] = filesOf(both, 0)
  const bytes = readFileSync(file!)
  bytes[bytes.indexOf('the value') + 2]! ^= 1
  writeFileSync(file!, bytes)

  expect((await dumpSegments([file!])).map(({ isValid }) => isValid)).toEqual([true, false])
  await expect(read(log, both, 0, 2)).rejects.toMatchObject({ code: 'OBS_LOG_CORRUPT' })
  expect((await kcat.records(nameOf(both))).at(-1)!.value).toBe('thd value that changes')
})

describe('a desk on which something has happened', () => {
  const plans = plansOf()
  const latency = [topics.sample, topics.window, topics.breach, topics.alert] as const
  const places = [
    ...latency.flatMap((topic) => [0, 1].map((partition) => ({ topic, partition }))),
    { topic: topics.plan, partition: 0 },
    { topic: topics.job, partition: 0 },
  ]
  let desk: RecordedDesk

  if (missing === undefined)
    beforeAll(async () => {
      const clock = new PatientClock(BEGINS_AT)
      const dataDir = mkdtempSync(join(tmpdir(), 'obstream-other-tools-'))
      desk = await RecordedDesk.open(clock, { dataDir, log: await logs.open({ clock }) })
      await desk.publish(plans.friday, plans.sunday)
      const story = scenario(plans)
      await desk.play(story.filter(({ type }) => type === 'sample'))
      await desk.latency(clock.now())
    }, 60_000)

  testNeeding(missing, 'is the same for kcat, in every partition of every topic', async () => {
    for (const { topic, partition } of places) {
      const ours = await seenByUs(log, topic.name, partition)
      expect(ours.length).toBeGreaterThan(0)
      expect(await kcat.records(nameOf(topic), partition)).toEqual(ours)
    }
  })

  testNeeding(missing, "is the same for Kafka's console consumer", async () => {
    const ours = await seenByUs(log, topics.window.name, 1)
    const place = { topic: nameOf(topics.window), partition: 1 }
    expect(await consoleConsume(cluster.bootstrap, place, ours.length)).toEqual(ours)
  })

  testNeeding(missing, "is the same for Kafka's reader of segment files", async () => {
    const ours = await Promise.all(places.map(({ topic, partition }) => seenByUs(log, topic.name, partition)))
    const batches = await dumpSegments(places.flatMap(({ topic, partition }) => filesOf(topic, partition)))
    expect(batches.every(({ isValid }) => isValid)).toBe(true)
    expect(batches.flatMap(({ records }) => records)).toEqual(ours.flat().map(dumped))
  })
})

describe('what others write is read by us:', () => {
  const { wide, compacted, both } = freshTopics()
  const ours = async (topic: TopicDefinition) =>
    (await seenByUs(log, topic.name, 0)).map(({ key, value, headers }) => [key, value, headers])

  if (missing === undefined) beforeAll(() => log.topics.apply([wide, compacted, both]), 60_000)

  testNeeding(missing, "kcat's records, packed or not, with headers, without a key, without a value", async () => {
    const packed = Array.from({ length: 50 }, (_, i) => [`k${i}`, 'x'.repeat(i + 1)] as const)
    await kcat.produceKeyed(nameOf(wide), [['a', 'plain']])
    await kcat.produceKeyed(nameOf(wide), packed, '-z', 'gzip')
    await kcat.produceKeyed(nameOf(wide), packed, '-z', 'zstd', '-H', 'obs-cause=81.2', '-H', 'b=2')
    await kcat.produceKeyed(nameOf(wide), [
      ['', 'no key'],
      ['no value', ''],
    ])
    expect(await ours(wide)).toEqual([
      ['a', 'plain', ''],
      ...packed.map(([key, value]) => [key, value, '']),
      ...packed.map(([key, value]) => [key, value, 'obs-cause=81.2,b=2']),
      ['', 'no key', ''],
      ['no value', null, ''],
    ])
  })

  testNeeding(missing, "the console producer's records, of an idempotent producer, packed or not", async () => {
    const lines = Array.from({ length: 30 }, (_, i) => `cause:${i},b:2\tk${i}\tvalue ${i}\n`).join('')
    const reader = ['parse.headers=true', 'parse.key=true'].flatMap((property) => ['--property', property])
    const produce = (topic: TopicDefinition, codec: string) =>
      kafkaTool(
        'org.apache.kafka.tools.ConsoleProducer',
        [
          ...['--bootstrap-server', cluster.bootstrap.join(), '--topic', nameOf(topic), ...reader],
          ...['--compression-codec', codec, '--producer-property', 'enable.idempotence=true'],
        ],
        lines,
      )
    await Promise.all([produce(both, 'zstd'), produce(compacted, 'none')])
    const expected = Array.from({ length: 30 }, (_, i) => [`k${i}`, `value ${i}`, `cause=${i},b=2`])
    expect(await ours(both)).toEqual(expected)
    expect(await ours(compacted)).toEqual(expected)
  })
})
