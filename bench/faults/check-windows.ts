import type { TopicCodec } from '#lib/codec/avro.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import type { Probe, SampleFact, Window, WindowFact } from '#lib/facts.ts'
import { windowName } from '#lib/keys.ts'
import { formatInstant, type Instant } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { GRACE_MS, WINDOW_MS } from './desk.ts'
import type { Fault } from './fault.ts'

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
  const reachedAt = (await log.committed('rollup', topics.sample.name))[0]?.reached
  if (reachedAt === undefined || reachedAt === null)
    return [{ kind: 'fact_different', about: 'rollup has committed nothing' }]
  const samples = await samplesBefore(log, codecs.sample, reachedAt)
  const windows = await newestRevisions(log, codecs.window)
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
  reachedAt: Instant,
): Promise<Map<string, Samples>> {
  const windows = new Map<string, Samples>()
  const ids = new Set<string>()
  const { earliest, end } = (await log.offsets(topics.sample.name))[0]!
  for await (const batch of log.read(topics.sample.name, 0, earliest, end))
    for (const { key, value } of batch.records()) {
      const fact = codec.decode(value!)
      if (fact.type === 'tick') {
        if (fact.at === reachedAt) return windows
        continue
      }
      const id = `${key} ${fact.scheduledAt} ${fact.ordinal}`
      if (ids.has(id)) continue
      ids.add(id)
      const startAt = fact.scheduledAt - (fact.scheduledAt % WINDOW_MS)
      const name = windowName(key.toString(), startAt)
      const window = windows.get(name) ?? { startAt, probes: [] }
      window.probes.push(fact)
      windows.set(name, window)
    }
  throw new Error(`the log holds no tick of ${formatInstant(reachedAt)}, which rollup says it has folded`)
}

async function newestRevisions(log: EventLog, codec: TopicCodec<WindowFact>): Promise<Map<string, Window>> {
  const windows = new Map<string, Window>()
  const { earliest, end } = (await log.offsets(topics.window.name))[0]!
  for await (const batch of log.read(topics.window.name, 0, earliest, end))
    for (const { value } of batch.records()) {
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
