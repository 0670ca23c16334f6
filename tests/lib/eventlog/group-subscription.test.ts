import { expect, test } from '@jest/globals'
import { GroupSubscription } from '#lib/eventlog/group-subscription.ts'
import type { Progress } from '#lib/eventlog/port.ts'
import { decodeBatch, encodeBatch, type RecordBatch } from '#lib/eventlog/record-batch.ts'
import { eventually } from '#tests/support/eventually.ts'

const batchAt = (baseOffset: number): RecordBatch =>
  decodeBatch(encodeBatch([{ key: Buffer.from('k'), value: Buffer.from('v') }], { baseOffset, appendedAtMs: 0 }))

const progressTo = (position: number): Progress => ({
  offset: position,
  mark: [position],
  position: [position],
  floor: null,
  done: null,
  reached: null,
})

/** A topic whose batches come in chunks, each at hand as a whole; the next one is read when the test says so. */
class Chunks {
  readonly events: string[] = []
  readonly gates = Array.from({ length: 3 }, () => Promise.withResolvers<void>())
  readonly #chunkSize: number

  constructor(chunkSize: number) {
    this.#chunkSize = chunkSize
  }

  subscribe(handle: (batch: RecordBatch) => Promise<Progress | null>): GroupSubscription {
    return new GroupSubscription(
      {
        partitions: 1,
        committed: () => null,
        commit: async (_, { offset }) => void this.events.push(`commit ${offset}`),
        follow: (_, __, signal) => this.#follow(signal),
        release: () => {},
      },
      {
        assigned: async () => 0,
        batch: async (_, batch) => {
          this.events.push(`batch ${batch.baseOffset}`)
          return await handle(batch)
        },
        revoked: () => {},
      },
    )
  }

  async *#follow(signal: AbortSignal): AsyncGenerator<RecordBatch> {
    const aborted = new Promise((resolve) => signal.addEventListener('abort', resolve))
    for (const [chunk, gate] of this.gates.entries()) {
      await Promise.race([gate.promise, aborted])
      for (let i = 0; i < this.#chunkSize && !signal.aborted; i++) yield batchAt(chunk * this.#chunkSize + i)
    }
  }
}

test('of batches that are at hand together only the last one is committed, and at once', async () => {
  const chunks = new Chunks(3)
  const subscription = chunks.subscribe(async ({ lastOffset }) => progressTo(lastOffset + 1))
  chunks.gates[0]!.resolve()
  await eventually(() => chunks.events.includes('commit 3'))
  chunks.gates[1]!.resolve()
  await eventually(() => chunks.events.includes('commit 6'))
  await subscription.stop()
  expect(chunks.events).toEqual([
    ...['batch 0', 'batch 1', 'batch 2', 'commit 3'],
    ...['batch 3', 'batch 4', 'batch 5', 'commit 6'],
  ])
})

test('the last batch at hand brings the commit of an earlier one, when it has no progress of its own', async () => {
  const chunks = new Chunks(2)
  const subscription = chunks.subscribe(async ({ baseOffset }) => (baseOffset === 0 ? progressTo(1) : null))
  chunks.gates[0]!.resolve()
  await eventually(() => chunks.events.length === 3)
  await subscription.stop()
  expect(chunks.events).toEqual(['batch 0', 'batch 1', 'commit 1'])
})

test('a stop commits what has been handled and leaves the batch that is at hand', async () => {
  const chunks = new Chunks(2)
  const handled = Promise.withResolvers<void>()
  const subscription = chunks.subscribe(async () => {
    await handled.promise
    return progressTo(1)
  })
  chunks.gates[0]!.resolve()
  await eventually(() => chunks.events.length === 1)
  const stopped = subscription.stop()
  handled.resolve()
  await stopped
  expect(chunks.events).toEqual(['batch 0', 'commit 1'])
})
