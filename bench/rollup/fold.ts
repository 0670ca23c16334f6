import type { TopicCodec } from '#lib/codec/avro.ts'
import type { SampleFact } from '#lib/facts.ts'
import { runToEnd } from '#lib/runtime/run-to-end.ts'
import { topics } from '#lib/topics.ts'
import { rollupReading } from '#services/rollup/service.ts'
import { openBenchLog } from '../bench-log.ts'
import { readUsage } from '../machine.ts'

/** One run of rollup over a log, in a process of its own. */
export interface FoldRun {
  /** From the open log to the last window durable and progress committed. */
  readonly wallSeconds: number
  readonly cpuSeconds: number
  readonly peakRssMiB: number
}

const bench = await openBenchLog(process.argv[2]!)
const before = readUsage()
const startedAt = performance.now()
await runToEnd(rollupReading(bench.codecs.get(topics.sample) as TopicCodec<SampleFact>), bench)
const wallSeconds = (performance.now() - startedAt) / 1000
const after = readUsage()
await bench.log.close()
const run: FoldRun = {
  wallSeconds,
  cpuSeconds: after.cpuSeconds - before.cpuSeconds,
  peakRssMiB: after.peakRssMiB,
}
process.stdout.write(JSON.stringify(run))
