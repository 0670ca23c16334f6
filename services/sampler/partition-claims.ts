import type { Offset } from '#lib/eventlog/port.ts'
import type { PartitionObserver } from '#lib/runtime/run.ts'
import type { SamplerMemory } from './memory.ts'
import { copyMemory } from './memory.ts'

/** A partition that the group gave this process. */
export interface PartitionClaim {
  readonly partition: number
  /**
   * What the log said of the partition up to the end it had when the claim began: nothing may be written before.
   * `undefined`: the partition was taken away meanwhile.
   */
  readonly caughtUp: Promise<SamplerMemory | undefined>
  /** Aborts when the partition is taken away. */
  readonly revoked: AbortSignal
}

interface RunningClaim extends PartitionClaim {
  readonly claim: PromiseWithResolvers<SamplerMemory | undefined>
  readonly revoke: AbortController
  state: SamplerMemory
  nextOffset: Offset
  endAtClaim: Offset | null
}

/** Hears from the runtime which partitions are ours and how far the fold over them has come. */
export class PartitionClaims implements PartitionObserver<SamplerMemory> {
  readonly #ends: () => Promise<readonly Offset[]>
  readonly #claims = new Map<number, RunningClaim>()
  #onClaim: (claim: PartitionClaim) => void = () => {}

  /** @param ends the offset behind the last record of each partition, now */
  constructor(ends: () => Promise<readonly Offset[]>) {
    this.#ends = ends
  }

  /** Tells `listener` of every claim: those that stand, and those to come. */
  each(listener: (claim: PartitionClaim) => void): void {
    this.#onClaim = listener
    for (const claim of this.#claims.values()) listener(claim)
  }

  restored(partition: number, state: SamplerMemory, nextOffset: Offset): void {
    this.revoked(partition)
    const claim = Promise.withResolvers<SamplerMemory | undefined>()
    claim.promise.catch(() => {})
    const revoke = new AbortController()
    const running: RunningClaim = {
      partition,
      caughtUp: claim.promise,
      revoked: revoke.signal,
      claim,
      revoke,
      state,
      nextOffset,
      endAtClaim: null,
    }
    this.#claims.set(partition, running)
    this.#ends().then((ends) => {
      running.endAtClaim = ends[partition]!
      settleIfCaughtUp(running)
    }, claim.reject)
    this.#onClaim(running)
  }

  folded(partition: number, state: SamplerMemory, nextOffset: Offset): void {
    const running = this.#claims.get(partition)
    if (!running) return
    Object.assign(running, { state, nextOffset })
    settleIfCaughtUp(running)
  }

  revoked(partition: number): void {
    const running = this.#claims.get(partition)
    running?.revoke.abort()
    running?.claim.resolve(undefined)
    this.#claims.delete(partition)
  }

  /** Gives up all claims. */
  close(): void {
    for (const partition of [...this.#claims.keys()]) this.revoked(partition)
  }
}

function settleIfCaughtUp({ claim, state, nextOffset, endAtClaim }: RunningClaim): void {
  if (endAtClaim !== null && nextOffset >= endAtClaim) claim.resolve(copyMemory(state))
}
