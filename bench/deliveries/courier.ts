import { startCourier } from '#services/alerter/courier/start.ts'
import { readUsage, type Usage } from '../machine.ts'
import { openDesk } from './desk.ts'

/** One life of the courier, in a process of its own, until all that the log holds is told. */
export interface CourierRun extends Usage {
  /** From the open log to the last message accepted. */
  readonly seconds: number
}

const env = await openDesk(process.argv[2]!)
const before = readUsage()
const startedAt = performance.now()
const courier = await startCourier(env)
await courier.settled()
const seconds = (performance.now() - startedAt) / 1000
const after = readUsage()
await courier.stop()
await env.close()
const run: CourierRun = { seconds, cpuSeconds: after.cpuSeconds - before.cpuSeconds, peakRssMiB: after.peakRssMiB }
process.stdout.write(JSON.stringify(run))
