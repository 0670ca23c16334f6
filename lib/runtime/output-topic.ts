import type { Cause } from '#lib/cause.ts'
import { compareCauses } from '#lib/cause.ts'
import { ObstreamError } from '#lib/errors.ts'
import type { EventLog, LogRecord } from '#lib/eventlog/port.ts'
import type { BatchRecord } from '#lib/eventlog/record-batch.ts'
import type { FoldOutput } from './define-service.ts'
import { type Ask, RecallIndex } from './recall-index.ts'
import type { DirectInput } from './record-headers.ts'
import { derivedHeaders } from './record-headers.ts'

/** Half of what a batch may be, so that headers and framing always fit. */
const MAX_APPEND_BYTES = 524_288
const MAX_APPEND_RECORDS = 1_000

/** What a fold says in one partition of one topic: in order, each cause once as far as this owner can know. */
export class OutputTopic {
  readonly #log: EventLog
  readonly #topic: string
  readonly #partition: number
  readonly #recallIndex: RecallIndex
  #newest: Cause | null
  #pending: { readonly record: LogRecord; readonly cause: Cause }[] = []

  /** @param newest cause of the last record of the partition: everything up to it has been said */
  constructor(log: EventLog, topic: string, partition: number, newest: Cause | null) {
    this.#log = log
    this.#topic = topic
    this.#partition = partition
    this.#newest = newest
    this.#recallIndex = new RecallIndex(log, topic, partition)
  }

  /** Keeps a record for `write`, unless it has been said before. */
  say(key: string, encode: () => Buffer, cause: Cause, input: DirectInput): void {
    if (this.#newest !== null && compareCauses(cause, this.#newest) <= 0) return
    this.#pending.push({
      record: { key: Buffer.from(key), value: encode(), headers: derivedHeaders(cause, input) },
      cause,
    })
  }

  /** Appends what is pending, one request after the other; a request may end anywhere, the next owner goes on there. */
  async write(): Promise<void> {
    const pending = this.#pending
    this.#pending = []
    for (let from = 0; from < pending.length; ) {
      const to = endOfChunk(pending, from)
      const chunk = pending.slice(from, to)
      await this.#log.append(
        this.#topic,
        this.#partition,
        chunk.map(({ record }) => record),
      )
      this.#newest = chunk.at(-1)!.cause
      from = to
    }
  }

  /** The newest saying about each name before a cause; see `RecallIndex`. */
  recall(asks: readonly Ask[], before: Cause): Promise<ReadonlyMap<string, BatchRecord>> {
    return this.#recallIndex.newestOf(asks, before)
  }
}

function endOfChunk(pending: readonly { readonly record: LogRecord }[], from: number): number {
  let to = from
  for (let sizeBytes = 0; to < pending.length && to - from < MAX_APPEND_RECORDS; to++) {
    const { key, value } = pending[to]!.record
    sizeBytes += key.length + value.length
    if (to > from && sizeBytes > MAX_APPEND_BYTES) break
  }
  return to
}

/**
 * The outputs of one input in the order in which they are numbered: by topic, then by the bytes of the key. So neither
 * the order of a map nor a restart can change an index.
 */
export function orderedOutputs(outputs: readonly FoldOutput[]): readonly FoldOutput[] {
  if (outputs.length === 1) return outputs
  const sorted = outputs.toSorted(
    (a, b) =>
      Buffer.compare(Buffer.from(a.topic.name), Buffer.from(b.topic.name)) ||
      Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)),
  )
  for (let i = 1; i < sorted.length; i++) {
    const [before, output] = [sorted[i - 1]!, sorted[i]!]
    if (before.topic === output.topic && before.key === output.key)
      throw new ObstreamError(
        'OBS_RUNTIME_UNEXPECTED',
        `one input brought two records ${output.key} on ${output.topic.name}`,
      )
  }
  return sorted
}
