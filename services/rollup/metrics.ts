import type { MetricDefinition } from '#lib/runtime/metrics.ts'

/**
 * Rollup has no metrics of its own: what can be counted about it are its records, which the runtime counts, and its
 * facts, which say when and why.
 */
export const rollupMetrics = {} as const satisfies Readonly<Record<string, MetricDefinition>>
