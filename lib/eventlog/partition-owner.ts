import { setImmediate as turnOfTheLoop } from 'node:timers/promises'
import type { Offset, PartitionHandler, Progress } from './port.ts'
import type { RecordBatch } from './record-batch.ts'

/** One partition of a group's topic, for as long as it is ours. */
export interface OwnedPartition {
  readonly partition: number
  committed(): Promise<Progress | null>
  commit(progress: Progress): Promise<void>
  follow(from: Offset, signal: AbortSignal): AsyncIterable<RecordBatch>
}

/** Feeds a handler with a partition until `signal` aborts or anything fails; then the handler knows that it is revoked. */
export async function ownPartition(
  owned: OwnedPartition,
  handler: PartitionHandler,
  signal: AbortSignal,
): Promise<void> {
  await turnOfTheLoop()
  if (signal.aborted) return
  try {
    const from = await handler.assigned(owned.partition, await owned.committed(), signal)
    try {
      await feed(owned, handler, { from, signal })
    } finally {
      handler.revoked(owned.partition)
    }
  } catch (error) {
    if (error !== signal.reason) throw error // a handler that waited and was told to leave
  }
}

async function feed(
  owned: OwnedPartition,
  handler: PartitionHandler,
  { from, signal }: { readonly from: Offset; readonly signal: AbortSignal },
): Promise<void> {
  let uncommitted: Progress | null = null
  for await (const { batch, isLast } of lookAhead(owned.follow(from, signal))) {
    if (signal.aborted) break
    uncommitted = (await handler.batch(owned.partition, batch)) ?? uncommitted
    if (!uncommitted || !isLast) continue
    await owned.commit(uncommitted)
    uncommitted = null
  }
  if (uncommitted) await owned.commit(uncommitted)
}

/**
 * Each batch, and whether it is the last one at hand. Only then a commit is worth its way to the disk: one that is left out costs a
 * restart some reading, and nothing else.
 *
 * `batches` is read ahead by one and not told when the reader leaves; its signal ends it.
 */
async function* lookAhead(
  batches: AsyncIterable<RecordBatch>,
): AsyncGenerator<{ readonly batch: RecordBatch; readonly isLast: boolean }> {
  const iterator = batches[Symbol.asyncIterator]()
  for (let next = iterator.next(); ; ) {
    const { value: batch, done } = await next
    if (done) return
    let isLast = true
    const arrived = (): void => {
      isLast = false
    }
    next = iterator.next()
    next.then(arrived, arrived)
    await turnOfTheLoop()
    yield { batch, isLast }
  }
}
