import type { TopicCodec } from '#lib/codec/avro.ts'
import type { SampleFact } from '#lib/facts.ts'
import { runToEnd } from '#lib/runtime/run-to-end.ts'
import { topics } from '#lib/topics.ts'
import { rollupReading } from '#services/rollup/service.ts'
import { openBenchKafka } from '../bench-log.ts'
import { readUsage } from '../machine.ts'
import { windowLinesOf } from '../rollup/window-lines.ts'
import type { ReaderRun } from './reader-run.ts'

/** obstream's rollup service over the topic, from joining the group to the last window acknowledged and committed. */
const [broker, partitions] = process.argv.slice(2)
const bench = await openBenchKafka([broker!], Number(partitions))
const before = readUsage()
const startedAt = performance.now()
await runToEnd(rollupReading(bench.codecs.get(topics.sample) as TopicCodec<SampleFact>), bench)
const seconds = (performance.now() - startedAt) / 1000
const after = readUsage()
const { lines, others } = await windowLinesOf(bench)
await bench.log.close()
if (others > 0) throw new Error(`rollup told ${others} things more`)
const run: ReaderRun = {
  seconds,
  cpuSeconds: after.cpuSeconds - before.cpuSeconds,
  peakRssMiB: after.peakRssMiB,
  lines,
}
process.stdout.write(JSON.stringify(run))
