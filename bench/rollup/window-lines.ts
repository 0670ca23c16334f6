import type { TopicCodec } from '#lib/codec/avro.ts'
import type { WindowFact } from '#lib/facts.ts'
import { HOUR_MS } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { type BenchLog, openBenchLog } from '../bench-log.ts'
import type { HourLine } from './peer.ts'

/** What rollup has told, in the words of the comparison; `others` are records that should not be there. */
export async function readWindowLines(logPath: string): Promise<WindowLines> {
  const bench = await openBenchLog(logPath)
  const lines = await windowLinesOf(bench)
  await bench.log.close()
  return lines
}

export interface WindowLines {
  readonly lines: readonly HourLine[]
  readonly others: number
}

/** The same of a log that is open. */
export async function windowLinesOf({ log, codecs }: BenchLog): Promise<WindowLines> {
  const codec = codecs.get(topics.window) as TopicCodec<WindowFact>
  const lines: HourLine[] = []
  let others = 0
  for (const { partition, earliest, end } of await log.offsets(topics.window.name))
    for await (const batch of log.read(topics.window.name, partition, earliest, end))
      for (const { value } of batch.records()) {
        const fact = codec.decode(value!)
        if (fact.type !== 'window' || fact.revision > 0) others++
        else if (fact.count + fact.errorCount > 0) {
          const { source, startAt, count, errorCount, p50Ms, p95Ms, maxMs } = fact
          lines.push([source, startAt / HOUR_MS, count, errorCount, p50Ms, p95Ms, maxMs].join(','))
        }
      }
  return { lines: lines.toSorted(), others }
}
