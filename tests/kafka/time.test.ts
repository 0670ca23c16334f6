import { afterEach, beforeAll, expect } from '@jest/globals'
import { freshTopics, record, recordsOf } from '#tests/contract/eventlog-fixture.ts'
import { eventually } from '#tests/support/eventually.ts'
import { type FreshLog, freshLog } from '#tests/support/kafka/fresh-logs.ts'
import { kafkaMissing } from '#tests/support/kafka/provider.ts'
import { sharedKafka } from '#tests/support/kafka/shared.ts'
import { testNeeding } from '#tests/support/required.ts'

const missing = kafkaMissing()
const { plain, wide } = freshTopics()
let bootstrap: string
let logs: FreshLog

if (missing === undefined)
  beforeAll(async () => {
    bootstrap = (await sharedKafka()).bootstrap
  }, 180_000)
afterEach(() => logs?.close())

testNeeding(missing, 'the first offset appended at or after an instant is found, in every partition', async () => {
  logs = freshLog([bootstrap])
  const log = await logs.open()
  await log.topics.apply([wide])
  const first = await log.append(wide.name, 1, recordsOf('a b'))
  await eventually(() => Date.now() > first.appendedAtMs + 1)
  const second = await log.append(wide.name, 1, recordsOf('c'))
  const atOrAfter = async (at: number) => (await log.offsets(wide.name, at)).map((place) => place.atOrAfter)
  expect(await atOrAfter(0)).toEqual([0, 0, 0])
  expect(await atOrAfter(first.appendedAtMs)).toEqual([0, 0, 0])
  expect(await atOrAfter(first.appendedAtMs + 1)).toEqual([0, 2, 0])
  expect(await atOrAfter(second.appendedAtMs)).toEqual([0, 2, 0])
  expect(await atOrAfter(second.appendedAtMs + 1)).toEqual([0, 3, 0])
})

testNeeding(missing, 'brokers, not the clock of whoever appends, say when a batch was taken', async () => {
  logs = freshLog([bootstrap])
  const inTheFuture = { now: () => 4_000_000_000_000, monotonicMs: () => 0, sleep: async () => {} }
  const log = await logs.open({ clock: inTheFuture })
  await log.topics.apply([plain])
  const { appendedAtMs } = await log.append(plain.name, 0, [record('a')])
  expect(Math.abs(appendedAtMs - Date.now())).toBeLessThan(60_000)
  const [batch] = await Array.fromAsync(log.read(plain.name, 0, 0, 1))
  expect(batch!.appendedAtMs).toBe(appendedAtMs)
})
