import { DAY_MS } from './time.ts'

/**
 * The catalogue of topics: what flows, who writes it, who reads it. The table in the README is generated from it.
 *
 * A topic's `.v1` never changes its meaning; a new major version runs beside the old one.
 */
export interface TopicDefinition {
  readonly name: string
  /** Key grammar, for people. */
  readonly key: string
  readonly what: string
  /** `latency`: as many as the log's latency path has, fixed when the topics are created. */
  readonly partitions: 'latency' | 'one'
  /**
   * `delete`: the first record of a key counts. `compact`: equal keys mean equal bytes (a fold wrote them, or the key is
   * the hash of the value), so only copies are ever removed; it is the last copy that is kept.
   */
  readonly cleanup: 'delete' | 'compact' | 'compact,delete'
  /** How long records are kept after they were appended; `null`: always. */
  readonly retentionMs: number | null
  /** File in `schemas/topics/`; `null`: bytes without a schema. */
  readonly schema: string | null
  /** Derived: written by a fold, every record with a cause; two records of one key have equal bytes. */
  readonly derived: boolean
  readonly writtenBy: string
  readonly readBy: string
}

/** Compaction keeps its hands off younger records, so that a running reader sees the first copy of everything. */
export const COMPACTION_LAG_MS = 15 * DAY_MS

/** Largest batch a log takes, in bytes. */
export const MAX_BATCH_BYTES = 1_048_576
/** Largest batch of the dead letter topic, which must hold any other topic's record and the reason. */
export const MAX_DEAD_LETTER_BYTES = 2_097_152

const days = (count: number): number => count * DAY_MS

export const topics = {
  sample: {
    name: 'obs.sample.v1',
    key: 'source; empty for a tick',
    what: 'probe result, or clock tick: instant and plan hash, to every partition',
    partitions: 'latency',
    cleanup: 'delete',
    retentionMs: days(120),
    schema: 'sample.avsc',
    derived: false,
    writtenBy: 'sampler: ticks of a partition by its one owner; samples by any sampler',
    readBy: 'rollup, exporter, sampler',
  },
  plan: {
    name: 'obs.plan.v1',
    key: 'sha256 of the plan',
    what: 'everything in the configuration that a fold may know',
    partitions: 'one',
    cleanup: 'compact',
    retentionMs: null,
    schema: 'plan.avsc',
    derived: false,
    writtenBy: 'sampler',
    readBy: 'folds, replay',
  },
  window: {
    name: 'obs.window.v1',
    key: 'source/start/revision; source/gap/slot; source/rejected/sample id',
    what: 'window; gap (expected slots without a sample); sample refused: too late, too early, window sealed or full',
    partitions: 'latency',
    cleanup: 'compact,delete',
    retentionMs: days(400),
    schema: 'window.avsc',
    derived: true,
    writtenBy: 'rollup',
    readBy: 'alerter, weekly, exporter, outside consumers',
  },
  breach: {
    name: 'obs.breach.v1',
    key: 'source/start/revision',
    what: 'one event per breaching window, with evidence',
    partitions: 'latency',
    cleanup: 'compact,delete',
    retentionMs: days(400),
    schema: 'breach.avsc',
    derived: true,
    writtenBy: 'rollup',
    readBy: 'weekly, outside consumers',
  },
  alert: {
    name: 'obs.alert.v1',
    key: 'alert id/sequence (four digits)',
    what: 'transition: opened, escalated, reminded, resolved, annotated',
    partitions: 'latency',
    cleanup: 'compact,delete',
    retentionMs: days(400),
    schema: 'alert.avsc',
    derived: true,
    writtenBy: "alerter's fold",
    readBy: 'courier, weekly, exporter, outside consumers',
  },
  report: {
    name: 'obs.report.v1',
    key: 'week/revision',
    what: 'weekly report: exact bytes, sha256',
    partitions: 'one',
    cleanup: 'compact,delete',
    retentionMs: days(400),
    schema: null,
    derived: true,
    writtenBy: 'weekly',
    readBy: 'courier, exporter, outside consumers',
  },
  bundle: {
    name: 'obs.bundle.v1',
    key: 'sequence',
    what: 'dashboard manifest: exact bytes, sha256',
    partitions: 'one',
    cleanup: 'compact,delete',
    retentionMs: days(400),
    schema: null,
    derived: true,
    writtenBy: 'exporter',
    readBy: 'exporter, outside consumers',
  },
  delivery: {
    name: 'obs.delivery.v1',
    key: 'subject/channel/decision; subject/channel/attempt/intent or outcome; report/week/revision/sealed; bundle/sequence/sealed',
    what: 'ledger of deliveries',
    partitions: 'latency',
    cleanup: 'delete',
    retentionMs: days(400),
    schema: 'delivery.avsc',
    derived: false,
    writtenBy: 'couriers, exporter',
    readBy: 'couriers, weekly, exporter',
  },
  command: {
    name: 'obs.command.v1',
    key: 'command id',
    what: 'operator command with author and reason: acknowledge, silence, unsilence, exclude a period, test of a channel',
    partitions: 'one',
    cleanup: 'delete',
    retentionMs: days(400),
    schema: 'command.avsc',
    derived: false,
    writtenBy: 'command line, page',
    readBy: 'couriers, weekly',
  },
  run: {
    name: 'obs.run.v1',
    key: 'run id/revision',
    what: 'one trading run and its daily rows',
    partitions: 'one',
    cleanup: 'delete',
    retentionMs: days(400),
    schema: null,
    derived: false,
    writtenBy: 'collectors',
    readBy: 'weekly, exporter',
  },
  portfolio: {
    name: 'obs.portfolio.v1',
    key: 'as-of/revision',
    what: 'portfolio summary',
    partitions: 'one',
    cleanup: 'delete',
    retentionMs: days(400),
    schema: null,
    derived: false,
    writtenBy: 'collectors',
    readBy: 'weekly',
  },
  evState: {
    name: 'obs.ev-state.v1',
    key: 'strategy/symbol/mode/as-of/revision',
    what: 'EV state snapshot',
    partitions: 'one',
    cleanup: 'delete',
    retentionMs: days(400),
    schema: null,
    derived: false,
    writtenBy: 'collectors',
    readBy: 'exporter',
  },
  slippage: {
    name: 'obs.slippage.v1',
    key: 'as-of/revision',
    what: 'router telemetry',
    partitions: 'one',
    cleanup: 'delete',
    retentionMs: days(400),
    schema: null,
    derived: false,
    writtenBy: 'collectors',
    readBy: 'exporter, weekly',
  },
  job: {
    name: 'obs.job.v1',
    key: 'job/slot/started; job/slot/finished/attempt; job/slot/skipped/run id',
    what: 'job start with its cut; end',
    partitions: 'one',
    cleanup: 'delete',
    retentionMs: days(400),
    schema: 'job.avsc',
    derived: false,
    writtenBy: 'every job',
    readBy: 'weekly, exporter, sampler (jobs as sources)',
  },
  deadLetter: {
    name: 'obs.dead-letter.v1',
    key: 'service/topic/partition/offset',
    what: 'raw bytes of a record that could not be read, with the reason in its headers',
    partitions: 'one',
    cleanup: 'delete',
    retentionMs: days(120),
    schema: null,
    derived: false,
    writtenBy: 'every service',
    readBy: 'operator',
  },
} as const satisfies Record<string, TopicDefinition>

export type TopicName = (typeof topics)[keyof typeof topics]['name']

export const catalogue: readonly TopicDefinition[] = Object.values(topics)

/** @returns the definition, or `undefined` for a topic that is not ours */
export function findTopic(name: string): TopicDefinition | undefined {
  return catalogue.find((topic) => topic.name === name)
}

/** How many partitions a topic has on a log whose latency path has `latencyPartitions`. */
export function partitionCount(topic: TopicDefinition, latencyPartitions: number): number {
  return topic.partitions === 'one' ? 1 : latencyPartitions
}
