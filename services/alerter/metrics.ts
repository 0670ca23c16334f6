import type { Registry } from 'prom-client'
import type { DeliveryResult } from '#lib/delivery/facts.ts'
import type { MetricDefinition } from '#lib/runtime/metrics.ts'
import { declareMetrics } from '#lib/runtime/metrics.ts'
import { type Instant, type Milliseconds, SECOND_MS } from '#lib/time.ts'

/** Every metric of the alerter: those of its courier. The fold has none but those that every fold has. */
export const alerterMetrics = {
  decisions: {
    name: 'obstream_delivery_decisions_total',
    help: 'Decisions whether a channel is told of something, by the rule that decided: routed, silenced, fallback and so on.',
    type: 'counter',
    labels: ['channel', 'code'],
  },
  attempts: {
    name: 'obstream_delivery_attempts_total',
    help: 'Attempts to send a message, by what came of them.',
    type: 'counter',
    labels: ['channel', 'result'],
  },
  duration: {
    name: 'obstream_delivery_attempt_duration_seconds',
    help: 'Time from a request to the end of its answer.',
    type: 'histogram',
    labels: ['channel'],
    buckets: [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15],
  },
  lastAccepted: {
    name: 'obstream_delivery_last_accepted_timestamp_seconds',
    help: 'When a channel last took a message, in seconds since 1970.',
    type: 'gauge',
    labels: ['channel'],
  },
} as const satisfies Record<string, MetricDefinition>

/** What the courier counts. */
export interface CourierCounters {
  decision(channel: string, code: string): void
  attempt(channel: string, outcome: CountedOutcome): void
}

/** For decisions that bind nobody. */
export const countNothing: CourierCounters = { decision: () => {}, attempt: () => {} }

export interface CountedOutcome {
  readonly result: DeliveryResult
  readonly durationMs: Milliseconds
  readonly at: Instant
}

export function createCourierCounters(registry: Registry): CourierCounters {
  const metrics = declareMetrics(registry, alerterMetrics)
  return {
    decision: (channel, code) => metrics.decisions.inc({ channel, code }),
    attempt(channel, { result, durationMs, at }) {
      metrics.attempts.inc({ channel, result })
      metrics.duration.observe({ channel }, durationMs / SECOND_MS)
      if (result === 'accepted') metrics.lastAccepted.set({ channel }, at / SECOND_MS)
    },
  }
}
