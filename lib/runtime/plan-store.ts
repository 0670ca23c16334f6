import type { TopicCodec } from '#lib/codec/avro.ts'
import { parsePlan } from '#lib/codec/plan-json.ts'
import { sha256Hex } from '#lib/codec/sha256.ts'
import { isObstreamError } from '#lib/errors.ts'
import type { EventLog, Offset } from '#lib/eventlog/port.ts'
import type { RecordBatch } from '#lib/eventlog/record-batch.ts'
import type { PlanRecord } from '#lib/facts.ts'
import type { Plan } from '#lib/plan.ts'
import { topics } from '#lib/topics.ts'
import { decodeOwn } from './own-records.ts'

/**
 * The plans of `obs.plan.v1` by their hash. A hash never changes its meaning, so plans may be looked up at any time
 * without a fold becoming dependent on a second stream.
 */
export class PlanStore {
  readonly #log: EventLog
  readonly #codec: TopicCodec<PlanRecord>
  readonly #plans = new Map<string, Plan>()
  #next: Offset = 0

  constructor(log: EventLog, codec: TopicCodec<PlanRecord>) {
    this.#log = log
    this.#codec = codec
  }

  /** The plan, if it has been read already. */
  get(hash: string): Plan | undefined {
    return this.#plans.get(hash)
  }

  /**
   * Waits until the plan can be read: a tick never comes before its plan, but the plan may be slow to be seen.
   *
   * @returns `undefined` only when `signal` aborts
   */
  async wait(hash: string, signal: AbortSignal): Promise<Plan | undefined> {
    await this.#readNew(signal)
    const known = this.#plans.get(hash)
    if (known) return known
    for await (const batch of this.#log.follow(topics.plan.name, 0, this.#next, signal)) {
      await this.#take(batch, signal)
      const plan = this.#plans.get(hash)
      if (plan) return plan
    }
    return undefined
  }

  async #readNew(signal: AbortSignal): Promise<void> {
    const [place] = await this.#log.offsets(topics.plan.name)
    const from = Math.max(this.#next, place!.earliest)
    for await (const batch of this.#log.read(topics.plan.name, 0, from, place!.end)) await this.#take(batch, signal)
    this.#next = place!.end
  }

  /** A record that is not what its key says is no plan; who needs that hash goes on waiting for the true one. */
  async #take(batch: RecordBatch, signal: AbortSignal): Promise<void> {
    for (const { key, value } of batch.records())
      try {
        if (!value) continue
        const { canonicalJson } = await decodeOwn(this.#codec, value, signal)
        if (sha256Hex(canonicalJson) === key.toString()) this.#plans.set(key.toString(), parsePlan(canonicalJson))
      } catch (error) {
        if (!isObstreamError(error, 'OBS_RECORD_INVALID')) throw error
      }
  }
}
