import type { Cause } from '#lib/cause.ts'
import { compareCauses } from '#lib/cause.ts'
import type { Offset } from '#lib/eventlog/port.ts'

/**
 * Where the inputs since the mark stand, for a topic whose records compaction may move.
 *
 * A restart must start at the smallest offset of any input from the mark on, and must know the newest cause before it
 * (the floor) to go on dropping copies.
 */
export class SeenInputs {
  #causes: Cause[] = []
  #offsets: Offset[] = []
  #first = 0
  #ascending = true
  #floor: Cause | null

  constructor(floor: Cause | null) {
    this.#floor = floor
  }

  /** The newest cause accepted before the oldest input still remembered. */
  get floor(): Cause | null {
    return this.#floor
  }

  /** Causes come in ascending order; offsets need not. */
  add(cause: Cause, offset: Offset): void {
    if (this.#offsets.length > this.#first && offset < this.#offsets.at(-1)!) this.#ascending = false
    this.#causes.push(cause)
    this.#offsets.push(offset)
  }

  /** Forgets every input before `mark`; they make the floor. */
  forgetBefore(mark: Cause): void {
    while (this.#first < this.#causes.length && compareCauses(this.#causes[this.#first]!, mark) < 0)
      this.#floor = this.#causes[this.#first++]!
    if (this.#first > 1_000 && this.#first * 2 > this.#causes.length) {
      this.#causes = this.#causes.slice(this.#first)
      this.#offsets = this.#offsets.slice(this.#first)
      this.#first = 0
    }
    if (this.#first === this.#causes.length) this.#ascending = true
  }

  /** The smallest offset of a remembered input, or `next` when that is smaller or nothing is remembered. */
  offset(next: Offset): Offset {
    if (this.#first === this.#offsets.length) return next
    if (this.#ascending) return Math.min(next, this.#offsets[this.#first]!)
    let smallest = next
    for (let i = this.#first; i < this.#offsets.length; i++) smallest = Math.min(smallest, this.#offsets[i]!)
    return smallest
  }
}
