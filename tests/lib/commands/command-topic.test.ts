import { beforeEach, expect, test } from '@jest/globals'
import { openCodec, type TopicCodec } from '#lib/codec/avro.ts'
import { CommandTopic } from '#lib/commands/command-topic.ts'
import { openMemoryLog } from '#lib/eventlog/memory.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import type { CommandFact } from '#lib/facts.ts'
import { openEmbeddedRegistry } from '#lib/registry/embedded.ts'
import { catalogue, topics } from '#lib/topics.ts'
import { type Fate, FaultyLog } from '#tests/support/faulty-log.ts'
import { ManualClock } from '#tests/support/manual-clock.ts'

let log: EventLog
let codec: TopicCodec<CommandFact>

beforeEach(async () => {
  const opened = openMemoryLog({ clock: new ManualClock(0), partitions: 1 })
  await opened.topics.apply(catalogue)
  log = opened
  codec = await openCodec(topics.command, openEmbeddedRegistry(opened.schemas))
})

const ack = (alertId: string, by = 'ann'): CommandFact => ({ type: 'ack', alertId, at: 5, by, reason: 'r' })
const onLog = async (): Promise<number> => (await log.offsets(topics.command.name))[0]!.end

/** A view of the log whose first appends fail. */
function failing(...fates: readonly Fate[]): EventLog {
  const left = [...fates]
  const faults = { append: () => left.shift() ?? 'ok', losesCommit: () => false }
  return new FaultyLog(log, { commits: new Map(), late: [] }, faults).log
}

test('what one process says, another hears', async () => {
  const reader = new CommandTopic(log, codec)
  expect((await reader.standing()).acknowledgementOf('a')).toBeNull()
  await new CommandTopic(log, codec).append('1', ack('a'))
  expect((await reader.standing()).acknowledgementOf('a')).toMatchObject({ commandId: '1', by: 'ann' })
  await new CommandTopic(log, codec).append('2', ack('b'))
  expect((await reader.standing()).acknowledgementOf('b')).toMatchObject({ commandId: '2' })
})

test('not knowing whether it landed, it says the same again, and the first counts', async () => {
  const topic = new CommandTopic(failing('answer lost', 'late'), codec)
  await topic.append('1', ack('a'))
  expect(await onLog()).toBe(2)
  expect((await topic.standing()).acknowledgementOf('a')).toMatchObject({ commandId: '1' })
})

test('when that stays so, it says so', async () => {
  const topic = new CommandTopic(failing('late', 'answer lost', 'late'), codec)
  await expect(topic.append('1', ack('a'))).rejects.toMatchObject({ code: 'OBS_LOG_OUTCOME_UNKNOWN' })
})

test('what was refused is not said again by itself', async () => {
  await expect(new CommandTopic(failing('refused'), codec).append('1', ack('a'))).rejects.toMatchObject({
    code: 'OBS_LOG_BUSY',
  })
  expect(await onLog()).toBe(0)
})

test('a command that does not fit its schema is not recorded', async () => {
  const misfit = { ...ack('a'), reason: null } as unknown as CommandFact
  await expect(new CommandTopic(log, codec).append('1', misfit)).rejects.toMatchObject({ code: 'OBS_RECORD_INVALID' })
  expect(await onLog()).toBe(0)
})

test('a record that is bad in itself is left out', async () => {
  await log.append(topics.command.name, 0, [
    { key: Buffer.from('x'), value: Buffer.from('{}') },
    { key: Buffer.from('1'), value: codec.encode(ack('a')) },
  ])
  expect((await new CommandTopic(log, codec).standing()).acknowledgementOf('a')).toMatchObject({ commandId: '1' })
})

test('many who ask at once read each record once', async () => {
  for (let i = 0; i < 50; i++) await new CommandTopic(log, codec).append(String(i), ack(`alert-${i}`))
  let decoded = 0
  const counting: TopicCodec<CommandFact> = {
    ...{ topic: codec.topic, schemaId: codec.schemaId },
    encode: (value) => codec.encode(value),
    decode: (bytes) => {
      decoded++
      return codec.decode(bytes)
    },
    learn: (id, signal) => codec.learn(id, signal),
    isCurrent: (id) => codec.isCurrent(id),
  }
  const topic = new CommandTopic(log, counting)
  const all = await Promise.all(Array.from({ length: 20 }, () => topic.standing()))
  expect([new Set(all).size, decoded]).toEqual([1, 50])
  expect(all[0]!.acknowledgementOf('alert-49')).not.toBeNull()
})

test('after stop nobody reads on', async () => {
  const topic = new CommandTopic(log, codec)
  await topic.append('1', ack('a'))
  topic.stop()
  await expect(topic.standing()).rejects.toMatchObject({ code: 'OBS_LOG_UNAVAILABLE' })
})
