import { isInSession } from '#lib/calendar.ts'
import { type Cause, compareCauses } from '#lib/cause.ts'
import type { Gap, Probe } from '#lib/facts.ts'
import type { CalendarPlan, PlannedSource } from '#lib/plan.ts'
import type { Instant, Milliseconds } from '#lib/time.ts'
import { SlotRanges } from './slot-ranges.ts'

type Slots = Pick<PlannedSource, 'intervalMs' | 'phaseMs'>

/** Expected slots missing in a row. */
export type Silence = Pick<Gap, 'firstSlotAt' | 'slotAt' | 'missingCount'>

/** What is missing at the moment: since when, how many, and how many of them have been told. */
interface MissingRow {
  readonly firstSlotAt: Instant
  count: number
  told: number
}

/** An input that the row of missing slots still rests on, and the newest slot it may have filled. */
interface Need {
  readonly slot: number
  readonly cause: Cause
}

/**
 * Of a silence that is settled at once, at most so much is told: the first two times, which open an alert and make it
 * critical, and the newest, which holds the whole length. So a tick after days brings no more records than one after
 * minutes.
 */
const MOST_TOLD_AT_ONCE = 3

/** Where a watch begins. */
export interface WatchStart {
  /** The tick that begins it. */
  readonly tickAt: Instant
  /** How far slots are settled then. */
  readonly settledThroughAt: Instant
  /** The input to read from to begin it again in the same way. */
  readonly cause: Cause
}

/**
 * Watches the slots of one source for silence.
 *
 * Slot `k` begins at `phase + k · interval`. It is filled by any sample scheduled within its interval, and missing when
 * time passes its end by the grace without one; then it is settled, and a sample that comes still later changes nothing.
 * Slots outside of the session are not expected: they neither lengthen a row of missing ones nor end it.
 *
 * A source is expected from the first slot that begins at or after the tick which brought it into the plan, or after the
 * first sample seen, whichever is earlier.
 */
export class SlotWatch {
  readonly #intervalMs: Milliseconds
  readonly #phaseMs: Milliseconds
  /** The newest slot that is settled. */
  #settled: number
  /** Slots after it that have a sample. */
  readonly #filled = new SlotRanges()
  #expectedFromAt: Instant
  #newestFilled = Number.NEGATIVE_INFINITY
  #newestTold = Number.NEGATIVE_INFINITY
  #row: MissingRow | null = null
  #needs: Need[]
  /** Told by an earlier owner; taken over when its slot is settled here. */
  #restored: Gap | undefined

  constructor({ intervalMs, phaseMs }: Slots, start: WatchStart, restored: Gap | undefined) {
    this.#intervalMs = intervalMs
    this.#phaseMs = phaseMs
    this.#expectedFromAt = start.tickAt
    this.#settled = this.#newestEnded(start.settledThroughAt)
    this.#needs = [{ slot: this.#settled, cause: start.cause }]
    this.#restored = restored
  }

  /** Whether the slots of `source` are the ones watched. */
  watches({ intervalMs, phaseMs }: Slots): boolean {
    return intervalMs === this.#intervalMs && phaseMs === this.#phaseMs
  }

  /** A sample counts for the slot that it was scheduled in. */
  fill({ scheduledAt }: Pick<Probe, 'scheduledAt'>): void {
    const slot = this.#slotOf(scheduledAt)
    if (slot > this.#settled) this.#filled.add(slot)
  }

  /**
   * The samples up to `scheduledAt` are remembered nowhere else from now on.
   *
   * @param cause an input before the first of them
   */
  need(scheduledAt: Instant, cause: Cause): void {
    this.#needs.push({ slot: this.#slotOf(scheduledAt), cause })
  }

  /** What is missing will be judged by another plan from now on; `cause` is an input that still saw the plan until now. */
  changePlan(cause: Cause): void {
    if (this.#row) this.#needs.push({ slot: this.#settled, cause })
  }

  /**
   * Settles the slots that ended at or before `throughAt`.
   *
   * @param everySlots tell of a silence after so many missing slots, and after as many again
   * @returns what to tell, in order; of each silence at most `MOST_TOLD_AT_ONCE` times
   */
  settle(throughAt: Instant, calendar: CalendarPlan, everySlots: number): readonly Silence[] {
    const newest = this.#newestEnded(throughAt)
    this.#takeOver(newest)
    const told: Silence[] = []
    while (this.#settled < newest) {
      const filledTo = this.#filled.endOfRange(this.#settled + 1)
      if (filledTo !== undefined) this.#hearTo(Math.min(filledTo, newest))
      else this.#miss(calendar, everySlots, told)
    }
    this.#filled.forgetThrough(this.#settled)
    if (this.#needs.length > 0)
      this.#needs = this.#needs.filter(({ slot }) => slot >= this.#newestFilled && slot > this.#newestTold)
    return told
  }

  /**
   * Until slots that ended up to here are to be settled, `settle` would change nothing that is told or remembered: a slot
   * is missing then at the earliest, or what the watch rests on can be forgotten. The next sample may move it on.
   */
  get dueAt(): Instant {
    const isCalm = this.#row === null && this.#needs.length === 0 && this.#restored === undefined
    const heardTo = isCalm ? this.#filled.endOfRange(this.#settled + 1) : undefined
    return this.#startOf((heardTo ?? this.#settled) + 2)
  }

  /** The oldest input that the watch rests on; `null`: what has been told says all. */
  get neededFrom(): Cause | null {
    let oldest: Cause | null = null
    for (const { cause } of this.#needs) if (oldest === null || compareCauses(cause, oldest) < 0) oldest = cause
    return oldest
  }

  #hearTo(slot: number): void {
    this.#settled = slot
    this.#newestFilled = slot
    this.#expectedFromAt = Number.NEGATIVE_INFINITY
    this.#row = null
  }

  /** Settles the next slot, which has no sample. */
  #miss(calendar: CalendarPlan, everySlots: number, told: Silence[]): void {
    this.#settled++
    const slotAt = this.#startOf(this.#settled)
    if (slotAt < this.#expectedFromAt || !isInSession(calendar, slotAt)) return
    this.#row ??= { firstSlotAt: slotAt, count: 0, told: 0 }
    const row = this.#row
    row.count++
    if (row.count - row.told < everySlots) return
    row.told = row.count
    this.#newestTold = this.#settled
    if (told.at(-MOST_TOLD_AT_ONCE)?.firstSlotAt === row.firstSlotAt) told.pop()
    told.push({ firstSlotAt: row.firstSlotAt, slotAt, missingCount: row.count })
  }

  /** The row that the newest gap record tells of, once time has come to its slot: the inputs before it are not needed. */
  #takeOver(newest: number): void {
    const gap = this.#restored
    if (!gap) return
    const slot = this.#slotOf(gap.slotAt)
    if (slot > newest) return
    this.#restored = undefined
    if (this.#startOf(slot) !== gap.slotAt) return
    this.#row = { firstSlotAt: gap.firstSlotAt, count: gap.missingCount, told: gap.missingCount }
    this.#settled = slot
    this.#newestTold = slot
    this.#expectedFromAt = Number.NEGATIVE_INFINITY
  }

  #slotOf(at: Instant): number {
    return Math.floor((at - this.#phaseMs) / this.#intervalMs)
  }

  #startOf(slot: number): Instant {
    return this.#phaseMs + slot * this.#intervalMs
  }

  #newestEnded(throughAt: Instant): number {
    return this.#slotOf(throughAt) - 1
  }
}
