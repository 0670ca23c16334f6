import { runToEnd } from '#lib/runtime/run-to-end.ts'
import { topics } from '#lib/topics.ts'
import { alerter } from '#services/alerter/service.ts'
import { openBenchLog } from '../bench-log.ts'
import { readUsage } from '../machine.ts'

/** One run of the alerter over a log, in a process of its own. */
export interface AlertRun {
  readonly windows: number
  readonly alerts: number
  /** From the open log to the last transition durable and progress committed. */
  readonly wallSeconds: number
  readonly cpuSeconds: number
  readonly peakRssMiB: number
}

const bench = await openBenchLog(process.argv[2]!)
const before = readUsage()
const startedAt = performance.now()
await runToEnd(alerter, bench)
const wallSeconds = (performance.now() - startedAt) / 1000
const after = readUsage()
const run: AlertRun = {
  windows: (await bench.log.offsets(topics.window.name))[0]!.end,
  alerts: (await bench.log.offsets(topics.alert.name))[0]!.end,
  wallSeconds,
  cpuSeconds: after.cpuSeconds - before.cpuSeconds,
  peakRssMiB: after.peakRssMiB,
}
await bench.log.close()
process.stdout.write(JSON.stringify(run))
