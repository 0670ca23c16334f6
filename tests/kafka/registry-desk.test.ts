import { randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeAll, expect } from '@jest/globals'
import { SchemaRegistry as Library } from '@kafkajs/confluent-schema-registry'
import { exitCodes } from '#lib/errors.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import { systemClock } from '#lib/runtime/clock.ts'
import { type Environment, openEnvironment } from '#lib/runtime/environment.ts'
import { randomIds } from '#lib/runtime/ids.ts'
import { loadConfig } from '#lib/runtime/load-config.ts'
import { createMetricsRegistry } from '#lib/runtime/metrics.ts'
import type { RunningService } from '#lib/runtime/run.ts'
import { type TopicDefinition, topics } from '#lib/topics.ts'
import { startRollup } from '#services/rollup/main.ts'
import { startSampler } from '#services/sampler/main.ts'
import { runBin } from '#tests/support/bin.ts'
import { freshDesk } from '#tests/support/desk.ts'
import { eventually } from '#tests/support/eventually.ts'
import { kafkaMissing } from '#tests/support/kafka/provider.ts'
import { sharedKafka } from '#tests/support/kafka/shared.ts'
import { testNeeding } from '#tests/support/required.ts'

const missing = kafkaMissing()
const MINUTES_3 = 180_000
const DEADLINE_MS = 90_000

let kafka: Awaited<ReturnType<typeof sharedKafka>>
let router: Server | undefined
let env: Environment | undefined
let running: RunningService[] = []

if (missing === undefined)
  beforeAll(async () => {
    kafka = await sharedKafka()
  }, MINUTES_3)
afterEach(async () => {
  await Promise.all(running.map((service) => service.stop()))
  await env?.close()
  router?.closeAllConnections()
  router?.close()
  running = []
  env = undefined
  router = undefined
}, MINUTES_3)

/** A data directory whose configuration names the shared cluster; the desk has topics and subjects for itself. */
function deskOnKafka(main: string): { readonly dataDir: string; readonly prefix: string } {
  const prefix = randomUUID().slice(0, 8)
  return { dataDir: freshDesk(`log: kafka://${kafka.bootstrap}/${prefix}\npartitions: 2\n${main}\n`), prefix }
}

async function startRouter(): Promise<string> {
  const server = createServer((_, response) => void response.end('pong'))
  router = server
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/ping`
}

function openDesk(dataDir: string): Promise<Environment> {
  return openEnvironment({
    config: loadConfig({ dataDir, env: {} }).config,
    clock: systemClock,
    ids: randomIds,
    logger: { info: () => {}, warn: () => {} },
    metrics: createMetricsRegistry(),
  })
}

async function valuesOf(log: EventLog, topic: TopicDefinition): Promise<readonly Buffer[]> {
  const values: Buffer[] = []
  for (const { partition, earliest, end } of await log.offsets(topic.name))
    for await (const batch of log.read(topic.name, partition, earliest, end))
      for (const { value } of batch.records()) values.push(value!)
  return values
}

testNeeding(
  missing,
  'a desk on Kafka and a registry: samples go in, windows come out, and any client of the registry can read them',
  async () => {
    const { dataDir, prefix } = deskOnKafka(`registry: {url: "${kafka.registryUrl}"}
window: {length: 10s, grace: 1s}
sources: [{id: router, kind: http, url: "${await startRouter()}", interval: 1s, timeout: 1s}]`)
    env = await openDesk(dataDir)
    const { log } = env
    running = [await startSampler(env), await startRollup(env)]
    const library = new Library({ host: kafka.registryUrl })
    const window = await eventually(async () => {
      for (const value of await valuesOf(log, topics.window)) {
        const { fact } = (await library.decode(value)) as { fact: Record<string, { count: number; source: string }> }
        const found = Object.values(fact).find(({ count }) => count > 0)
        if (found) return found
      }
      return undefined
    }, DEADLINE_MS)
    expect(window).toMatchObject({ source: 'router', count: expect.any(Number) })
    expect((await log.offsets(topics.deadLetter.name))[0]!.end).toBe(0)

    const subjects = (await (await fetch(`${kafka.registryUrl}/subjects`)).json()) as readonly string[]
    expect(subjects.filter((subject) => subject.startsWith(`${prefix}.`)).toSorted()).toEqual(
      ['alert', 'breach', 'command', 'delivery', 'job', 'plan', 'sample', 'window'].map(
        (topic) => `${prefix}.obs.${topic}.v1-value`,
      ),
    )

    const { code, stdout } = await runBin(['tail', 'window', '--json'], { cwd: dataDir })
    expect(code).toBe(exitCodes.ok)
    expect(stdout.split('\n').map((line) => line && JSON.parse(line).value.source)).toContain('router')
    const flags = ['--log', `kafka://${kafka.bootstrap}/${prefix}`, '--registry', kafka.registryUrl]
    const elsewhere = await runBin(['tail', 'window', '--json', ...flags], { cwd: freshDesk('') })
    expect(elsewhere).toMatchObject({ code: exitCodes.ok, stdout: expect.stringContaining('"source":"router"') })
  },
  MINUTES_3,
)

testNeeding(
  missing,
  'without the registry a desk does not start: exit code 69 after the wait, with its address',
  async () => {
    const nobody = 'http://127.0.0.1:9'
    const { dataDir } = deskOnKafka(`registry: {url: "${nobody}", wait: 1s}`)
    const { code, stderr } = await runBin(['latency'], { cwd: dataDir })
    expect(code).toBe(exitCodes.unavailable)
    expect(stderr).toMatch(/OBS_REGISTRY_UNAVAILABLE/)
    expect(stderr).toContain(`the schema registry ${nobody} cannot be reached`)
  },
  MINUTES_3,
)
