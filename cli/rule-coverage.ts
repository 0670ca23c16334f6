import type { Config, SourceConfig } from '#lib/config.ts'
import { matches } from '#lib/plan.ts'
import type { Milliseconds } from '#lib/time.ts'
import { tickInterval } from '#services/sampler/schedule.ts'

/** Which rule judges a source, and how soon it can fire. */
export interface RuleCoverage {
  readonly source: string
  /** `null`: no rule applies; the source is measured and never judged. */
  readonly ruleId: string | null
  readonly thresholdMs: Milliseconds | null
  /** Of a whole window in session. */
  readonly samplesPerWindow: number
  /** By nearest rank the p95 of fewer than 20 samples is the largest. */
  readonly p95IsMax: boolean
  /** From the moment every answer is slow to the decision. */
  readonly warning: Span | null
  readonly critical: Span | null
}

interface Span {
  readonly shortestMs: Milliseconds
  readonly longestMs: Milliseconds
}

/** One entry per source, in the order of the configuration. */
export function coverageOf(config: Config): readonly RuleCoverage[] {
  return config.sources.map((source) => {
    const rule = config.rules.find(({ match }) => matches(match, source.id))
    const samplesPerWindow = Math.floor(config.window.lengthMs / source.intervalMs)
    return {
      source: source.id,
      ruleId: rule?.id ?? null,
      thresholdMs: rule?.thresholdMs ?? null,
      samplesPerWindow,
      p95IsMax: samplesPerWindow < 20,
      warning: rule ? timeTo(rule.warningAfter, source, config) : null,
      critical: rule ? timeTo(rule.criticalAfter, source, config) : null,
    }
  })
}

/**
 * How long after the source turns slow a streak of `breaches` windows is decided.
 *
 * Shortest: the source turns slow just in time for the window at hand. Longest: it does so a moment too late, and the
 * last window waits for the next tick.
 */
function timeTo(breaches: number, source: SourceConfig, { window, sources }: Config): Span {
  const lead = leadOf(source, window.lengthMs)
  return {
    shortestMs: lead.shortestMs + (breaches - 1) * window.lengthMs + window.graceMs,
    longestMs: lead.longestMs + breaches * window.lengthMs + window.graceMs + tickInterval(sources, window.graceMs),
  }
}

/** How long before the end of a window the source must turn slow to make a breach of it. */
function leadOf({ intervalMs, phaseMs }: SourceConfig, lengthMs: Milliseconds): Span {
  const fewest = Math.floor(lengthMs / intervalMs)
  if (lengthMs % intervalMs === 0) {
    const leadMs = slowSamplesOf(fewest) * intervalMs - phaseMs
    return { shortestMs: leadMs, longestMs: leadMs }
  }
  // Windows differ in where their last slot lies and in whether they have one more.
  const slow = [slowSamplesOf(fewest), slowSamplesOf(fewest + 1)]
  return { shortestMs: (Math.min(...slow) - 1) * intervalMs, longestMs: Math.max(...slow) * intervalMs }
}

/** How many of so many samples must be slow for the p95, by nearest rank, to be slow. */
function slowSamplesOf(samples: number): number {
  return samples - Math.ceil((95 * samples) / 100) + 1
}
