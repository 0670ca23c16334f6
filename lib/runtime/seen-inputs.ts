import type { Cause } from '#lib/cause.ts'
import { compareCauses } from '#lib/cause.ts'
import type { Offset } from '#lib/eventlog/port.ts'

/** Inputs that came one after the other. */
interface Stretch {
  readonly first: Cause
  last: Cause
  smallestOffset: Offset
  inputs: number
}

/** Up to so many inputs each is remembered by itself. */
const MOST_STRETCHES = 8_192

/**
 * Where the inputs since the mark stand, for a topic whose records compaction may move.
 *
 * A restart must start at the smallest offset of any input from the mark on, and must know the newest cause before it
 * (the floor) to go on dropping copies. There may be millions, so when they are many they are remembered by stretches;
 * the mark is then the begin of the stretch that holds it.
 */
export class SeenInputs {
  readonly #most: number
  #stretches: Stretch[] = []
  #inputsEach = 1
  #floor: Cause | null

  /**
   * @param floor the newest cause accepted before the first input
   * @param most stretches that are remembered; default 8,192
   */
  constructor(floor: Cause | null, most = MOST_STRETCHES) {
    this.#floor = floor
    this.#most = most
  }

  /** The newest cause accepted before the oldest input still remembered. */
  get floor(): Cause | null {
    return this.#floor
  }

  /** Causes come in ascending order; offsets need not. */
  add(cause: Cause, offset: Offset): void {
    const newest = this.#stretches.at(-1)
    if (newest && newest.inputs < this.#inputsEach) {
      newest.last = cause
      newest.smallestOffset = Math.min(newest.smallestOffset, offset)
      newest.inputs++
      return
    }
    this.#stretches.push({ first: cause, last: cause, smallestOffset: offset, inputs: 1 })
    if (this.#stretches.length > this.#most) this.#lengthen()
  }

  /**
   * Forgets the inputs before `mark`; they make the floor.
   *
   * @returns the oldest input still remembered, or `mark` when there is none: it is at most the mark
   */
  forgetBefore(mark: Cause): Cause {
    const needed = this.#stretches.findIndex(({ last }) => compareCauses(last, mark) >= 0)
    const gone = this.#stretches.splice(0, needed < 0 ? this.#stretches.length : needed)
    this.#floor = gone.at(-1)?.last ?? this.#floor
    const oldest = this.#stretches[0]
    return oldest && compareCauses(oldest.first, mark) < 0 ? oldest.first : mark
  }

  /** The smallest offset of a remembered input, or `next` when that is smaller or nothing is remembered. */
  offset(next: Offset): Offset {
    return this.#stretches.reduce((smallest, { smallestOffset }) => Math.min(smallest, smallestOffset), next)
  }

  /** Two by two, neighbours become one. */
  #lengthen(): void {
    this.#inputsEach *= 2
    const pairs = this.#stretches
    this.#stretches = []
    for (let i = 0; i < pairs.length; i += 2) {
      const [a, b = a] = [pairs[i]!, pairs[i + 1]]
      const smallestOffset = Math.min(a.smallestOffset, b.smallestOffset)
      const inputs = a === b ? a.inputs : a.inputs + b.inputs
      this.#stretches.push({ first: a.first, last: b.last, smallestOffset, inputs })
    }
  }
}
