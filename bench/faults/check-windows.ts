import type { TopicCodec } from '#lib/codec/avro.ts'
import type { EventLog, PartitionOffsets } from '#lib/eventlog/port.ts'
import type { Probe, SampleFact, Window, WindowFact } from '#lib/facts.ts'
import { windowName } from '#lib/keys.ts'
import { formatInstant, type Instant } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { GRACE_MS, WINDOW_MS } from './desk.ts'
import type { Fault } from './fault.ts'
import { recordsOf } from './records-in.ts'

/** What a window says of its samples. */
type Figures = Pick<Window, 'count' | 'errorCount' | 'timeoutCount' | 'skippedCount' | 'p50Ms' | 'p95Ms' | 'maxMs'>

/**
 * Counts the samples once more, as somebody would who knows nothing of folds, and compares with the newest revision of
 * each window that rollup has closed.
 */
export async function checkWindows(
  log: EventLog,
  codecs: { readonly sample: TopicCodec<SampleFact>; readonly window: TopicCodec<WindowFact> },
): Promise<readonly Fault[]> {
  const commits = await log.committed('rollup', topics.sample.name)
  const faults: Fault[] = []
  for (const place of await log.offsets(topics.sample.name)) {
    const { partition } = place
    const reachedAt = commits.find((commit) => commit.partition === partition)?.reached
    if (reachedAt === undefined || reachedAt === null)
      faults.push({ kind: 'fact_different', about: `rollup has committed nothing of partition ${partition}` })
    else {
      const samples = await samplesBefore(log, codecs.sample, { place, reachedAt })
      faults.push(...compare(samples, await newestRevisions(log, codecs.window, partition), reachedAt))
    }
  }
  return faults
}

function compare(
  samples: ReadonlyMap<string, Samples>,
  windows: ReadonlyMap<string, Window>,
  reachedAt: Instant,
): readonly Fault[] {
  const faults: Fault[] = []
  for (const [name, { startAt, probes }] of samples) {
    const window = windows.get(name)
    const counted = JSON.stringify(figuresOf(probes))
    const told = window && JSON.stringify(pick(window))
    const isDue = startAt + WINDOW_MS + GRACE_MS <= reachedAt
    if (window ? told !== counted : isDue)
      faults.push({ kind: 'window_wrong', about: `${name}: told ${told}, but its samples give ${counted}` })
  }
  for (const [name, { count, errorCount }] of windows)
    if (!samples.has(name) && count + errorCount > 0)
      faults.push({ kind: 'window_wrong', about: `${name} counts ${count + errorCount} samples that are not there` })
  return faults
}

interface Samples {
  readonly startAt: Instant
  readonly probes: Probe[]
}

/** Samples by window, the first of each id, up to the tick that rollup has come to; it decides on what came before. */
async function samplesBefore(
  log: EventLog,
  codec: TopicCodec<SampleFact>,
  { place, reachedAt }: { readonly place: PartitionOffsets; readonly reachedAt: Instant },
): Promise<Map<string, Samples>> {
  const windows = new Map<string, Samples>()
  const ids = new Set<string>()
  let newestTickAt: Instant | null = null
  for await (const { key, value } of recordsOf(log, topics.sample.name, place)) {
    const fact = codec.decode(value!)
    if (fact.type === 'tick') {
      if (fact.at === reachedAt) return windows
      newestTickAt = Math.max(newestTickAt ?? fact.at, fact.at)
      continue
    }
    const id = `${key} ${fact.scheduledAt} ${fact.ordinal}`
    if (ids.has(id)) continue
    ids.add(id)
    if (isTooEarly(fact.scheduledAt, newestTickAt)) continue
    const startAt = startOfWindow(fact.scheduledAt)
    const name = windowName(key.toString(), startAt)
    const window = windows.get(name) ?? { startAt, probes: [] }
    window.probes.push(fact)
    windows.set(name, window)
  }
  throw new Error(
    `partition ${place.partition} holds no tick of ${formatInstant(reachedAt)}, which rollup says it has folded`,
  )
}

const startOfWindow = (at: Instant): Instant => at - (at % WINDOW_MS)

/** More than one window ahead of what was known of the time: refused, and that is told. */
function isTooEarly(at: Instant, tickAt: Instant | null): boolean {
  return tickAt !== null && at >= startOfWindow(tickAt) + 2 * WINDOW_MS
}

async function newestRevisions(
  log: EventLog,
  codec: TopicCodec<WindowFact>,
  partition: number,
): Promise<Map<string, Window>> {
  const windows = new Map<string, Window>()
  const place = (await log.offsets(topics.window.name))[partition]!
  for await (const { value } of recordsOf(log, topics.window.name, place)) {
    const fact = codec.decode(value!)
    if (fact.type !== 'window') continue
    const name = windowName(fact.source, fact.startAt)
    if (fact.revision >= (windows.get(name)?.revision ?? 0)) windows.set(name, fact)
  }
  return windows
}

function figuresOf(probes: readonly Probe[]): Figures {
  const having = (outcome: Probe['outcome']): number => probes.filter((probe) => probe.outcome === outcome).length
  const latencies = probes
    .filter(({ outcome }) => outcome === 'ok' || outcome === 'timeout')
    .map(({ latencyMs }) => latencyMs!)
    .toSorted((a, b) => a - b)
  const rank = (percent: number): number | null => latencies[Math.ceil((percent * latencies.length) / 100) - 1] ?? null
  return {
    count: latencies.length,
    errorCount: having('error') + having('timeout'),
    timeoutCount: having('timeout'),
    skippedCount: having('skipped'),
    p50Ms: rank(50),
    p95Ms: rank(95),
    maxMs: latencies.at(-1) ?? null,
  }
}

function pick({ count, errorCount, timeoutCount, skippedCount, p50Ms, p95Ms, maxMs }: Window): Figures {
  return { count, errorCount, timeoutCount, skippedCount, p50Ms, p95Ms, maxMs }
}
