import type { Probe } from '#lib/facts.ts'
import type { Instant, Milliseconds } from '#lib/time.ts'
import { formatInstant, formatInstantMs, SECOND_MS } from '#lib/time.ts'
import { compareText, csvLine } from './csv.ts'

/** One row of `ops/signal_latency.csv`. */
export interface LatencyRow {
  readonly scheduledAt: Instant
  readonly source: string
  /** Not written; it only puts the samples of one source and instant in order. */
  readonly ordinal: number
  readonly latencyMs: Milliseconds
}

export const LATENCY_HEADER = 'timestamp_utc,source,latency_ms\n'

/**
 * The row of a sample: ok, or a timeout with the limit as its latency.
 *
 * @returns `undefined` for an error or a skipped slot, which have no latency, and for our own jobs, which are no signals
 */
export function rowOf(source: string, probe: Probe): LatencyRow | undefined {
  if (probe.outcome === 'error' || probe.outcome === 'skipped') return undefined
  if (probe.latencyMs === null || isOwnJob(source)) return undefined
  return { scheduledAt: probe.scheduledAt, source, ordinal: probe.ordinal, latencyMs: probe.latencyMs }
}

/** Whether a source is one of our own jobs (`job.weekly`). They enter no latency file. */
export function isOwnJob(source: string): boolean {
  return source.startsWith('job.')
}

/** By scheduled time, source, ordinal. */
export function compareRows(a: LatencyRow, b: LatencyRow): number {
  return a.scheduledAt - b.scheduledAt || compareText(a.source, b.source) || a.ordinal - b.ordinal
}

export function latencyLine(row: LatencyRow): string {
  return csvLine([timestamp(row.scheduledAt), row.source, row.latencyMs])
}

/** The scheduled time: RFC 3339 UTC, with milliseconds only where it has some, since most slots are whole seconds. */
function timestamp(at: Instant): string {
  return at % SECOND_MS === 0 ? formatInstant(at) : formatInstantMs(at)
}

/** A whole file: header and rows as they come. */
export function latencyCsv(rows: readonly LatencyRow[]): Buffer {
  return Buffer.from(LATENCY_HEADER + rows.map(latencyLine).join(''))
}
