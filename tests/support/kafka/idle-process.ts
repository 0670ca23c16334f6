import { createHook } from 'node:async_hooks'
import { openKafkaLog } from '#lib/eventlog/kafka/kafka-log.ts'
import { systemClock } from '#lib/runtime/clock.ts'

/**
 * A process that follows a partition in which nothing happens. After a second it prints how many timers were set meanwhile,
 * and how many batches came.
 */
const [bootstrap, prefix, topic] = process.argv.slice(2)
const log = await openKafkaLog({
  brokers: [bootstrap!],
  prefix: prefix!,
  clock: systemClock,
  partitions: 1,
  clientId: 'obstream-test',
})
let batches = 0
const stop = new AbortController()
const following = (async () => {
  for await (const _ of log.follow(topic!, 0, 0, stop.signal)) batches++
})()
while (batches === 0) await systemClock.sleep(20)

let timers = 0
const hook = createHook({
  init(_, type) {
    if (type === 'Timeout') timers++
  },
}).enable()
await systemClock.sleep(1_000)
hook.disable()
stop.abort()
await following
await log.close()
process.stdout.write(JSON.stringify({ batches, timers }))
