import { execFileSync } from 'node:child_process'
import { describe, expect, test } from '@jest/globals'
import type { MetricDefinition } from '#lib/runtime/metrics.ts'
import { createMetricsRegistry, createRunCounters, declareMetrics } from '#lib/runtime/metrics.ts'
import { findProgram } from '#tests/support/find-program.ts'
import { testNeeding } from '#tests/support/required.ts'

const definitions = {
  samples: { name: 'obstream_samples_total', help: 'Samples.', type: 'counter', labels: ['outcome'] },
  lag: { name: 'obstream_lag_seconds', help: 'How far behind.', type: 'gauge' },
  probe: {
    name: 'obstream_probe_duration_seconds',
    help: 'How long a probe takes.',
    type: 'histogram',
    buckets: [0.1, 1, 10],
  },
} as const satisfies Record<string, MetricDefinition>

test('definitions become metrics of their type under their names', async () => {
  const registry = createMetricsRegistry()
  const metrics = declareMetrics(registry, definitions)
  metrics.samples.inc({ outcome: 'ok' }, 3)
  metrics.lag.set(1.5)
  metrics.probe.observe(0.5)
  const text = await registry.metrics()
  expect(text).toContain('obstream_samples_total{outcome="ok"} 3\n')
  expect(text).toContain('obstream_lag_seconds 1.5\n')
  expect(text).toContain('obstream_probe_duration_seconds_bucket{le="1"} 1\n')
})

test('every metric of a process has the prefix', async () => {
  const names = (await createMetricsRegistry().getMetricsAsJSON()).map(({ name }) => name)
  expect(names.length).toBeGreaterThan(10)
  for (const name of names) expect(name).toMatch(/^obstream_/)
})

describe('a name that breaks the conventions is refused', () => {
  test.each([
    ['no prefix', { name: 'samples_total', help: '', type: 'counter' }],
    ['a counter without _total', { name: 'obstream_samples', help: '', type: 'counter' }],
    ['a gauge with _total', { name: 'obstream_samples_total', help: '', type: 'gauge' }],
    ['milliseconds', { name: 'obstream_latency_ms', help: '', type: 'histogram' }],
    ['one that is taken', { name: 'obstream_taken_total', help: '', type: 'counter' }],
  ] as const)('%s', (_, definition: MetricDefinition) => {
    const registry = createMetricsRegistry()
    declareMetrics(registry, { taken: { name: 'obstream_taken_total', help: 'x', type: 'counter' } })
    expect(() => declareMetrics(registry, { definition })).toThrow(definition.name)
  })
})

test('the counters of every service count by service', async () => {
  const registry = createMetricsRegistry()
  const counters = createRunCounters(registry)
  counters.batch('rollup', 500)
  counters.batch('rollup', 1)
  counters.deadLetter('rollup', 'obs.sample.v1')
  counters.restart('alerter')
  const text = await registry.metrics()
  expect(text).toContain('obstream_records_read_total{service="rollup"} 501\n')
  expect(text).toContain('obstream_batches_read_total{service="rollup"} 2\n')
  expect(text).toContain('obstream_dead_letters_total{service="rollup",topic="obs.sample.v1"} 1\n')
  expect(text).toContain('obstream_service_restarts_total{service="alerter"} 1\n')
})

const promtool = findProgram('promtool')

testNeeding(
  promtool === undefined ? 'promtool is not on the PATH (apt-get install prometheus)' : undefined,
  'promtool finds no fault with what we expose',
  async () => {
    const registry = createMetricsRegistry()
    createRunCounters(registry).batch('rollup', 1)
    declareMetrics(registry, definitions).samples.inc({ outcome: 'ok' })
    const output = execFileSync(promtool!, ['check', 'metrics'], {
      input: await registry.metrics(),
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    expect(output).toBe('')
  },
)
