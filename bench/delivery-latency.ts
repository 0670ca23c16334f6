import { rmSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { readFactSet } from '#lib/jobs/read-facts.ts'
import { partitionOf } from '#lib/partitioner.ts'
import { codecOf, type Environment } from '#lib/runtime/environment.ts'
import { type Instant, type Milliseconds, SECOND_MS } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { startJvmCluster } from '#tools/kafka/jvm-cluster.ts'
import { startJvmRegistry } from '#tools/kafka/jvm-registry.ts'
import { createDesk, type LogPlaces, openDesk, secretsFor } from './deliveries/desk.ts'
import { type Arrival, FastReceiver } from './deliveries/fast-receiver.ts'
import { assertDelivered, messagesIn, sentAmong } from './deliveries/ledger.ts'
import { startTurns } from './deliveries/slow-by-turns.ts'
import { Life } from './faults/life.ts'
import { count, markdownTable } from './results.ts'

/**
 * How long after the tick that closes a window was appended the first byte about it is at the receiver, with the real
 * commands on both logs. Prints its section of the results.
 *
 * `node bench/delivery-latency.ts [SOURCES SECONDS]` takes other numbers, for a first look.
 */
const [SOURCES = 50, DURATION_S = 240] = process.argv.slice(2).map(Number)
const PARTITIONS = 4
const WINDOW_MS = 10 * SECOND_MS
const SLOW_WINDOWS = 3
const THRESHOLD_MS = 150
const SETTLES_MS = 5 * SECOND_MS
const SERVED = ['sampler', 'rollup', 'alerter'] as const
const RULE = `{id: p95, match: "*", threshold_ms: ${THRESHOLD_MS}, warning_after: 2, critical_after: 3, resolve_after: 2, reminder: 1h}`

/** One desk, its log, and the commands that run on it. */
interface Scene {
  readonly name: string
  readonly dataDir: string
  readonly places: LogPlaces
  readonly commands: readonly (readonly string[])[]
}

const router = await startTurns({ windowMs: WINDOW_MS, windows: SLOW_WINDOWS, fastMs: 20, slowMs: 250 })
const receiver = await FastReceiver.open()
const secrets = secretsFor(receiver.url)
Object.assign(process.env, secrets)
try {
  const rows = [await onSqlite(), await onKafka()]
  console.log(`The real commands: ${count(SOURCES)} sources, each probed each second, windows of ten seconds with a grace of one; every source is slow for
${SLOW_WINDOWS} windows and well for ${SLOW_WINDOWS}, in turn, so that many alerts open, become critical and end by the same tick. One webhook is told of all
of it. From the instant at which the log took the tick that decides to the moment the head of the request is at the receiver; a
transition waits for those of its tick that are decided before it. What came is what the ledger holds, byte for byte.

${markdownTable([['log', 'messages', 'most by one tick', 'p50', 'p99', 'slowest'], ...rows])}`)
} finally {
  await receiver.close()
  await router.close()
}

async function onSqlite(): Promise<readonly string[]> {
  const dataDir = desk(1)
  const commands = [['--data-dir', dataDir, 'up']]
  return measure({ name: 'SQLite, all services in one `obstream up`', dataDir, places: {}, commands })
}

async function onKafka(): Promise<readonly string[]> {
  const cluster = await startJvmCluster({})
  try {
    const registry = await startJvmRegistry()
    try {
      const dataDir = desk(PARTITIONS)
      const places = { log: `kafka://${cluster.bootstrap.join(',')}`, registry: registry.url }
      const flags = ['--data-dir', dataDir, '--log', places.log, '--registry', places.registry]
      const commands = SERVED.map((name) => [...flags, 'serve', name])
      return await measure({ name: `Kafka, ${SERVED.join(', ')} in processes of their own`, dataDir, places, commands })
    } finally {
      await registry.stop()
    }
  } finally {
    await cluster.stop()
  }
}

function desk(partitions: number): string {
  const sources = Array.from(
    { length: SOURCES },
    (_, i) => `  - {id: router_${i}, kind: http, url: "${router.url}/${i}", interval: 1s, timeout: 900ms}\n`,
  )
  const window = `window: {length: ${WINDOW_MS}ms, grace: 1s}\n`
  return createDesk(`sources:\n${sources.join('')}${window}partitions: ${partitions}\n`, RULE)
}

async function measure({ name, dataDir, places, commands }: Scene): Promise<readonly string[]> {
  try {
    // Topics and schemas, before several begin at once.
    await (await openDesk(dataDir, places)).close()
    await live(commands)
    const env = await openDesk(dataDir, places)
    const { arrivals } = receiver.take()
    const latencies = await latenciesOf(env, arrivals).finally(() => env.close())
    const ascending = latencies.flat().toSorted((a, b) => a - b)
    const figures = [ascending.length, Math.max(...latencies.map(({ length }) => length))].map(count)
    return [name, ...figures, ...[50, 99, 100].map((percent) => `${at(ascending, percent)} ms`)]
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
}

/** Runs the commands for the time that is measured, and ends them in the order of the data flow. */
async function live(commands: Scene['commands']): Promise<void> {
  const lives = commands.map((args) => new Life(args, secrets))
  try {
    for (const life of lives) await Promise.race([life.runs, life.ended.then(failed)])
    await wait(DURATION_S * SECOND_MS)
    for (const life of lives.slice(0, -1)) await stop(life)
    // The last one tells; what it has decided is told by then.
    await wait(SETTLES_MS)
    await stop(lives.at(-1)!)
  } catch (error) {
    await Promise.allSettled(lives.map((life) => life.kill()))
    throw error
  }
}

async function stop(life: Life): Promise<void> {
  const ended = await life.stop()
  if (ended.code !== 0) failed(ended)
}

function failed({ code, stderr }: { readonly code: number | null; readonly stderr: string }): never {
  throw new Error(`obstream ended with ${code}:\n${stderr}`)
}

/** How late each message was, grouped by the tick that decided. */
async function latenciesOf(env: Environment, arrivals: readonly Arrival[]): Promise<readonly Milliseconds[][]> {
  const sent = sentAmong(await messagesIn(env))
  assertDelivered(sent, arrivals)
  const takenAt = await ticksOf(env)
  const decidedBy = await decidingTicksOf(env)
  const arrivedAt = new Map(arrivals.map(({ messageId, headAt }) => [messageId, headAt]))
  const groups = Map.groupBy(sent, ({ subject }) => decidedBy.get(subject)!)
  return [...groups].map(([tick, messages]) =>
    messages.map(({ messageId }) => arrivedAt.get(messageId)! - takenAt.get(tick)!),
  )
}

/** When the log took each tick, by `partition/instant`. */
async function ticksOf({ log, codecs }: Environment): Promise<ReadonlyMap<string, Instant>> {
  const codec = codecOf({ codecs }, topics.sample)
  const taken = new Map<string, Instant>()
  for (const { partition, earliest, end } of await log.offsets(topics.sample.name))
    for await (const batch of log.read(topics.sample.name, partition, earliest, end))
      for (const { value } of batch.records()) {
        const fact = codec.decode(value!)
        const name = fact.type === 'tick' ? `${partition}/${fact.at}` : undefined
        if (name !== undefined && !taken.has(name)) taken.set(name, batch.appendedAtMs)
      }
  return taken
}

/** The tick that decided each transition, named as in `ticksOf`, by the transition's key. */
async function decidingTicksOf(env: Environment): Promise<ReadonlyMap<string, string>> {
  const partitions = (await env.log.offsets(topics.alert.name)).length
  const facts = await readFactSet(env.log, codecOf(env, topics.alert))
  return new Map(
    facts.map(({ key, value: { source, decidedAt } }) => [key, `${partitionOf(source, partitions)}/${decidedAt}`]),
  )
}

function at(ascending: readonly number[], percent: number): string {
  return ascending[Math.ceil((percent * ascending.length) / 100) - 1]!.toFixed(0)
}
