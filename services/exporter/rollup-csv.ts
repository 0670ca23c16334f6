import type { Window } from '#lib/facts.ts'
import { DAY_MS, formatInstant, type Instant } from '#lib/time.ts'
import { compareText, csvLine } from './csv.ts'
import { isOwnJob } from './latency-csv.ts'

export const ROLLUP_HEADER =
  'hour_utc,p50_ms,p95_ms,breach_flag,source,count,expected_count,error_count,max_ms,revision\n'

export interface RollupCut {
  readonly cutTickAt: Instant
  /** The job's now. */
  readonly generatedAt: Instant
  readonly rollupRetentionDays: number
}

/**
 * The windows of the file: of each source and start the newest revision decided at or before the cut, sorted by start,
 * then source. Windows that start before the job's now minus the retention, and those of our own jobs, are left out.
 *
 * @param windows each revision once, in any order
 */
export function rollupRows(windows: Iterable<Window>, cut: RollupCut): readonly Window[] {
  const keepFromAt = cut.generatedAt - cut.rollupRetentionDays * DAY_MS
  const kept = [...newestRevisions(windows, cut.cutTickAt)].filter((window) => window.startAt >= keepFromAt)
  return kept.sort((a, b) => a.startAt - b.startAt || compareText(a.source, b.source))
}

/** End of the newest window that is a breach at the cut, however old; `null` when there is none. */
export function lastBreachAt(windows: Iterable<Window>, cutTickAt: Instant): Instant | null {
  let newestAt: Instant | null = null
  for (const window of newestRevisions(windows, cutTickAt))
    if (window.verdict === 'breach') newestAt = Math.max(newestAt ?? window.endAt, window.endAt)
  return newestAt
}

function newestRevisions(windows: Iterable<Window>, cutTickAt: Instant): Iterable<Window> {
  const newest = new Map<string, Window>()
  for (const window of windows) {
    if (window.decidedAt > cutTickAt || isOwnJob(window.source)) continue
    const name = `${window.startAt}/${window.source}`
    const known = newest.get(name)
    if (!known || known.revision < window.revision) newest.set(name, window)
  }
  return newest.values()
}

/** The whole of `ops/signal_latency_rollup.csv`. */
export function rollupCsv(rows: readonly Window[]): Buffer {
  return Buffer.from(ROLLUP_HEADER + rows.map(rollupLine).join(''))
}

function rollupLine(window: Window): string {
  return csvLine([
    formatInstant(window.startAt),
    window.p50Ms,
    window.p95Ms,
    breachFlag(window),
    window.source,
    window.count,
    window.expectedCount,
    window.errorCount,
    window.maxMs,
    window.revision,
  ])
}

/** Empty when the window says neither: too few samples, no session, a source that left the plan. */
function breachFlag(window: Window): string {
  if (window.verdict === 'breach') return 'true'
  return window.verdict === 'ok' ? 'false' : ''
}
