import type { Instant, Milliseconds } from '#lib/time.ts'
import { formatInstantMs, SECOND_MS } from '#lib/time.ts'

/** How far the wall clock may be off before nobody should believe it. */
export const MAX_CLOCK_ERROR_MS = 30 * SECOND_MS

/** Both clocks of this machine, read together. */
export interface ClockReading {
  readonly wallAt: Instant
  readonly monotonicMs: Milliseconds
}

/** An append, between two looks at the own clock, and the time the log gave it. */
export interface ObservedAppend {
  readonly sentAt: Instant
  readonly answeredAt: Instant
  readonly appendedAt: Instant
}

/** Everything that is known about the time when a tick is to be written. */
export interface ClockEvidence {
  readonly now: ClockReading
  /** The look before this one; `null` at the first. */
  readonly before: ClockReading | null
  /** The newest tick of the partition; `null`: none. */
  readonly lastTickAt: Instant | null
  /** The newest append to the log; `null`: none yet. */
  readonly append: ObservedAppend | null
}

export type ClockVerdict = { readonly go: true } | { readonly go: false; readonly reason: string }

/**
 * Whether a tick may be written by this clock. A clock that is a year ahead would close every window for ever, so a
 * doubt stops.
 *
 * Decided in this order: the wall clock jumped against the monotonic one since the last look (set by hand, or the machine
 * slept); it is off the log's append time; it is behind the last tick. Each by more than 30 s: less is the work of NTP, and
 * merely delays the next tick.
 */
export function judgeClock({ now, before, lastTickAt, append }: ClockEvidence): ClockVerdict {
  const jumpMs = before === null ? 0 : now.wallAt - before.wallAt - (now.monotonicMs - before.monotonicMs)
  if (!isSmall(jumpMs))
    return stop(
      `jumped ${inWords(jumpMs)} against its monotonic clock, to ${formatInstantMs(now.wallAt)}: it was set, or this machine slept`,
    )
  const offMs = append === null ? 0 : offLog(append)
  if (!isSmall(offMs))
    return stop(
      `is ${inWords(offMs)} compared with the log, which took a record at ${formatInstantMs(append!.appendedAt)}`,
    )
  const aheadMs = lastTickAt === null ? 0 : now.wallAt - lastTickAt
  if (aheadMs < -MAX_CLOCK_ERROR_MS)
    return stop(`is ${inWords(aheadMs)} compared with the last tick, ${formatInstantMs(lastTickAt!)}`)
  return { go: true }
}

/** How far the own clock was ahead of the log while an append was under way; 0 where the log's time fits in between. */
function offLog({ sentAt, answeredAt, appendedAt }: ObservedAppend): Milliseconds {
  if (appendedAt < sentAt) return sentAt - appendedAt
  return appendedAt > answeredAt ? answeredAt - appendedAt : 0
}

function isSmall(ms: Milliseconds): boolean {
  return Math.abs(ms) <= MAX_CLOCK_ERROR_MS
}

function inWords(ms: Milliseconds): string {
  return `${Math.round(Math.abs(ms) / SECOND_MS)} s ${ms < 0 ? 'behind' : 'ahead'}`
}

function stop(what: string): ClockVerdict {
  return {
    go: false,
    reason: `the clock of this machine ${what}; no tick is written until it is right and the sampler is started again`,
  }
}
