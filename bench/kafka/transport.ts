import { topics } from '#lib/topics.ts'
import { openBenchKafka } from '../bench-log.ts'
import { readUsage } from '../machine.ts'
import type { ReaderRun } from './reader-run.ts'

/** Reads every batch of the topic through the log, checks its CRC32C, counts its records, and looks at none of them. */
const [broker, partitions, wanted] = process.argv.slice(2)
const { log } = await openBenchKafka([broker!], Number(partitions))
const before = readUsage()
const startedAt = performance.now()
let records = 0
await Promise.all(
  (await log.offsets(topics.sample.name)).map(async ({ partition, earliest, end }) => {
    for await (const { recordCount } of log.read(topics.sample.name, partition, earliest, end)) records += recordCount
  }),
)
const seconds = (performance.now() - startedAt) / 1000
const after = readUsage()
await log.close()
if (records !== Number(wanted)) throw new Error(`${records} records were read, not ${wanted}`)
const run: ReaderRun = {
  seconds,
  cpuSeconds: after.cpuSeconds - before.cpuSeconds,
  peakRssMiB: after.peakRssMiB,
  lines: null,
}
process.stdout.write(JSON.stringify(run))
