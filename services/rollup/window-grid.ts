import { type Cause, compareCauses } from '#lib/cause.ts'
import type { Instant, Milliseconds } from '#lib/time.ts'

/** The bounds of a window: `startAt` lies inside, `endAt` does not. */
export interface Span {
  readonly startAt: Instant
  readonly endAt: Instant
}

const RECENT_SPANS = 4

/** A stretch of time with one window length. */
interface Era {
  readonly fromAt: Instant
  readonly lengthMs: Milliseconds
  /** The first tick that named a plan with this length; `null` for the oldest era. */
  readonly firstTick: Cause | null
  /** Where a restart begins that needs this era; `null` for the era of the plan in force. */
  restartFrom: Cause | null
}

/**
 * Which window an instant belongs to. Windows are aligned to 1970-01-01T00:00:00Z and never overlap.
 *
 * A plan with another length does not cut windows that have begun: it counts from the end of the newest one that may be
 * open. Where the new length does not fit there, its first window is a short one. So a key never gets a second meaning.
 */
export class WindowGrid {
  /** Ascending by `fromAt`; those that no late sample can reach are forgotten. */
  #eras: Era[]
  /** Asked for last; the windows of a thousand sources then share one span, which stays at hand. */
  #recent: Span[] = []

  constructor(lengthMs: Milliseconds) {
    this.#eras = [{ fromAt: Number.NEGATIVE_INFINITY, lengthMs, firstTick: null, restartFrom: null }]
  }

  /** Of the plan in force. */
  get lengthMs(): Milliseconds {
    return this.#eras.at(-1)!.lengthMs
  }

  spanAt(at: Instant): Span {
    for (const span of this.#recent) if (at >= span.startAt && at < span.endAt) return span
    const span = this.#cut(at)
    this.#recent = [span, ...this.#recent.slice(0, RECENT_SPANS - 1)]
    return span
  }

  #cut(at: Instant): Span {
    let i = this.#eras.length - 1
    while (i > 0 && this.#eras[i]!.fromAt > at) i--
    const { fromAt, lengthMs } = this.#eras[i]!
    const alignedAt = Math.floor(at / lengthMs) * lengthMs
    const untilAt = this.#eras[i + 1]?.fromAt ?? Number.POSITIVE_INFINITY
    return { startAt: Math.max(fromAt, alignedAt), endAt: Math.min(untilAt, alignedAt + lengthMs) }
  }

  /** The windows that end in `(afterAt, throughAt]`, in order. */
  spansEnding(afterAt: Instant, throughAt: Instant): readonly Span[] {
    const spans: Span[] = []
    for (let span = this.spanAt(afterAt); span.endAt <= throughAt; span = this.spanAt(span.endAt)) spans.push(span)
    return spans
  }

  /**
   * @param fromAt end of a window after which none is open
   * @param ticks where a restart begins that must still see the length until now, and the tick that changes it
   */
  changeLength(
    lengthMs: Milliseconds,
    fromAt: Instant,
    ticks: { readonly restartFrom: Cause; readonly first: Cause },
  ): void {
    this.#eras.at(-1)!.restartFrom = ticks.restartFrom
    this.#eras.push({ fromAt, lengthMs, firstTick: ticks.first, restartFrom: null })
    this.#recent = []
  }

  /** Whether an older length is still remembered. */
  get isMixed(): boolean {
    return this.#eras.length > 1
  }

  /**
   * Older lengths go all at once, since where each began depends on the one before it: when nothing shows any more that
   * there were others, and no restart will meet the change.
   *
   * @param at no sample will be taken for a window that ends up to here
   * @param neededFrom where a restart would begin if lengths did not matter
   */
  forgetOlder(at: Instant, neededFrom: Cause): void {
    const newest = this.#eras.at(-1)!
    const evenFromAt = Math.ceil(newest.fromAt / newest.lengthMs) * newest.lengthMs
    if (evenFromAt > at || compareCauses(neededFrom, newest.firstTick!) < 0) return
    this.#eras = [{ fromAt: Number.NEGATIVE_INFINITY, lengthMs: newest.lengthMs, firstTick: null, restartFrom: null }]
    this.#recent = []
  }

  /** The tick that tells the oldest length that is still needed; `null`: the newest tick does. */
  get neededFrom(): Cause | null {
    return this.#eras[0]!.restartFrom
  }
}
