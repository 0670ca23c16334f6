import { sha256Hex } from '#lib/codec/sha256.ts'
import { isObstreamError } from '#lib/errors.ts'
import type { LogRecord, Offset } from '#lib/eventlog/port.ts'
import type { Probe } from '#lib/facts.ts'
import { partitionOf } from '#lib/partitioner.ts'
import { codecOf, type Environment } from '#lib/runtime/environment.ts'
import { topics } from '#lib/topics.ts'
import { THRESHOLD_MS } from './desk.ts'
import type { ObservedRecord } from './observer.ts'

const WRITE_EVERY_MS = 250

/**
 * Somebody else who writes samples, which anybody may: one source in each partition. A sample is appended until it is
 * acknowledged, and then it must stay where it was acknowledged to be.
 */
export class Writer {
  readonly acknowledged: ObservedRecord[] = []
  readonly #env: Environment
  readonly #stopping = new AbortController()
  readonly #ended: Promise<unknown>

  /** Starts at once. */
  constructor(env: Environment) {
    this.#env = env
    this.#ended = Promise.all(sourcesByPartition(env.config.partitions).map((source) => this.#write(source)))
    this.#ended.catch(() => {})
  }

  /** Ends when the last sample of each source is acknowledged. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#ended
  }

  async #write(source: string): Promise<void> {
    const codec = codecOf(this.#env, topics.sample)
    const partition = partitionOf(source, this.#env.config.partitions)
    while (!this.#stopping.signal.aborted) {
      const value = codec.encode(sampleAt(Date.now()))
      const offset = await this.#appendUntilAcknowledged(partition, { key: Buffer.from(source), value })
      this.acknowledged.push({ topic: topics.sample.name, partition, offset, key: source, sha256: sha256Hex(value) })
      await this.#env.clock.sleep(WRITE_EVERY_MS, this.#stopping.signal)
    }
  }

  async #appendUntilAcknowledged(partition: number, record: LogRecord): Promise<Offset> {
    for (;;)
      try {
        return (await this.#env.log.append(topics.sample.name, partition, [record])).baseOffset
      } catch (error) {
        if (!isObstreamError(error) || !error.retryable) throw error
      }
  }
}

/** A name for each partition whose samples go there. */
function sourcesByPartition(partitions: number): readonly string[] {
  const names = new Map<number, string>()
  for (let i = 0; names.size < partitions; i++) names.set(partitionOf(`writer_${i}`, partitions), `writer_${i}`)
  return [...names.values()]
}

/** Its own instant says how fast it was. */
function sampleAt(at: number): Probe {
  return {
    type: 'probe',
    outcome: 'ok',
    scheduledAt: at,
    ordinal: 0,
    latencyMs: at % (2 * THRESHOLD_MS),
    measuredAt: at,
    lagMs: null,
    errorCode: null,
  }
}
