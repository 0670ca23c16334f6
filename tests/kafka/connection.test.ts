import { afterEach, beforeAll, beforeEach, expect } from '@jest/globals'
import { BrokerLine } from '#lib/eventlog/kafka/connection.ts'
import { metadataRequest } from '#lib/eventlog/kafka/requests.ts'
import { eventually } from '#tests/support/eventually.ts'
import { kafkaMissing } from '#tests/support/kafka/provider.ts'
import { sharedKafka } from '#tests/support/kafka/shared.ts'
import { testNeeding } from '#tests/support/required.ts'
import { Line, requestKinds } from '#tools/kafka/line.ts'

const missing = kafkaMissing()
const ROUNDS = 20
const ASKED_AT_ONCE = 4
/** Of the event loop, in which a client notices that its connection has ended. */
const TURNS = 10
let port: number
let between: Line
let line: BrokerLine

if (missing === undefined)
  beforeAll(async () => {
    port = Number((await sharedKafka()).bootstrap.split(':')[1])
  }, 180_000)

if (missing === undefined) {
  beforeEach(async () => {
    between = new Line(port)
    const at = await between.open()
    line = new BrokerLine({ host: '127.0.0.1', port: at, clientId: 'obstream-test', connectTimeoutMs: 5_000 })
  })
  afterEach(async () => {
    line.close()
    await between.shut()
  })
}

const ask = (answerMs?: number) => line.send(() => metadataRequest([]), 0, answerMs)

const answered = () =>
  ask().then(
    () => true,
    () => false,
  )

testNeeding(
  missing,
  'a line that was lost is opened once for all who wait, and closed with all it has opened',
  async () => {
    for (let round = 0; round < ROUNDS; round++) {
      await eventually(answered)
      await between.shut()
      await between.open()
      for (let turn = 0; turn < TURNS; turn++) await new Promise(setImmediate)
      await Promise.allSettled(Array.from({ length: ASKED_AT_ONCE }, () => ask()))
    }
    await eventually(answered)
    await eventually(() => between.connections === 1)
    line.close()
    await eventually(() => between.connections === 0)
  },
)

testNeeding(missing, 'a line on which no answer comes is given up, and the next request has a new one', async () => {
  await ask()
  between.cutNext({ kind: requestKinds.metadata, loses: 'everything' })
  await expect(ask(500)).rejects.toThrow('no answer to Metadata within 500 ms')
  expect((await ask()).brokers).not.toEqual([])
  await eventually(() => between.connections === 1)
})
