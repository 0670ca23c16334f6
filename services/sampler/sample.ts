import type { Probe } from '#lib/facts.ts'
import type { Instant, Milliseconds } from '#lib/time.ts'

/** What a prober has seen. Times are fractions of a millisecond by a monotonic clock. */
export type ProbeResult =
  | { readonly kind: 'answered'; readonly elapsedMs: Milliseconds; readonly lagMs: Milliseconds }
  | { readonly kind: 'timed_out'; readonly lagMs: Milliseconds }
  | { readonly kind: 'failed'; readonly errorCode: string; readonly lagMs: Milliseconds | null }

/** The slot a probe was made for. */
export interface ProbedSlot {
  readonly scheduledAt: Instant
  /** When the probe was handed to the prober. */
  readonly measuredAt: Instant
  readonly timeoutMs: Milliseconds
}

/** Code of a sample whose prober was too busy to measure. */
export const SAMPLER_BUSY = 'sampler_busy'

/** Above this share of the latency, the prober's own delay makes the number worthless. */
const LAG_SHARE = 10

/**
 * The fact about one probe.
 *
 * An answer after the limit is a time-out, and a time-out's latency is the limit (censored): the true value is at least
 * that. When the prober's loop stood still for more than a tenth of the latency, there is no latency but an error.
 */
export function sampleOf(slot: ProbedSlot, result: ProbeResult): Probe {
  const lagMs = result.lagMs === null ? null : roundHalfUp(result.lagMs)
  const probe = {
    type: 'probe',
    scheduledAt: slot.scheduledAt,
    ordinal: 0,
    measuredAt: slot.measuredAt,
    lagMs,
  } as const
  if (result.kind === 'failed') return { ...probe, outcome: 'error', latencyMs: null, errorCode: result.errorCode }
  const isTimely = result.kind === 'answered' && result.elapsedMs <= slot.timeoutMs
  const latencyMs = isTimely ? roundHalfUp(result.elapsedMs) : slot.timeoutMs
  if (result.lagMs * LAG_SHARE > latencyMs)
    return { ...probe, outcome: 'error', latencyMs: null, errorCode: SAMPLER_BUSY }
  return { ...probe, outcome: isTimely ? 'ok' : 'timeout', latencyMs, errorCode: null }
}

/** A slot that was not probed, because the probe of an earlier slot still ran. */
export function skippedSample(scheduledAt: Instant, measuredAt: Instant): Probe {
  return {
    type: 'probe',
    outcome: 'skipped',
    scheduledAt,
    ordinal: 0,
    latencyMs: null,
    measuredAt,
    lagMs: null,
    errorCode: null,
  }
}

/** A row of a file that another program measured, at the time it gives. */
export function sampleOfRow(row: {
  readonly scheduledAt: Instant
  readonly ordinal: number
  readonly latencyMs: Milliseconds | null
  readonly errorCode: string | null
}): Probe {
  const { scheduledAt, ordinal, latencyMs, errorCode } = row
  const outcome = latencyMs === null ? 'error' : 'ok'
  return { type: 'probe', outcome, scheduledAt, ordinal, latencyMs, measuredAt: scheduledAt, lagMs: null, errorCode }
}

/** Nearest whole millisecond; halves go up, as in the csv format. Not for negative values. */
export function roundHalfUp(ms: Milliseconds): Milliseconds {
  return Math.floor(ms + 0.5)
}
