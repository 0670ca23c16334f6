import type { Metric } from 'prom-client'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { RunCounters } from './run.ts'

/** One metric of Prometheus, as data; a service lists its own in its `metrics.ts`. */
export interface MetricDefinition {
  /** `obstream_…`, in base units (`_seconds`, `_bytes`); `_total` on counters and nowhere else. */
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  /** Names of its labels; each may have few values, never ids of records. */
  readonly labels?: readonly string[]
  /** Upper bounds of a histogram's buckets, in its unit. */
  readonly buckets?: readonly number[]
}

interface MetricTypes {
  readonly counter: Counter
  readonly gauge: Gauge
  readonly histogram: Histogram
}

/** What `declareMetrics` makes of definitions: the same names, each a metric of its type. */
export type Declared<Definitions extends Readonly<Record<string, MetricDefinition>>> = {
  readonly [Name in keyof Definitions]: MetricTypes[Definitions[Name]['type']]
}

/** Of prom-client's own metrics these are named like counters and are none; their `…_resources` twins tell the same. */
const MISNAMED = [
  'obstream_nodejs_active_handles_total',
  'obstream_nodejs_active_requests_total',
  'obstream_nodejs_active_resources_total',
]

/** The registry of a process, with its CPU, memory, event loop and garbage collection. */
export function createMetricsRegistry(): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, prefix: 'obstream_' })
  for (const name of MISNAMED) registry.removeSingleMetric(name)
  return registry
}

const NAME = /^obstream_[a-z][a-z0-9_]*$/

/**
 * Registers metrics from their definitions.
 *
 * @throws TypeError for a name that breaks the conventions, or is taken
 */
export function declareMetrics<const Definitions extends Readonly<Record<string, MetricDefinition>>>(
  registry: Registry,
  definitions: Definitions,
): Declared<Definitions> {
  const declared = Object.entries(definitions).map(([key, definition]) => [key, declare(registry, definition)])
  return Object.fromEntries(declared) as Declared<Definitions>
}

function declare(registry: Registry, definition: MetricDefinition): Metric {
  const { name, help, type, labels = [], buckets } = definition
  if (!NAME.test(name)) throw new TypeError(`metric ${name}: names begin with obstream_ and are snake_case`)
  if (name.endsWith('_total') !== (type === 'counter'))
    throw new TypeError(`metric ${name}: counters end in _total, others do not`)
  if (/_(ms|millis|milliseconds|minutes|kb|mb)(_|$)/.test(name))
    throw new TypeError(`metric ${name}: base units only, e.g. _seconds or _bytes`)
  if (registry.getSingleMetric(name)) throw new TypeError(`metric ${name} is there already`)
  const shared = { name, help, labelNames: labels, registers: [registry] }
  if (type === 'counter') return new Counter(shared)
  if (type === 'gauge') return new Gauge(shared)
  return new Histogram(buckets ? { ...shared, buckets: [...buckets] } : shared)
}

const runMetrics = {
  records: {
    name: 'obstream_records_read_total',
    help: 'Records that a service has read from its topic.',
    type: 'counter',
    labels: ['service'],
  },
  batches: {
    name: 'obstream_batches_read_total',
    help: 'Batches that a service has read from its topic.',
    type: 'counter',
    labels: ['service'],
  },
  deadLetters: {
    name: 'obstream_dead_letters_total',
    help: 'Records that could not be read and went to the dead letter topic.',
    type: 'counter',
    labels: ['service', 'topic'],
  },
  restarts: {
    name: 'obstream_service_restarts_total',
    help: 'Times that a service began again from its own output after a fault.',
    type: 'counter',
    labels: ['service'],
  },
} as const satisfies Record<string, MetricDefinition>

/** The counters that every service has. */
export function createRunCounters(registry: Registry): RunCounters {
  const metrics = declareMetrics(registry, runMetrics)
  return {
    batch(service, records) {
      metrics.batches.inc({ service })
      metrics.records.inc({ service }, records)
    },
    deadLetter: (service, topic) => metrics.deadLetters.inc({ service, topic }),
    restart: (service) => metrics.restarts.inc({ service }),
  }
}
