import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Kafka, logLevel } from 'kafkajs'
import { topics } from '#lib/topics.ts'
import { theCheckerFindsWhatIsPlanted } from '#tests/e2e/planted-faults.contract.ts'
import { eventually } from '#tests/support/eventually.ts'
import { testNeeding } from '#tests/support/required.ts'
import { javaMissing } from '#tools/kafka/libraries.ts'
import { admitKafkaPatient, type KafkaPatient } from '../../bench/faults/kafka-patient.ts'
import { Life } from '../../bench/faults/life.ts'
import { deleteFiles, type FaultsReport, runFaults } from '../../bench/faults/run-faults.ts'

/** `npm run faults -- --log kafka --brokers 1` in small: everything is hurt once. */

const HURTS = 7
const MINUTES_5 = 300_000
const missing = javaMissing()
const seed = Number(process.env['OBS_FAULTS_SEED'] ?? Math.floor(Math.random() * 2 ** 32))

let patient: KafkaPatient
let report: FaultsReport

if (missing === undefined) {
  beforeAll(async () => {
    report = await runFaults({
      admit: async (bed) => {
        patient = await admitKafkaPatient(bed, 1)
        return patient
      },
      partitions: 4,
      hurts: HURTS,
      seed,
    })
  }, MINUTES_5)

  afterAll(async () => {
    await patient.close()
    deleteFiles(report)
  }, MINUTES_5)
}

testNeeding(
  missing,
  'services, broker, registry and connections are hurt, and nothing is lost, doubled or changed',
  () => {
    expect({ seed, faults: report.faults }).toEqual({ seed, faults: [] })
    expect(report.hurts.size).toBe(HURTS)
  },
)

testNeeding(
  missing,
  'there was something to lose: samples, windows, alerts, jobs, messages, and a reader that watched',
  () => {
    const { counts, messages, refoldedEqual } = report.checked
    for (const topic of [topics.sample, topics.window, topics.alert, topics.job])
      expect(counts[topic.name]).toBeGreaterThan(0)
    expect(messages).toBeGreaterThan(0)
    for (const many of [refoldedEqual, report.observed, report.rows]) expect(many).toBeGreaterThan(HURTS)
  },
)

if (missing === undefined) {
  theCheckerFindsWhatIsPlanted(() => report)

  describe('a topic that is deleted and created anew', () => {
    /** The log is lost after this; what the checker was put to the test with was a copy. */
    test('stops who uses it, and who comes later', async () => {
      const admin = new Kafka({ brokers: [...patient.cluster.bootstrap], logLevel: logLevel.NOTHING }).admin()
      await admin.connect()
      const { name } = topics.sample
      const partitions = (await admin.fetchTopicOffsets(name)).length
      const lives = ['sampler', 'rollup', 'exporter'].map((service) => new Life([...patient.flags, 'serve', service]))
      await Promise.all(lives.map(({ runs }) => runs))
      await admin.deleteTopics({ topics: [name] })
      await eventually(async () => !(await admin.listTopics()).includes(name), 30_000)
      await admin.createTopics({ topics: [{ topic: name, numPartitions: partitions }] })
      await admin.disconnect()
      for (const { ended } of lives) expect(await ended).toMatchObject(historyChanged)
      expect(await new Life([...patient.flags, 'serve', 'rollup']).ended).toMatchObject(historyChanged)
    }, 120_000)
  })
}

const historyChanged = { code: 65, stderr: expect.stringContaining('OBS_LOG_HISTORY_CHANGED') }
