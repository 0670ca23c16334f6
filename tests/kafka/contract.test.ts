import { beforeAll } from '@jest/globals'
import { eventLogContract } from '#tests/contract/eventlog.contract.ts'
import { freshLog } from '#tests/support/kafka/fresh-logs.ts'
import { kafkaMissing } from '#tests/support/kafka/provider.ts'
import { sharedKafka } from '#tests/support/kafka/shared.ts'
import { testNeeding } from '#tests/support/required.ts'

const missing = kafkaMissing()
let bootstrap: string

if (missing !== undefined) testNeeding(missing, 'what every event log promises', () => {})
else {
  beforeAll(async () => {
    bootstrap = (await sharedKafka()).bootstrap
  }, 180_000)
  eventLogContract({
    name: 'kafka',
    lacks: {
      'manual time': 'brokers stamp appends with their own clock; tests/kafka/time.test.ts asks in real time',
      'compaction on demand': 'brokers compact in their own time; tests/kafka/compaction.test.ts waits for them',
    },
    create: async () => freshLog([bootstrap]),
  })
}
