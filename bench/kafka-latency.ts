import { setTimeout as wait } from 'node:timers/promises'
import type { TopicCodec } from '#lib/codec/avro.ts'
import { planRecord } from '#lib/codec/plan-json.ts'
import type { Alert, SampleFact } from '#lib/facts.ts'
import { partitionOf } from '#lib/partitioner.ts'
import type { Plan } from '#lib/plan.ts'
import { type Instant, SECOND_MS } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { startJvmCluster } from '#tools/kafka/jvm-cluster.ts'
import { type BenchLog, openBenchKafka } from './bench-log.ts'
import { type Child, startChild } from './child.ts'
import { cpuSecondsOf, type Usage } from './machine.ts'
import { count, markdownTable } from './results.ts'
import { planFor, sourceIds } from './rollup/samples.ts'

/**
 * How long after the tick that closes a window was appended an alert transition can be read, on Kafka. Prints its section
 * of the results.
 */
const PARTITIONS = 4
const SOURCES = 1_000
const WINDOW_MS = 10 * SECOND_MS
const GRACE_MS = SECOND_MS
const DURATION_MS = 120 * SECOND_MS
const SLOW_WINDOWS = 3
const IDLE_PARTITIONS = 32
const IDLE_MS = 60 * SECOND_MS
const ids = sourceIds(SOURCES)
const partitions = ids.map((id) => partitionOf(id, PARTITIONS))

interface Round {
  readonly samplesPerSecond: number
  readonly latenciesMs: readonly number[]
  readonly usage: Usage
}

const rounds: Round[] = []
for (const samplesPerSecond of [1_000, 100_000]) rounds.push(await measure(samplesPerSecond))
console.log(`Rollup and the alerter's fold in one process, ${count(SOURCES)} sources on ${PARTITIONS} partitions, windows of ten seconds with a grace of one, a tick
each second; every source is slow for ${SLOW_WINDOWS} windows and well for ${SLOW_WINDOWS}, in turn, so that every window ends with hundreds of transitions
at once. From the acknowledgement of the tick that decides to the moment another process is handed the transition.

${markdownTable([
  ['samples a second', 'transitions', 'p50', 'p99', 'peak RSS of the services', 'CPU of the services'],
  ...rounds.map(({ samplesPerSecond, latenciesMs, usage }) => [
    count(samplesPerSecond),
    count(latenciesMs.length),
    `${at(latenciesMs, 50)} ms`,
    `${at(latenciesMs, 99)} ms`,
    `${count(usage.peakRssMiB)} MiB`,
    `${((usage.cpuSeconds * SECOND_MS * 100) / DURATION_MS).toFixed(0)} % of a core`,
  ]),
])}

Rollup and the alerter's fold with nothing to do, on ${IDLE_PARTITIONS} partitions each, for ${IDLE_MS / SECOND_MS} s: ${(await idlePercent()).toFixed(2)} % of a core, both together.`)

async function measure(samplesPerSecond: number): Promise<Round> {
  const cluster = await startJvmCluster({})
  try {
    const broker = cluster.bootstrap[0]!
    const bench = await openBenchKafka([broker], PARTITIONS)
    const plan = planRecord(planOf())
    await bench.log.append(topics.plan.name, 0, [
      { key: Buffer.from(plan.hash), value: bench.codecs.get(topics.plan)!.encode(plan.record) },
    ])
    const services = startServices(broker, PARTITIONS)
    const stop = new AbortController()
    const seen = new Map<string, number>()
    const reading = Array.from({ length: PARTITIONS }, (_, partition) =>
      readAlerts(bench, partition, seen, stop.signal),
    )
    const ticks = await produce(bench, plan.hash, samplesPerSecond)
    await wait(5 * SECOND_MS)
    stop.abort()
    await Promise.all(reading)
    services.end()
    const usage = await services.result
    await bench.log.close()
    const latenciesMs = [...seen].map(([place, seenMs]) => seenMs - ticks.get(place.split(' ')[0]!)!)
    return { samplesPerSecond, latenciesMs: latenciesMs.toSorted((a, b) => a - b), usage }
  } finally {
    await cluster.stop()
  }
}

/** CPU of the services while they wait, in percent of a core. */
async function idlePercent(): Promise<number> {
  const cluster = await startJvmCluster({})
  try {
    const broker = cluster.bootstrap[0]!
    await (await openBenchKafka([broker], IDLE_PARTITIONS)).log.close()
    const services = startServices(broker, IDLE_PARTITIONS)
    await wait(15 * SECOND_MS)
    const before = cpuSecondsOf(services.pid)
    await wait(IDLE_MS)
    const used = cpuSecondsOf(services.pid) - before
    services.end()
    await services.result
    return (used * SECOND_MS * 100) / IDLE_MS
  } finally {
    await cluster.stop()
  }
}

function startServices(broker: string, partitions: number): Child<Usage> {
  return startChild(new URL('kafka/services.ts', import.meta.url), [broker, String(partitions)])
}

function planOf(): Plan {
  const plan = planFor(SOURCES)
  const rule = { ...plan.rules[0]!, thresholdMs: 500, resolveBelow: 0.9, minSamples: 1 }
  return { ...plan, windowMs: WINDOW_MS, graceMs: GRACE_MS, rules: [rule] }
}

/** When each tick was acknowledged, by `partition/instant`. */
async function produce(bench: BenchLog, plan: string, samplesPerSecond: number): Promise<ReadonlyMap<string, number>> {
  const codec = bench.codecs.get(topics.sample) as TopicCodec<SampleFact>
  const acknowledged = new Map<string, number>()
  const perSource = samplesPerSecond / SOURCES
  const beginAt = Math.ceil(Date.now() / WINDOW_MS) * WINDOW_MS
  for (let now = beginAt; now < beginAt + DURATION_MS; now += SECOND_MS) {
    await wait(Math.max(0, now - Date.now()))
    const batches = Array.from({ length: PARTITIONS }, (): { key: Buffer; value: Buffer }[] => [])
    for (const [i, id] of ids.entries())
      for (let ordinal = 0; ordinal < perSource; ordinal++)
        batches[partitions[i]!]!.push({ key: Buffer.from(id), value: codec.encode(sampleOf(i, now, ordinal)) })
    await Promise.all(
      batches.map(async (batch, partition) => {
        for (let from = 0; from < batch.length; from += 5_000)
          await bench.log.append(topics.sample.name, partition, batch.slice(from, from + 5_000))
        await bench.log.append(topics.sample.name, partition, [
          { key: Buffer.alloc(0), value: codec.encode({ type: 'tick', at: now, plan }) },
        ])
        acknowledged.set(`${partition}/${now}`, performance.now())
      }),
    )
  }
  return acknowledged
}

function sampleOf(source: number, scheduledAt: Instant, ordinal: number): SampleFact {
  const window = Math.floor(scheduledAt / WINDOW_MS) + source
  const latencyMs = Math.floor(window / SLOW_WINDOWS) % 2 === 0 ? 900 : 40
  return {
    type: 'probe',
    outcome: 'ok',
    scheduledAt,
    ordinal,
    latencyMs,
    measuredAt: scheduledAt,
    lagMs: 0,
    errorCode: null,
  }
}

/** Notes when each transition came, by `partition/instant of its tick key`. */
async function readAlerts(
  { log, codecs }: BenchLog,
  partition: number,
  seen: Map<string, number>,
  signal: AbortSignal,
): Promise<void> {
  const codec = codecs.get(topics.alert) as TopicCodec<Alert>
  for await (const batch of log.follow(topics.alert.name, partition, 0, signal)) {
    const nowMs = performance.now()
    for (const { key, value } of batch.records())
      seen.set(`${partition}/${codec.decode(value!).decidedAt} ${key.toString()}`, nowMs)
  }
}

function at(ascending: readonly number[], percent: number): string {
  return ascending[Math.ceil((percent * ascending.length) / 100) - 1]!.toFixed(0)
}
