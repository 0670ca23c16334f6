import { afterAll, afterEach, beforeAll, beforeEach, describe, expect } from '@jest/globals'
import type { EventLog } from '#lib/eventlog/port.ts'
import { freshTopics, read, record, recordsOf } from '#tests/contract/eventlog-fixture.ts'
import { eventually } from '#tests/support/eventually.ts'
import { type FreshLog, freshLog } from '#tests/support/kafka/fresh-logs.ts'
import { PRODUCE, type ProxiedBroker, startProxiedBroker } from '#tests/support/kafka/proxied-broker.ts'
import { testNeeding } from '#tests/support/required.ts'
import { javaMissing } from '#tools/kafka/libraries.ts'

const missing = javaMissing()
const { plain } = freshTopics()
let broker: ProxiedBroker
let logs: FreshLog
let log: EventLog

if (missing === undefined) {
  beforeAll(async () => {
    broker = await startProxiedBroker()
  }, 180_000)
  afterAll(() => broker.stop())
  beforeEach(async () => {
    logs = freshLog(broker.bootstrap)
    log = await logs.open()
    await log.topics.apply([plain])
  })
  afterEach(() => logs.close())
}

const places = () => read(log, plain, 0, 100)

describe('an append', () => {
  testNeeding(missing, 'whose answer is cut off has an unknown outcome, and is sent once', async () => {
    await log.append(plain.name, 0, recordsOf('a'))
    broker.cutNextAnswer(PRODUCE)
    await expect(log.append(plain.name, 0, recordsOf('b c'))).rejects.toMatchObject({ code: 'OBS_LOG_OUTCOME_UNKNOWN' })
    expect((await log.append(plain.name, 0, recordsOf('d'))).baseOffset).toBe(3)
    expect(await places()).toBe('0:a 1:b 2:c 3:d')
  })

  testNeeding(missing, 'whose request is cut off has an unknown outcome too, and is not sent again', async () => {
    broker.cutNextRequest(PRODUCE)
    await expect(log.append(plain.name, 0, recordsOf('a'))).rejects.toMatchObject({ code: 'OBS_LOG_OUTCOME_UNKNOWN' })
    expect((await log.append(plain.name, 0, recordsOf('b'))).baseOffset).toBe(0)
    expect(await places()).toBe('0:b')
  })

  testNeeding(
    missing,
    'of unknown outcome does not hold up those asked for after it, nor change their order',
    async () => {
      broker.cutNextAnswer(PRODUCE)
      const outcomes = await Promise.allSettled(
        ['a', 'b', 'c', 'd'].map((key) => log.append(plain.name, 0, recordsOf(key))),
      )
      expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled', 'fulfilled'])
      expect(await places()).toBe('0:a 1:b 2:c 3:d')
    },
  )

  testNeeding(missing, 'that cannot be sent waits for the broker, and lands when it is back', async () => {
    await broker.shut()
    const appended = log.append(plain.name, 0, recordsOf('a'))
    await broker.open()
    expect((await appended).baseOffset).toBe(0)
    expect(await places()).toBe('0:a')
  })

  testNeeding(
    missing,
    'that cannot be sent for long says that it certainly did not land',
    async () => {
      await broker.shut()
      const before = broker.requests(PRODUCE)
      await expect(log.append(plain.name, 0, [record('a')])).rejects.toMatchObject({ code: 'OBS_LOG_UNAVAILABLE' })
      await broker.open()
      expect(broker.requests(PRODUCE)).toBe(before)
      await eventually(async () => (await places()) === '')
    },
    60_000,
  )
})
