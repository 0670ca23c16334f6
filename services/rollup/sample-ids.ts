import type { IdRun } from '#lib/facts.ts'
import type { Instant, Milliseconds } from '#lib/time.ts'

/** Stray instants that are kept apart at least, before they are put in their places. */
const FEW_STRAYS = 256

interface OffsetRun {
  readonly first: number
  readonly step: Milliseconds
  readonly count: number
}

/**
 * A set of whole numbers from 0. What is added in ascending order goes to the last run or starts a new one; the rest are
 * strays, kept in a hash set until there are so many that sorting them in is cheap per stray.
 */
class OffsetSet {
  /** The last run; a count of 0 only while the set is empty. */
  #first = 0
  #step = 0
  #count = 0
  #last = -1
  /** What would continue the last run; -1 while it has no step. */
  #next = -1
  /** Ended runs, ascending and apart: first, step, count; flat, because there may be a million. */
  #ended: number[] = []
  #strays: Set<number> | null = null
  #mostStrays = FEW_STRAYS

  /** The largest; -1 while the set is empty. */
  get lastOffset(): number {
    return this.#last
  }

  /** @returns whether it was new */
  addOffset(offset: number): boolean {
    if (offset <= this.#last) return this.#addStray(offset)
    this.#append(offset)
    return true
  }

  hasOffset(offset: number): boolean {
    if (offset > this.#last) return false
    return this.#strays?.has(offset) || this.#inRuns(offset)
  }

  offsetRuns(): OffsetRun[] {
    this.#settle()
    const runs: OffsetRun[] = []
    for (let i = 0; i < this.#ended.length; i += 3)
      runs.push({ first: this.#ended[i]!, step: this.#ended[i + 1]!, count: this.#ended[i + 2]! })
    if (this.#count > 0) runs.push({ first: this.#first, step: this.#step, count: this.#count })
    return runs
  }

  /** @param offset above every other but the strays */
  #append(offset: number): void {
    this.#last = offset
    if (offset === this.#next) {
      this.#count++
      this.#next = offset + this.#step
    } else if (this.#count === 1) {
      this.#step = offset - this.#first
      this.#count = 2
      this.#next = offset + this.#step
    } else {
      if (this.#count > 0) this.#ended.push(this.#first, this.#step, this.#count)
      this.#first = offset
      this.#step = 0
      this.#count = 1
      this.#next = -1
    }
  }

  #addStray(offset: number): boolean {
    if (this.hasOffset(offset)) return false
    this.#strays ??= new Set()
    this.#strays.add(offset)
    if (this.#strays.size > this.#mostStrays) this.#settle()
    return true
  }

  #inRuns(offset: number): boolean {
    if (offset >= this.#first) return isInRun(offset, this.#first, this.#step, this.#count)
    let low = 0
    let high = this.#ended.length / 3
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#ended[middle * 3]! <= offset) low = middle + 1
      else high = middle
    }
    const at = (low - 1) * 3
    return at >= 0 && isInRun(offset, this.#ended[at]!, this.#ended[at + 1]!, this.#ended[at + 2]!)
  }

  /** Puts the strays in their places: all in ascending order once more. */
  #settle(): void {
    if (this.#strays === null) return
    const strays = this.#strays
    this.#strays = null
    const ended = this.#ended
    if (this.#count > 0) ended.push(this.#first, this.#step, this.#count)
    let size = strays.size
    for (let i = 2; i < ended.length; i += 3) size += ended[i]!
    const offsets = new Float64Array(size)
    let at = 0
    for (const stray of strays) offsets[at++] = stray
    for (let i = 0; i < ended.length; i += 3)
      for (let k = 0; k < ended[i + 2]!; k++) offsets[at++] = ended[i]! + k * ended[i + 1]!
    offsets.sort()
    this.#ended = []
    this.#count = 0
    this.#next = -1
    for (const offset of offsets) this.#append(offset)
    this.#mostStrays = Math.max(FEW_STRAYS, offsets.length / 4)
  }
}

function isInRun(offset: number, first: number, step: number, count: number): boolean {
  if (count === 1) return offset === first
  return offset <= first + step * (count - 1) && (offset - first) % step === 0
}

/**
 * Samples by scheduled instant and ordinal, such as those counted in one window: an exact set.
 *
 * Samples mostly come in order and at even slots, so they are held as runs; a window of any length in which nothing is
 * odd takes a few numbers. The set itself holds ordinal 0, which is nearly every sample.
 */
export class SampleIds extends OffsetSet {
  readonly #originAt: Instant
  #others: Map<number, OffsetSet> | null = null

  /** @param originAt no instant lies before it; in a window, its start */
  constructor(originAt: Instant) {
    super()
    this.#originAt = originAt
  }

  /** @returns whether the sample was new */
  add(scheduledAt: Instant, ordinal: number): boolean {
    const offset = scheduledAt - this.#originAt
    return ordinal === 0 ? this.addOffset(offset) : this.#ofOrdinal(ordinal).addOffset(offset)
  }

  has(scheduledAt: Instant, ordinal: number): boolean {
    const set = ordinal === 0 ? this : this.#others?.get(ordinal)
    return set?.hasOffset(scheduledAt - this.#originAt) ?? false
  }

  /** The newest instant that has a sample; `-Infinity` without any. */
  get newestAt(): Instant {
    let last = this.lastOffset
    for (const set of this.#others?.values() ?? []) last = Math.max(last, set.lastOffset)
    return last < 0 ? Number.NEGATIVE_INFINITY : this.#originAt + last
  }

  /**
   * The ids as runs, by ordinal, then first instant. Each run takes the step between its first two instants and goes on
   * as long as it fits; a set has exactly one such form, however its samples came.
   */
  runs(): IdRun[] {
    const others = [...(this.#others ?? [])].sort(([a], [b]) => a - b)
    return [[0, this as OffsetSet] as const, ...others].flatMap(([ordinal, set]) =>
      set.offsetRuns().map(({ first, step, count }) => ({
        firstAt: this.#originAt + first,
        stepMs: step,
        count,
        ordinal,
      })),
    )
  }

  /** Every instant that has a sample, any ordinal; some may come twice. */
  *instants(): Iterable<Instant> {
    for (const { firstAt, stepMs, count } of this.runs()) for (let i = 0; i < count; i++) yield firstAt + i * stepMs
  }

  #ofOrdinal(ordinal: number): OffsetSet {
    this.#others ??= new Map()
    let set = this.#others.get(ordinal)
    if (!set) {
      set = new OffsetSet()
      this.#others.set(ordinal, set)
    }
    return set
  }
}
