import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describeLoad, describeMachine } from './machine.ts'
import { writeSection } from './results.ts'

/**
 * `npm run bench [-- log rollup alerter kafka kafka-latency deliveries delivery-latency]`: measures the hot paths, each file
 * in a process of its own, and writes its section of `bench/results.md`.
 */
const TITLES: Readonly<Record<string, string>> = {
  log: 'The event log',
  rollup: 'Rollup',
  alerter: 'The alerter',
  kafka: 'Rollup on Kafka',
  'kafka-latency': 'From tick to alert on Kafka',
  deliveries: 'Deliveries',
  'delivery-latency': 'From tick to receiver',
}

const named = process.argv.slice(2)
for (const name of named.length > 0 ? named : Object.keys(TITLES)) {
  const title = TITLES[name]
  if (title === undefined) throw new Error(`there is no benchmark ${name}; there are ${Object.keys(TITLES).join(', ')}`)
  const load = describeLoad()
  const { status, stdout } = spawnSync(process.execPath, [fileURLToPath(new URL(`${name}.ts`, import.meta.url))], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (status !== 0) process.exitCode = 1
  writeSection(title, `${describeMachine()}.\n${load}\n\n${stdout}${status === 0 ? '' : '\nFAILED'}`)
  console.log(`## ${title}\n\n${stdout}`)
}
