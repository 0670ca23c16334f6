import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect } from '@jest/globals'
import { Kafka, logLevel } from 'kafkajs'
import { currentFolds, refold } from '#cli/replay/refold.ts'
import { openMemoryLog } from '#lib/eventlog/memory.ts'
import type { EventLog, LogRecord } from '#lib/eventlog/port.ts'
import { DAY_MS, HOUR_MS } from '#lib/time.ts'
import type { TopicDefinition } from '#lib/topics.ts'
import { outcomeOf } from '#tests/replay/outcome.ts'
import { derivedTopics, digests, RecordedDesk, scratchLog } from '#tests/replay/recorded-desk.ts'
import { plansOf, scenario } from '#tests/replay/scenario.ts'
import { CleaningBroker } from '#tests/support/kafka/cleaner.ts'
import { type FreshLog, freshLog } from '#tests/support/kafka/fresh-logs.ts'
import { kafkaToolsMissing } from '#tests/support/kafka/kafka-tools.ts'
import { kcatMissing } from '#tests/support/kafka/kcat.ts'
import { PatientClock } from '#tests/support/patient-clock.ts'
import { testNeeding } from '#tests/support/required.ts'

const missing = kafkaToolsMissing() ?? kcatMissing()
const MINUTES_2 = 120_000
const PARTITIONS = 2
const IDEMPOTENT_PRODUCERS = 3
const plans = plansOf()
/** Of the jobs only those just after midnight: each folds on Kafka, which takes its time. */
const story = scenario(plans).filter((step) => step.type === 'sample' || step.slotAt % DAY_MS < HOUR_MS)
const samples = story.filter(({ type }) => type === 'sample')
/** Everything that brokers have stamped is older than the compaction lag then. */
const YEARS_LATER = Date.UTC(2100, 0, 1)

let cleaner: CleaningBroker
let logs: FreshLog

if (missing === undefined) {
  beforeAll(async () => {
    cleaner = await CleaningBroker.start()
  }, MINUTES_2)
  afterAll(() => cleaner?.stop())
  beforeEach(() => {
    logs = freshLog(cleaner.bootstrap, { partitions: PARTITIONS })
  })
}

/** What happens to a desk's log between two parts of a story. */
type Between = (desk: RecordedDesk) => Promise<void>

const nothing: Between = async () => {}

/** A desk in memory, on which nothing but the story happens, and one on Kafka. */
async function bothDesks(): Promise<{ readonly inMemory: RecordedDesk; readonly onKafka: RecordedDesk }> {
  const clock = new PatientClock(YEARS_LATER)
  const dataDir = () => mkdtempSync(join(tmpdir(), 'obstream-compacted-'))
  return {
    inMemory: await RecordedDesk.open(clock, {
      dataDir: dataDir(),
      log: openMemoryLog({ clock, partitions: PARTITIONS }),
    }),
    onKafka: await RecordedDesk.open(clock, { dataDir: dataDir(), log: await logs.open({ clock }) }),
  }
}

/**
 * Says every third fact of the derived topics again, as owners do that do not know what was said: by idempotent producers,
 * whose last batches stay when they are emptied, then once more. Ends when the cleaner has been over all of it.
 */
const copyAndClean: Between = async ({ env: { log } }) => {
  await Promise.all(derivedTopics.map((topic) => copyAndCleanOne(log, topic)))
}

async function copyAndCleanOne(log: EventLog, topic: TopicDefinition): Promise<void> {
  const name = `${logs.prefix}${topic.name}`
  const said = await Promise.all((await log.offsets(topic.name)).map((place) => everyRecord(log, topic, place)))
  const copies = said.map((records) => records.filter((_, i) => i % 3 === 0))
  for (const [partition, some] of copies.entries()) {
    if (some.length === 0) continue
    const share = Math.ceil(some.length / IDEMPOTENT_PRODUCERS)
    for (let i = 0; i < some.length; i += share) await sayIdempotently(name, partition, some.slice(i, i + share))
    await log.append(topic.name, partition, some)
  }
  await cleaner.hasten(topic, name)
  const clean = async (partition: number): Promise<void> => {
    const last = copies[partition]!.slice(-1)
    if (last.length === 0) return
    await cleaner.closeSegment({ topic: name, partition }, () => log.append(topic.name, partition, last))
    const left = await cleaner.cleaned({ topic: name, partition })
    expect(left.length).toBeLessThanOrEqual(said[partition]!.length + 1)
  }
  await Promise.all(copies.keys().map(clean))
  await cleaner.calm(topic, name)
}

async function everyRecord(
  log: EventLog,
  topic: TopicDefinition,
  { partition, end }: { readonly partition: number; readonly end: number },
): Promise<readonly LogRecord[]> {
  const records: LogRecord[] = []
  for await (const batch of log.read(topic.name, partition, 0, end))
    for (const { key, value, headers } of batch.records()) records.push({ key, value: value!, headers })
  return records
}

/** By a producer of its own, of another client. */
async function sayIdempotently(topic: string, partition: number, records: readonly LogRecord[]): Promise<void> {
  const producer = new Kafka({ brokers: [...cleaner.bootstrap], logLevel: logLevel.NOTHING }).producer({
    idempotent: true,
  })
  await producer.connect()
  const messages = records.map(({ key, value, headers = [] }) => ({
    partition,
    key: Buffer.from(key),
    value: Buffer.from(value),
    headers: Object.fromEntries(headers.map((header) => [header.name, Buffer.from(header.value)])),
  }))
  await producer.send({ topic, messages })
  await producer.disconnect()
}

testNeeding(
  missing,
  'an alerter and a job that come after the cleaner say what they would have said before',
  async () => {
    const play = async (desk: RecordedDesk, between: Between) => {
      const rollupOnly = new RecordedDesk(desk.env, desk.clock, currentFolds.slice(0, 1))
      await rollupOnly.publish(plans.friday, plans.sunday)
      await rollupOnly.play(samples)
      await between(desk)
      await desk.fold()
      await between(desk)
      await desk.latency(YEARS_LATER)
      return outcomeOf(desk)
    }
    const { inMemory, onKafka } = await bothDesks()
    expect(await play(onKafka, copyAndClean)).toEqual(await play(inMemory, nothing))
    await logs.close()
  },
  MINUTES_2,
)

testNeeding(
  missing,
  'services that start again after the cleaner go on as if nothing had been moved; so does a replay, and who starts anew',
  async () => {
    const half = story.length / 2
    const play = async (desk: RecordedDesk, between: Between) => {
      await desk.publish(plans.friday, plans.sunday)
      await desk.play(story.slice(0, half))
      await between(desk)
      await desk.play(story.slice(half))
      return outcomeOf(desk)
    }
    const { inMemory, onKafka } = await bothDesks()
    const expected = await play(inMemory, nothing)
    expect(await play(onKafka, copyAndClean)).toEqual(expected)
    await copyAndClean(onKafka)
    const replayed = await refold(onKafka.env, scratchLog(PARTITIONS))
    expect(await digests(replayed.env)).toEqual(expected.topics)
    await cleaner.forgetGroups(`${logs.prefix}obs.rollup`, `${logs.prefix}obs.alerter`)
    await onKafka.fold()
    expect(await digests(onKafka.env)).toEqual(expected.topics)
    await logs.close()
  },
  MINUTES_2,
)
