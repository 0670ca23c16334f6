import type { TopicCodec } from '#lib/codec/avro.ts'
import type { WindowFact } from '#lib/facts.ts'
import { HOUR_MS } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { openBenchLog } from '../bench-log.ts'
import type { HourLine } from './peer.ts'

/** What rollup has told, in the words of the comparison; `others` are records that should not be there. */
export async function readWindowLines(
  logPath: string,
): Promise<{ readonly lines: readonly HourLine[]; readonly others: number }> {
  const { log, codecs } = await openBenchLog(logPath)
  const codec = codecs.get(topics.window) as TopicCodec<WindowFact>
  const lines: HourLine[] = []
  let others = 0
  const { earliest, end } = (await log.offsets(topics.window.name))[0]!
  for await (const batch of log.read(topics.window.name, 0, earliest, end))
    for (const { value } of batch.records()) {
      const fact = codec.decode(value!)
      if (fact.type !== 'window' || fact.revision > 0) others++
      else if (fact.count + fact.errorCount > 0) {
        const { source, startAt, count, errorCount, p50Ms, p95Ms, maxMs } = fact
        lines.push([source, startAt / HOUR_MS, count, errorCount, p50Ms, p95Ms, maxMs].join(','))
      }
    }
  await log.close()
  return { lines: lines.toSorted(), others }
}
