import type { Instant } from '#lib/time.ts'

/** Something that is to be looked at when its time has come. */
export interface Due {
  /** When; `Infinity`: at no time. Only the queue sets it. */
  dueAt: Instant
}

const NOTHING: readonly never[] = []

/**
 * Whose time comes first: a binary heap. Each item has one time; an entry that is not its item's time any more stays where
 * it is until it comes up, and counts for nothing.
 */
export class DueQueue<Item extends Due> {
  readonly #times: Instant[] = []
  readonly #items: Item[] = []

  /** Gives an item its time, in place of the one that it had. */
  set(item: Item, dueAt: Instant): void {
    if (item.dueAt === dueAt) return
    item.dueAt = dueAt
    if (dueAt === Number.POSITIVE_INFINITY) return
    let place = this.#times.length
    for (let above = (place - 1) >> 1; place > 0 && this.#times[above]! > dueAt; above = (place - 1) >> 1) {
      this.#move(above, place)
      place = above
    }
    this.#put(place, item, dueAt)
  }

  /** Takes out the items whose time is at or before `throughAt`. */
  take(throughAt: Instant): readonly Item[] {
    if (this.#times.length === 0 || this.#times[0]! > throughAt) return NOTHING
    const taken: Item[] = []
    while (this.#times.length > 0 && this.#times[0]! <= throughAt) {
      const [at, item] = [this.#times[0]!, this.#items[0]!]
      this.#removeFirst()
      if (item.dueAt !== at) continue
      item.dueAt = Number.POSITIVE_INFINITY
      taken.push(item)
    }
    return taken
  }

  #removeFirst(): void {
    const dueAt = this.#times.pop()!
    const item = this.#items.pop()!
    const { length } = this.#times
    if (length === 0) return
    let place = 0
    for (let below = 1; below < length; below = 2 * place + 1) {
      if (below + 1 < length && this.#times[below + 1]! < this.#times[below]!) below++
      if (this.#times[below]! >= dueAt) break
      this.#move(below, place)
      place = below
    }
    this.#put(place, item, dueAt)
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#items[from]!, this.#times[from]!)
  }

  #put(place: number, item: Item, dueAt: Instant): void {
    this.#items[place] = item
    this.#times[place] = dueAt
  }
}
