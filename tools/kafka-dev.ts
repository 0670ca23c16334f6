import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { startJvmCluster } from './kafka/jvm-cluster.ts'
import { startJvmRegistry } from './kafka/jvm-registry.ts'
import { javaMissing } from './kafka/libraries.ts'
import { freePorts, isFree } from './kafka/ports.ts'

/** `npm run kafka:dev`: one broker and a schema registry in the foreground, to try a desk on Kafka. Ctrl-C stops both. */
const { values } = parseArgs({
  options: {
    folder: { type: 'string', default: '.kafka' },
    port: { type: 'string', default: '9092' },
    'registry-port': { type: 'string', default: '8081' },
  },
})
const folder = resolve(values.folder)
const [port, registryPort] = [Number(values.port), Number(values['registry-port'])]

/** Servers started so far; the newest stops first. */
const stops: (() => Promise<void>)[] = []
let stopping: Promise<void> | undefined

function stopAll(exitCode: number): Promise<void> {
  stopping ??= (async () => {
    for (const stop of stops.toReversed()) await stop()
    process.exit(exitCode)
  })()
  return stopping
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stopAll(0))

async function refusal(): Promise<string | undefined> {
  const missing = javaMissing()
  if (missing !== undefined) return missing
  if (!(await isFree(port))) return `port ${port} is taken: write --port with another one`
  if (!(await isFree(registryPort))) return `port ${registryPort} is taken: write --registry-port with another one`
  return undefined
}

async function start(): Promise<void> {
  mkdirSync(folder, { recursive: true })
  const [internal, controller] = await freePorts(2)
  const ports = [{ client: port, internal: internal!, controller: controller! }]
  console.log(`Starting Kafka and a schema registry; their data lies in ${folder} and stays.`)
  const cluster = await startJvmCluster({}, { folder, ports })
  stops.push(cluster.stop)
  const registry = await startJvmRegistry({}, { folder: resolve(folder, 'registry'), port: registryPort })
  stops.push(registry.stop)
  console.log(`
  log       kafka://127.0.0.1:${port}
  registry  ${registry.url}

  npx obstream --log kafka://127.0.0.1:${port} --registry ${registry.url} up

Ctrl-C stops both.`)
}

const refused = await refusal()
if (refused !== undefined) {
  console.error(refused)
  process.exit(69)
}
await start().catch(async (error) => {
  if (stopping === undefined) console.error(error.message)
  await stopAll(69)
})
