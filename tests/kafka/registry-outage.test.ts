import type { ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { afterEach, beforeAll, beforeEach, expect } from '@jest/globals'
import { openCodec, schemaIdOf, type TopicCodec } from '#lib/codec/avro.ts'
import { loadTopicSchema, subjectOf } from '#lib/codec/avro-schema.ts'
import { exitCodes } from '#lib/errors.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import type { SampleFact } from '#lib/facts.ts'
import { openConfluentRegistry } from '#lib/registry/confluent.ts'
import type { SchemaRegistry as Registry } from '#lib/registry/port.ts'
import { catalogue, topics } from '#lib/topics.ts'
import { runBin, startBin } from '#tests/support/bin.ts'
import { freshDesk, VALID_MAIN } from '#tests/support/desk.ts'
import { eventually } from '#tests/support/eventually.ts'
import { type FreshLog, freshLog } from '#tests/support/kafka/fresh-logs.ts'
import { kafkaMissing, startRegistry } from '#tests/support/kafka/provider.ts'
import { sharedKafka } from '#tests/support/kafka/shared.ts'
import { probeOf } from '#tests/support/play.ts'
import { testNeeding } from '#tests/support/required.ts'
import type { SchemaRegistry } from '#tools/kafka/server.ts'

const missing = kafkaMissing()
/** A process starts in half a second, on a busy machine in ten. */
const DEADLINE_MS = 60_000
const MINUTES_3 = 180_000

let bootstrap: string
let server: SchemaRegistry
let logs: FreshLog
let log: EventLog
let registry: Registry
let codec: TopicCodec<SampleFact>
const children: ChildProcess[] = []

if (missing === undefined) {
  beforeAll(async () => {
    bootstrap = (await sharedKafka()).bootstrap
  }, MINUTES_3)
  beforeEach(async () => {
    server = await startRegistry()
    logs = freshLog([bootstrap], { partitions: 1 })
    log = await logs.open()
    await log.topics.apply(catalogue)
    registry = connect()
    codec = await openCodec(topics.sample, registry)
  }, MINUTES_3)
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
    await logs.close()
    await server.stop()
  }, MINUTES_3)
}

function connect(): Registry {
  return openConfluentRegistry({
    url: server.url,
    prefix: logs.prefix,
    ca: null,
    credentials: null,
    waitMs: DEADLINE_MS,
  })
}

interface RunningRollup {
  readonly child: ChildProcess
  /** What `/readyz` says of the registry; `null`: all is well. */
  reason(): Promise<string | null>
  readonly stderr: string
}

/** A data directory on the log and the registry of the test. */
function desk(): string {
  return freshDesk(
    `${VALID_MAIN}log: kafka://${bootstrap}/${logs.prefix.slice(0, -1)}\npartitions: 1
registry: {url: "${server.url}", wait: 10s}\npage: {bind: "127.0.0.1:0"}\n`,
  )
}

/** `obstream serve rollup`. */
async function startRollup(): Promise<RunningRollup> {
  const child = startBin(['serve', 'rollup'], { cwd: desk() })
  children.push(child)
  const output = { stderr: '' }
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text
  })
  const url = await eventually(() => {
    if (child.exitCode !== null) throw new Error(output.stderr)
    return /(http:\S+)\/readyz/.exec(output.stderr)?.[1]
  }, DEADLINE_MS)
  return {
    child,
    async reason() {
      const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(10_000) })
      const { checks } = (await response.json()) as { checks: Record<string, { reason: string | null }> }
      expect(response.status).toBe(Object.values(checks).every(({ reason }) => reason === null) ? 200 : 503)
      return checks['registry']!.reason
    },
    get stderr() {
      return output.stderr
    },
  }
}

let ordinal = 0

/** @param schemaId of a schema that writes the same bytes as ours */
async function appendSample(schemaId = codec.schemaId): Promise<number> {
  const [key, fact] = probeOf('router', 1_800_000_000_000, ordinal++, 20)
  const value = codec.encode(fact)
  value.writeUInt32BE(schemaId, 1)
  expect(schemaIdOf(value)).toBe(schemaId)
  return (await log.append(topics.sample.name, 0, [{ key: Buffer.from(key), value }])).baseOffset
}

async function foldedTo(): Promise<number> {
  const [progress] = await log.committed('rollup', topics.sample.name)
  return progress?.position[0] ?? 0
}

const isFolded = (offset: number): Promise<unknown> => eventually(async () => (await foldedTo()) > offset, DEADLINE_MS)

async function deadLetters(): Promise<number> {
  return (await log.offsets(topics.deadLetter.name))[0]!.end
}

/** The same fields in other words: another schema, but the bytes of its records are the same. */
function otherSchema(): Promise<number> {
  return registry.register(subjectOf(topics.sample), { ...loadTopicSchema(topics.sample), doc: randomUUID() })
}

testNeeding(
  missing,
  'a registry that dies stops nobody who knows the schema, and makes who meets a new one wait until it is back',
  async () => {
    const rollup = await startRollup()
    const other = await otherSchema()
    await isFolded(await appendSample())
    await server.kill('SIGKILL')
    await isFolded(await appendSample())
    expect(await rollup.reason()).toBeNull()

    const waitedFor = await appendSample(other)
    const behindIt = await appendSample()
    await eventually(async () => (await rollup.reason())?.includes('cannot be reached'), DEADLINE_MS)
    expect(await foldedTo()).toBe(waitedFor)
    expect(rollup.stderr).toContain(`waits as long as it takes for schema ${other}`)

    await server.restart()
    await isFolded(behindIt)
    expect(rollup.stderr).not.toContain('starts again')
    await eventually(async () => (await rollup.reason()) === null, DEADLINE_MS)
    expect(await deadLetters()).toBe(0)
  },
  MINUTES_3,
)

testNeeding(
  missing,
  'a registry that does not know an id may only be behind: the record waits, and is folded when the id is known',
  async () => {
    const rollup = await startRollup()
    const next = (await otherSchema()) + 1
    const waitedFor = await appendSample(next)
    await eventually(async () => (await rollup.reason())?.includes(`does not know schema ${next}`), DEADLINE_MS)
    expect(await foldedTo()).toBe(waitedFor)
    expect(await otherSchema()).toBe(next)
    await isFolded(waitedFor)
    await eventually(async () => (await rollup.reason()) === null, DEADLINE_MS)
    expect(await deadLetters()).toBe(0)
  },
  MINUTES_3,
)

testNeeding(
  missing,
  'who waits for a schema stops at once when told to',
  async () => {
    const rollup = await startRollup()
    await appendSample(1_000_000)
    await eventually(async () => (await rollup.reason()) !== null, DEADLINE_MS)
    const ended = once(rollup.child, 'close')
    rollup.child.kill('SIGTERM')
    expect(await ended).toEqual([0, null])
  },
  MINUTES_3,
)

testNeeding(
  missing,
  'a command that meets a schema nobody knows ends after its wait: exit code 69, and nothing is lost or dead',
  async () => {
    const waitedFor = await appendSample(1_000_000)
    const { code, stderr } = await runBin(['latency'], { cwd: desk() })
    expect(code).toBe(exitCodes.unavailable)
    expect(stderr).toContain('does not know schema 1000000, perhaps not yet')
    expect(stderr).toContain('OBS_REGISTRY_UNAVAILABLE')
    expect(await foldedTo()).toBeLessThanOrEqual(waitedFor)
    expect(await deadLetters()).toBe(0)
  },
  MINUTES_3,
)
