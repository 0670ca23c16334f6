import { randomUUID } from 'node:crypto'
import { beforeAll, beforeEach, describe, expect } from '@jest/globals'
import { exitCodes } from '#lib/errors.ts'
import { type Ended, runBin } from '#tests/support/bin.ts'
import { freshDesk, VALID_MAIN } from '#tests/support/desk.ts'
import { describeTopics, kafkaTool, kafkaToolsMissing } from '#tests/support/kafka/kafka-tools.ts'
import { kafkaMissing } from '#tests/support/kafka/provider.ts'
import { type SharedKafka, sharedKafka } from '#tests/support/kafka/shared.ts'
import { testNeeding } from '#tests/support/required.ts'

/** Topics as Kafka's own tools see and change them, and what the commands of obstream say and do about it. */

const missing = kafkaMissing() ?? kafkaToolsMissing()
const PARTITIONS = 4
const DAY_MS = 86_400_000
const MINUTE_MS = 60_000

let kafka: SharedKafka
let prefix: string
let cwd: string

if (missing === undefined) {
  beforeAll(async () => {
    kafka = await sharedKafka()
  }, 180_000)
  beforeEach(() => {
    prefix = randomUUID().slice(0, 8)
    cwd = freshDesk(
      `${VALID_MAIN}log: kafka://${kafka.bootstrap}/${prefix}\npartitions: ${PARTITIONS}
registry: {url: "${kafka.registryUrl}"}\npage: {bind: "127.0.0.1:0"}\n`,
    )
  })
}

const obstream = (...args: readonly string[]): Promise<Ended> => runBin([...args, '--json'], { cwd })
const described = () => describeTopics(kafka.bootstrap, `${prefix}[.].*`)

/** @param what flags of `kafka-topics`, respectively of `kafka-configs` */
const changeTopic = (topic: string, ...what: readonly string[]): Promise<string> =>
  kafkaTool('org.apache.kafka.tools.TopicCommand', [
    ...['--bootstrap-server', kafka.bootstrap, '--alter', '--topic', `${prefix}.${topic}`, ...what],
  ])
const changeSettings = (topic: string, settings: string): Promise<string> =>
  kafkaTool('kafka.admin.ConfigCommand', [
    ...['--bootstrap-server', kafka.bootstrap, '--alter', '--entity-type', 'topics'],
    ...['--entity-name', `${prefix}.${topic}`, '--add-config', settings],
  ])

/** What the product's contract says of a topic, in Kafka's words. */
const topic = (partitions: number, cleanup: string, days: number | null, maxBatchBytes = 1_048_576) => ({
  partitions,
  replication: 1,
  settings: {
    'cleanup.policy': cleanup,
    'retention.ms': String(days === null ? -1 : days * DAY_MS),
    'retention.bytes': '-1',
    'min.compaction.lag.ms': String(15 * DAY_MS),
    'max.message.bytes': String(maxBatchBytes),
    'message.timestamp.type': 'LogAppendTime',
    'min.insync.replicas': '1',
    'unclean.leader.election.enable': 'false',
  },
})

const contract = {
  'obs.sample.v1': topic(PARTITIONS, 'delete', 120),
  'obs.plan.v1': topic(1, 'compact', null),
  'obs.window.v1': topic(PARTITIONS, 'compact,delete', 400),
  'obs.breach.v1': topic(PARTITIONS, 'compact,delete', 400),
  'obs.alert.v1': topic(PARTITIONS, 'compact,delete', 400),
  'obs.report.v1': topic(1, 'compact,delete', 400),
  'obs.bundle.v1': topic(1, 'compact,delete', 400),
  'obs.delivery.v1': topic(PARTITIONS, 'delete', 400),
  'obs.command.v1': topic(1, 'delete', 400),
  'obs.run.v1': topic(1, 'delete', 400),
  'obs.portfolio.v1': topic(1, 'delete', 400),
  'obs.ev-state.v1': topic(1, 'delete', 400),
  'obs.slippage.v1': topic(1, 'delete', 400),
  'obs.job.v1': topic(1, 'delete', 400),
  'obs.dead-letter.v1': topic(1, 'delete', 120, 2_097_152),
}

const asKafkaNames = (topics: object): object =>
  Object.fromEntries(Object.entries(topics).map(([name, value]) => [`${prefix}.${name}`, value]))

testNeeding(
  missing,
  'apply creates the topics of the catalogue as the contract says; check agrees',
  async () => {
    const before = await obstream('topics', 'check')
    expect(before.code).toBe(exitCodes.badData)
    expect(JSON.parse(before.stdout).differences).toHaveLength(Object.keys(contract).length)
    expect(await obstream('topics', 'apply')).toMatchObject({ code: 0 })
    expect(await described()).toEqual(asKafkaNames(contract))
    expect(await obstream('topics', 'check')).toMatchObject({ code: 0 })
  },
  MINUTE_MS,
)

testNeeding(
  missing,
  'what others have changed is told by check, and put right by apply, but for the number of partitions',
  async () => {
    await obstream('topics', 'apply')
    await Promise.all([
      changeSettings('obs.sample.v1', 'retention.ms=604800000,message.timestamp.type=CreateTime,segment.ms=3600000'),
      changeSettings('obs.window.v1', 'cleanup.policy=[delete],min.compaction.lag.ms=0,min.insync.replicas=2'),
      changeTopic('obs.plan.v1', '--partitions', '3'),
    ])
    const partitions = { topic: 'obs.plan.v1', setting: 'partitions', expected: '1', actual: '3' }
    const differs = (topic: string, setting: string, expected: string, actual: string) => ({
      topic,
      setting,
      expected,
      actual,
    })
    const checked = await obstream('topics', 'check')
    expect(checked.code).toBe(exitCodes.badData)
    expect(JSON.parse(checked.stdout)).toEqual({
      status: 'different',
      differences: [
        differs('obs.sample.v1', 'retention.ms', '10368000000', '604800000'),
        differs('obs.sample.v1', 'message.timestamp.type', 'LogAppendTime', 'CreateTime'),
        partitions,
        differs('obs.window.v1', 'cleanup.policy', 'compact,delete', 'delete'),
        differs('obs.window.v1', 'min.compaction.lag.ms', '1296000000', '0'),
        differs('obs.window.v1', 'min.insync.replicas', '1', '2'),
      ],
    })

    const applied = await obstream('topics', 'apply')
    expect([applied.code, JSON.parse(applied.stdout).differences]).toEqual([exitCodes.badData, [partitions]])
    const { 'obs.sample.v1': sample, 'obs.plan.v1': plan } = contract
    expect(await described()).toEqual(
      asKafkaNames({
        ...contract,
        'obs.plan.v1': { ...plan, partitions: 3 },
        // What the contract does not speak of is left alone.
        'obs.sample.v1': { ...sample, settings: { ...sample.settings, 'segment.ms': '3600000' } },
      }),
    )
  },
  MINUTE_MS,
)

describe('a service does not start on topics with another number of partitions:', () => {
  if (missing === undefined)
    beforeEach(async () => {
      await obstream('topics', 'apply')
      await changeTopic('obs.window.v1', '--partitions', '5')
    }, MINUTE_MS)

  testNeeding(
    missing,
    'sampler, rollup, alerter, exporter, and all of them',
    async () => {
      const commands = ['sampler', 'rollup', 'alerter', 'exporter'].map((service) => ['serve', service])
      for (const command of [...commands, ['up'], ['latency']]) {
        const { code, stderr } = await obstream(...command)
        expect([command, code]).toEqual([command, exitCodes.badData])
        expect(stderr).toContain('OBS_LOG_TOPIC_DIFFERS')
        expect(stderr).toContain('obs.window.v1: partitions is 5, should be 4')
      }
      expect(Object.values(await described()).flatMap(({ partitions }) => (partitions === 5 ? [5] : []))).toEqual([5])
    },
    MINUTE_MS,
  )
})
