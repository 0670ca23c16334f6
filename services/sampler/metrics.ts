import type { Registry } from 'prom-client'
import type { Outcome } from '#lib/facts.ts'
import type { MetricDefinition } from '#lib/runtime/metrics.ts'
import { declareMetrics } from '#lib/runtime/metrics.ts'
import type { Instant } from '#lib/time.ts'
import { SECOND_MS } from '#lib/time.ts'

/** Every metric of the sampler. Sources are no labels: there may be thousands. */
export const samplerMetrics = {
  samples: {
    name: 'obstream_samples_written_total',
    help: 'Samples that the sampler has appended, copies after a retry not counted.',
    type: 'counter',
    labels: ['outcome'],
  },
  ticks: {
    name: 'obstream_ticks_written_total',
    help: 'Clock ticks that the sampler has appended, over all partitions.',
    type: 'counter',
  },
  lastTick: {
    name: 'obstream_last_tick_timestamp_seconds',
    help: 'Instant of the newest tick appended, in seconds since 1970.',
    type: 'gauge',
  },
  csvFaults: {
    name: 'obstream_csv_faults_total',
    help: 'Lines of csv sources, or whole files, that could not be used.',
    type: 'counter',
  },
  retries: {
    name: 'obstream_sampler_append_retries_total',
    help: 'Appends of the sampler that were tried again.',
    type: 'counter',
  },
} as const satisfies Record<string, MetricDefinition>

/** What the sampler counts. */
export interface SamplerCounters {
  sample(outcome: Outcome): void
  tick(at: Instant): void
  csvFault(): void
  retry(): void
}

export function createSamplerCounters(registry: Registry): SamplerCounters {
  const metrics = declareMetrics(registry, samplerMetrics)
  return {
    sample: (outcome) => metrics.samples.inc({ outcome }),
    tick(at) {
      metrics.ticks.inc()
      metrics.lastTick.set(at / SECOND_MS)
    },
    csvFault: () => metrics.csvFaults.inc(),
    retry: () => metrics.retries.inc(),
  }
}
