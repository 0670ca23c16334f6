import { randomUUID } from 'node:crypto'
import type { EventLog, Offset, PartitionHandler, Progress } from '#lib/eventlog/port.ts'
import type { RecordBatch } from '#lib/eventlog/record-batch.ts'
import type { Instant } from '#lib/time.ts'
import { type TopicDefinition, topics } from '#lib/topics.ts'

/** One log for one test. */
export interface LogUnderTest {
  /** Another connection to the same log, as another process would have it. */
  open(): Promise<EventLog>
  /** Sets the clock that stamps appends; absent when the log cannot be told the time. */
  readonly setTime?: (now: Instant) => void
  /** Closes what the test has left open. */
  close(): Promise<void>
}

export interface LogAdapter {
  readonly name: string
  create(): Promise<LogUnderTest>
  /** What the adapter cannot do, with the reason: these tests show as skipped. */
  readonly lacks: { readonly [feature in 'manual time' | 'compaction on demand' | 'reopening']?: string }
}

/** Topics of a test's own, so that tests on one server do not meet. */
export function freshTopics() {
  const suffix = randomUUID()
  const named = (name: string, topic: TopicDefinition): TopicDefinition => ({
    ...topic,
    name: `test.${name}.${suffix}`,
  })
  return {
    plain: named('plain', { ...topics.sample, partitions: 'one' }),
    wide: named('wide', topics.sample),
    compacted: named('compacted', topics.plan),
    both: named('both', { ...topics.window, partitions: 'one' }),
  }
}

export const record = (key: string, value = `value of ${key}`) => ({ key: Buffer.from(key), value: Buffer.from(value) })
export const recordsOf = (keys: string) => keys.split(' ').map((key) => record(key))

/** `offset:key` of all records from an offset on, before another. */
export async function read(
  log: EventLog,
  topic: TopicDefinition,
  from: Offset,
  to: Offset,
  partition = 0,
): Promise<string> {
  const found: string[] = []
  for await (const batch of log.read(topic.name, partition, from, to)) found.push(...placesIn(batch, from, to))
  return found.join(' ')
}

export function placesIn(batch: RecordBatch, from = 0, to = Number.MAX_SAFE_INTEGER): string[] {
  return Array.from(batch.records())
    .filter(({ offset }) => offset >= from && offset < to)
    .map(({ offset, key }) => `${offset}:${key}`)
}

export async function endOf(log: EventLog, topic: TopicDefinition, partition = 0): Promise<Offset> {
  return (await log.offsets(topic.name))[partition]!.end
}

/** Progress of a fold that needs nothing before `offset`. */
export const progressAt = (offset: Offset): Progress => ({
  offset,
  mark: [offset],
  position: [offset, 1],
  floor: null,
  done: [offset - 1, 0],
  reached: 1_782_604_800_000,
})

/** Waits for what never comes. @throws the signal's reason */
export function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
}

/** A handler that writes down what happens to it and commits after each batch. */
export class Recorder implements PartitionHandler {
  /** `assigned 0 at 0`, `0:a 1:b`, `revoked 0`. */
  readonly events: string[] = []
  commits = true
  onBatch: (batch: RecordBatch, ours: AbortSignal) => Promise<void> = async () => {}
  readonly #signals = new Map<number, AbortSignal>()

  async assigned(partition: number, committed: Progress | null, signal: AbortSignal): Promise<Offset> {
    this.#signals.set(partition, signal)
    this.events.push(`assigned ${partition} at ${committed?.offset ?? 'none'}`)
    return committed?.offset ?? 0
  }

  async batch(partition: number, batch: RecordBatch): Promise<Progress | null> {
    this.events.push(`${partition}> ${placesIn(batch).join(' ')}`)
    await this.onBatch(batch, this.#signals.get(partition)!)
    return this.commits ? progressAt(batch.lastOffset + 1) : null
  }

  revoked(partition: number): void {
    this.events.push(`revoked ${partition}`)
  }
}
