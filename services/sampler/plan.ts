import { tzdataVersion } from '#lib/calendar.ts'
import type { Config } from '#lib/config.ts'
import type { Plan } from '#lib/plan.ts'
import { ENGINE } from '#lib/plan.ts'
import { tickInterval } from './schedule.ts'

/**
 * What of the configuration a fold may know. Where and how a source is probed is not in it, nor are channels: a changed
 * URL is no new plan.
 *
 * Sources are sorted by id, so that moving lines of the configuration changes nothing; rules keep their order, since the
 * first that matches applies.
 */
export function planOf(config: Config): Plan {
  const { window, calendar, sources } = config
  return {
    engine: ENGINE,
    tickIntervalMs: tickInterval(sources, window.graceMs),
    windowMs: window.lengthMs,
    graceMs: window.graceMs,
    latenessMs: window.latenessMs,
    calendar: { kind: calendar.kind, holidays: calendar.holidays.toSorted(), tzdata: tzdataVersion },
    sources: sources
      .map(({ id, intervalMs, phaseMs, labels }) => ({ id, intervalMs, phaseMs, labels }))
      .toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    rules: config.rules,
    locale: config.locale,
    week: config.week,
    datasetRows: config.datasetRows,
  }
}

/** The plan of imported history: nothing is expected of anybody, rules apply. */
export function planOfImport(config: Config): Plan {
  return planOf({ ...config, sources: [] })
}
