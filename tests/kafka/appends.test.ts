import { afterAll, afterEach, beforeAll, beforeEach, describe, expect } from '@jest/globals'
import { ConfigResourceTypes, Kafka, logLevel } from 'kafkajs'
import { settingsOf, type TopicSettings } from '#lib/eventlog/kafka/topic-settings.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import { freshTopics, read, record, recordsOf } from '#tests/contract/eventlog-fixture.ts'
import { eventually } from '#tests/support/eventually.ts'
import { type FreshLog, freshLog } from '#tests/support/kafka/fresh-logs.ts'
import { testNeeding } from '#tests/support/required.ts'
import { type CutCluster, startCutCluster } from '#tools/kafka/cut-cluster.ts'
import { javaMissing } from '#tools/kafka/libraries.ts'
import { type Line, requestKinds } from '#tools/kafka/line.ts'

const missing = javaMissing()
const { produce } = requestKinds
const { plain } = freshTopics()
let cluster: CutCluster
let line: Line
let logs: FreshLog
let log: EventLog

if (missing === undefined) {
  beforeAll(async () => {
    cluster = await startCutCluster(1)
    line = cluster.line(1)
  }, 180_000)
  afterAll(() => cluster.stop())
  beforeEach(async () => {
    logs = freshLog(cluster.bootstrap)
    log = await logs.open()
    await log.topics.apply([plain])
  })
  afterEach(() => logs.close())
}

async function setTopic(settings: TopicSettings): Promise<void> {
  const admin = new Kafka({ brokers: [...cluster.bootstrap], logLevel: logLevel.NOTHING }).admin()
  const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }))
  const name = `${logs.prefix}${plain.name}`
  await admin.connect()
  await admin.alterConfigs({
    validateOnly: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name, configEntries }],
  })
  await admin.disconnect()
}

const places = () => read(log, plain, 0, 100)

describe('an append', () => {
  testNeeding(missing, 'whose answer is cut off has an unknown outcome, and is sent once', async () => {
    await log.append(plain.name, 0, recordsOf('a'))
    line.cutNext({ kind: produce, loses: 'answer' })
    await expect(log.append(plain.name, 0, recordsOf('b c'))).rejects.toMatchObject({ code: 'OBS_LOG_OUTCOME_UNKNOWN' })
    expect((await log.append(plain.name, 0, recordsOf('d'))).baseOffset).toBe(3)
    expect(await places()).toBe('0:a 1:b 2:c 3:d')
  })

  testNeeding(missing, 'whose request is cut off has an unknown outcome too, and is not sent again', async () => {
    line.cutNext({ kind: produce, loses: 'request' })
    await expect(log.append(plain.name, 0, recordsOf('a'))).rejects.toMatchObject({ code: 'OBS_LOG_OUTCOME_UNKNOWN' })
    expect((await log.append(plain.name, 0, recordsOf('b'))).baseOffset).toBe(0)
    expect(await places()).toBe('0:b')
  })

  testNeeding(missing, 'that lands late lands behind those that were asked for after it', async () => {
    line.cutNext({ kind: produce, loses: 'late' })
    await expect(log.append(plain.name, 0, recordsOf('a'))).rejects.toMatchObject({ code: 'OBS_LOG_OUTCOME_UNKNOWN' })
    expect((await log.append(plain.name, 0, recordsOf('b'))).baseOffset).toBe(0)
    await eventually(async () => (await places()) === '0:b 1:a')
  })

  testNeeding(
    missing,
    'of unknown outcome does not hold up those asked for after it, nor change their order',
    async () => {
      line.cutNext({ kind: produce, loses: 'answer' })
      const outcomes = await Promise.allSettled(
        ['a', 'b', 'c', 'd'].map((key) => log.append(plain.name, 0, recordsOf(key))),
      )
      expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled', 'fulfilled'])
      expect(await places()).toBe('0:a 1:b 2:c 3:d')
    },
  )

  testNeeding(missing, 'that the broker refuses before it writes has certainly not landed', async () => {
    const accepted: string[] = []
    let count = 0
    const append = async (): Promise<string> => {
      const key = `k${count++}`
      try {
        const { baseOffset } = await log.append(plain.name, 0, [record(key, 'v'.repeat(5_000))])
        accepted.push(`${baseOffset}:${key}`)
        return 'landed'
      } catch (error) {
        return `${error}`
      }
    }
    const says = async (settings: TopicSettings, what: RegExp): Promise<void> => {
      await setTopic({ ...settingsOf(plain, 1), ...settings })
      await eventually(async () => what.test(await append()))
    }
    await says({ 'max.message.bytes': '1000' }, /Kafka answers 10.*nothing was appended/)
    await says({}, /landed/)
    expect(await places()).toBe(accepted.join(' '))
  })

  testNeeding(missing, 'that cannot be sent waits for the broker, and lands when it is back', async () => {
    await line.shut()
    const appended = log.append(plain.name, 0, recordsOf('a'))
    await line.open()
    expect((await appended).baseOffset).toBe(0)
    expect(await places()).toBe('0:a')
  })

  testNeeding(
    missing,
    'that cannot be sent for long says that it certainly did not land',
    async () => {
      await line.shut()
      const before = line.requests(produce)
      await expect(log.append(plain.name, 0, [record('a')])).rejects.toMatchObject({ code: 'OBS_LOG_UNAVAILABLE' })
      await line.open()
      expect(line.requests(produce)).toBe(before)
      await eventually(async () => (await places()) === '')
    },
    60_000,
  )
})
