import { beforeAll } from '@jest/globals'
import { BrokerLine } from '#lib/eventlog/kafka/connection.ts'
import { metadataRequest } from '#lib/eventlog/kafka/requests.ts'
import { eventually } from '#tests/support/eventually.ts'
import { kafkaMissing } from '#tests/support/kafka/provider.ts'
import { sharedKafka } from '#tests/support/kafka/shared.ts'
import { testNeeding } from '#tests/support/required.ts'
import { Line } from '#tools/kafka/line.ts'

const missing = kafkaMissing()
const ROUNDS = 20
const ASKED_AT_ONCE = 4
/** Of the event loop, in which a client notices that its connection has ended. */
const TURNS = 10
let port: number

if (missing === undefined)
  beforeAll(async () => {
    port = Number((await sharedKafka()).bootstrap.split(':')[1])
  }, 180_000)

testNeeding(
  missing,
  'a line that was lost is opened once for all who wait, and closed with all it has opened',
  async () => {
    const between = new Line(port)
    const at = await between.open()
    const line = new BrokerLine({ host: '127.0.0.1', port: at, clientId: 'obstream-test', connectTimeoutMs: 5_000 })
    const ask = () => line.send(() => metadataRequest([]))
    const answered = () =>
      ask().then(
        () => true,
        () => false,
      )
    try {
      for (let round = 0; round < ROUNDS; round++) {
        await eventually(answered)
        await between.shut()
        await between.open()
        for (let turn = 0; turn < TURNS; turn++) await new Promise(setImmediate)
        await Promise.allSettled(Array.from({ length: ASKED_AT_ONCE }, ask))
      }
      await eventually(answered)
      await eventually(() => between.connections === 1)
      line.close()
      await eventually(() => between.connections === 0)
    } finally {
      await between.shut()
    }
  },
)
