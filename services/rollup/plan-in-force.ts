import { isInSession } from '#lib/calendar.ts'
import type { Plan, PlannedSource, Rule } from '#lib/plan.ts'
import { ruleFor } from '#lib/plan.ts'
import type { Instant } from '#lib/time.ts'
import { HOUR_MS } from '#lib/time.ts'
import type { Span } from './window-grid.ts'

/** A plan with its hash, and quick answers to what rollup asks of it. */
export class PlanInForce {
  readonly plan: Plan
  /** sha256, as ticks and windows name it. */
  readonly hash: string
  readonly #sources: ReadonlyMap<string, PlannedSource>
  readonly #rules = new Map<string, Rule | undefined>()

  constructor(plan: Plan, hash: string) {
    this.plan = plan
    this.hash = hash
    this.#sources = new Map(plan.sources.map((source) => [source.id, source]))
  }

  get sources(): Iterable<PlannedSource> {
    return this.#sources.values()
  }

  source(id: string): PlannedSource | undefined {
    return this.#sources.get(id)
  }

  /** The one rule that applies to a source, planned or not. */
  rule(source: string): Rule | undefined {
    if (!this.#rules.has(source)) this.#rules.set(source, ruleFor(this.plan, source))
    return this.#rules.get(source)
  }

  /** Slots of a source that begin in the span and lie in session; 0 for a source that is not in the plan. */
  expectedCount(id: string, span: Span): number {
    const source = this.#sources.get(id)
    if (!source) return 0
    const { calendar } = this.plan
    if (calendar.kind === 'always') return slotsBetween(source, span.startAt, span.endAt)
    let expected = 0
    // Sessions begin and end at whole hours of UTC.
    for (let at = span.startAt; at < span.endAt; at = nextHour(at)) {
      const untilAt = Math.min(nextHour(at), span.endAt)
      if (isInSession(calendar, at)) expected += slotsBetween(source, at, untilAt)
    }
    return expected
  }
}

function nextHour(at: Instant): Instant {
  return (Math.floor(at / HOUR_MS) + 1) * HOUR_MS
}

/** How many slots begin in `[fromAt, toAt)`. */
function slotsBetween({ intervalMs, phaseMs }: PlannedSource, fromAt: Instant, toAt: Instant): number {
  const slotsBefore = (at: Instant): number => Math.ceil((at - phaseMs) / intervalMs)
  return slotsBefore(toAt) - slotsBefore(fromAt)
}
