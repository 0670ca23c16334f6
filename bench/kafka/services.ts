import type { TopicCodec } from '#lib/codec/avro.ts'
import type { SampleFact } from '#lib/facts.ts'
import { runService } from '#lib/runtime/run.ts'
import { topics } from '#lib/topics.ts'
import { alerter } from '#services/alerter/service.ts'
import { rollupReading } from '#services/rollup/service.ts'
import { openBenchKafka } from '../bench-log.ts'
import { readUsage } from '../machine.ts'

/** Rollup and the alerter's fold in a process of their own, until told to end; then prints what they have used. */
const [broker, partitions] = process.argv.slice(2)
const bench = await openBenchKafka([broker!], Number(partitions))
const services = [
  await runService(rollupReading(bench.codecs.get(topics.sample) as TopicCodec<SampleFact>), bench),
  await runService(alerter, bench),
]
process.once('SIGTERM', async () => {
  await Promise.all(services.map((service) => service.stop()))
  await bench.log.close()
  process.stdout.write(JSON.stringify(readUsage()))
})
