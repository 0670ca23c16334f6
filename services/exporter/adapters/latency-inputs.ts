import type { TopicCodec } from '#lib/codec/avro.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import type { Alert, JobStarted, SampleFact, Window, WindowFact } from '#lib/facts.ts'
import type { JobHistory } from '#lib/jobs/job-history.ts'
import { readFactSet, readFacts } from '#lib/jobs/read-facts.ts'
import { topics } from '#lib/topics.ts'
import type { LatencyRow } from '../latency-csv.ts'
import type { LatencyFacts } from '../latency-projection.ts'
import { SampleCuts } from '../sample-cuts.ts'

export interface LatencyCodecs {
  readonly sample: TopicCodec<SampleFact>
  readonly window: TopicCodec<WindowFact>
  readonly alert: TopicCodec<Alert>
}

/**
 * Reads what a latency job is a function of, from the oldest record that is kept. The log must hold everything below the
 * job's cut (`awaitCut`).
 *
 * @param history of the latency job; its start must be in it
 * @throws what the log throws · the signal's reason
 */
export async function readLatencyFacts(
  log: EventLog,
  codecs: LatencyCodecs,
  job: { readonly history: JobHistory; readonly start: JobStarted },
  signal?: AbortSignal,
): Promise<LatencyFacts> {
  const starts = startsUpTo(job.history, job.start)
  return {
    starts,
    newRows: await readNewRows(log, codecs.sample, starts, signal),
    windows: (await readFactSet(log, codecs.window, signal)).map(({ value }) => value).filter(isWindow),
    alerts: (await readFactSet(log, codecs.alert, signal)).map(({ value }) => value),
  }
}

/** The starts that shaped the files before, then the job. A dry run comes after all that count when it starts. */
function startsUpTo(history: JobHistory, start: JobStarted): readonly JobStarted[] {
  const place = history.starts.findIndex((other) => other.runId === start.runId)
  if (place >= 0) return history.starts.slice(0, place + 1)
  return [...history.starts.filter((other) => other.cutTickAt <= start.cutTickAt), start]
}

async function readNewRows(
  log: EventLog,
  codec: TopicCodec<SampleFact>,
  starts: readonly JobStarted[],
  signal: AbortSignal | undefined,
): Promise<readonly (readonly LatencyRow[])[]> {
  const newRows = starts.map((): LatencyRow[] => [])
  const cutsAt = starts.map((start) => start.cutTickAt)
  for (const { partition, earliest, end } of await log.offsets(topics.sample.name)) {
    const cuts = new SampleCuts(cutsAt, newRows)
    for await (const { key, value } of readFacts(log, codec, { partition, from: earliest, to: end }, signal))
      if (!cuts.take(key, value)) break
  }
  return newRows
}

function isWindow(fact: WindowFact): fact is Window {
  return fact.type === 'window'
}
