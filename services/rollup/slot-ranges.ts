/** A set of slot numbers, as ranges: small while most neighbours are there, quick while numbers come in order. */
export class SlotRanges {
  /** The newest range; empty while `#last` lies before `#first`. */
  #first = 0
  #last = -1
  /** First and last of the other ranges, ascending, apart from each other. */
  #earlier: number[] = []

  add(slot: number): void {
    if (slot === this.#last) return
    if (slot === this.#last + 1 && this.#first <= this.#last) this.#last = slot
    else if (slot > this.#last) this.#begin(slot)
    else if (this.endOfRange(slot) === undefined) this.#insert(slot)
  }

  /** The last slot of the range that `slot` lies in; `undefined` when it is not in the set. */
  endOfRange(slot: number): number | undefined {
    if (slot >= this.#first) return slot <= this.#last ? this.#last : undefined
    for (let i = 0; i < this.#earlier.length; i += 2)
      if (slot <= this.#earlier[i + 1]!) return slot >= this.#earlier[i]! ? this.#earlier[i + 1] : undefined
    return undefined
  }

  /** Slots up to `slot` will not be asked for any more. */
  forgetThrough(slot: number): void {
    let gone = 0
    while (gone < this.#earlier.length && this.#earlier[gone + 1]! <= slot) gone += 2
    if (gone > 0) this.#earlier.splice(0, gone)
  }

  #begin(slot: number): void {
    if (this.#first <= this.#last) this.#earlier.push(this.#first, this.#last)
    this.#first = slot
    this.#last = slot
  }

  /** @param slot before the newest range */
  #insert(slot: number): void {
    const { length } = this.#earlier
    let i = length
    while (i > 0 && this.#earlier[i - 2]! > slot) i -= 2
    if (i > 0 && this.#earlier[i - 1] === slot - 1) this.#earlier[i - 1] = slot
    else if (i === length && this.#first === slot + 1) this.#first = slot
    else this.#earlier.splice(i, 0, slot, slot)
  }
}
