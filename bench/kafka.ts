import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Admin, Kafka, logLevel } from 'kafkajs'
import { topics } from '#lib/topics.ts'
import { startJvmCluster } from '#tools/kafka/jvm-cluster.ts'
import { runChild } from './child.ts'
import type { ReaderRun } from './kafka/reader-run.ts'
import { writeKafkaScene } from './kafka/scene.ts'
import { buildStreams, runStreams, streamsMissing } from './kafka/streams.ts'
import { count, markdownTable, median, rate } from './results.ts'
import type { HourLine } from './rollup/peer.ts'

/**
 * How fast rollup reads and folds a topic of Apache Kafka, beside other readers of the same topic on the same broker, in
 * one run. Prints its section of the results; ends with 1 when two of them compute something else.
 */
const PARTITIONS = 4
const SOURCES = 16
const RUNS = 3
/** The DSL is too slow for all of them. */
const DSL_RECORDS = 1_000_000
const ROLLUP = 'obstream rollup'

interface Reader {
  readonly name: string
  readonly records: number
  readonly runs: number
  read(): Promise<ReaderRun>
}

interface Measured extends Reader {
  /** The median one. */
  readonly run: ReaderRun
}

interface Missing {
  readonly name: string
  readonly missing: string
}

const { values } = parseArgs({ options: { samples: { type: 'string', default: '20000000' } } })
const samples = Number(values.samples)
const folder = mkdtempSync(join(tmpdir(), 'obstream-bench-kafka-'))
const cluster = await startJvmCluster({})
const broker = cluster.bootstrap[0]!
const admin = new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING }).admin()
try {
  await admin.connect()
  const size = await writeKafkaScene({ brokers: [broker], partitions: PARTITIONS, sourceCount: SOURCES, samples })
  const records = size.samples + size.ticks * PARTITIONS
  await admin.createTopics({ topics: [{ topic: 'peer-windows', numPartitions: PARTITIONS }], waitForLeaders: true })
  const rows: (Measured | Missing)[] = []
  for (const reader of [rollup(records), transport(records), ...streams(records), kcat(records), kafkajs(records)])
    rows.push('missing' in reader ? reader : await measure(reader))
  console.log(`One broker, one topic of ${PARTITIONS} partitions: ${count(size.samples)} samples of ${SOURCES} sources, one in a hundred twice, and ${count(size.ticks)}
ticks to each partition; ${count(records)} records in Avro, not compressed. Every reader starts from nothing and reads them
all. Rollup, the service itself, checks each batch's CRC32C, drops copies by their id, counts exactly, and appends each hour
with the ids it holds. Wall time is from joining the group to the last window acknowledged and committed; for Kafka Streams
from the first record to the last. The median of ${RUNS} runs, each in a fresh process; one run of those that take minutes.

${tableOf(rows)}

${correctness(rows)}`)
} finally {
  await admin.disconnect()
  await cluster.stop()
  rmSync(folder, { recursive: true, force: true })
}

async function measure(reader: Reader): Promise<Measured> {
  const runs: ReaderRun[] = []
  while (runs.length < reader.runs) runs.push(await reader.read())
  const middle = median(runs.map(({ seconds }) => seconds))
  return { ...reader, run: runs.find(({ seconds }) => seconds === middle)! }
}

function rollup(records: number): Reader {
  const read = async (): Promise<ReaderRun> => {
    await forgetRollup(admin)
    return runChild<ReaderRun>(new URL('kafka/fold.ts', import.meta.url), [broker, String(PARTITIONS)])
  }
  return { name: ROLLUP, records, runs: RUNS, read }
}

/** What it has said and how far it came. */
async function forgetRollup(through: Admin): Promise<void> {
  const said = [topics.window.name, topics.breach.name]
  const there = await through.listTopics()
  if (!said.every((name) => there.includes(name))) return
  await through.deleteTopics({ topics: said })
  await through.deleteGroups(['obs.rollup']).catch(() => {})
}

function transport(records: number): Reader {
  const read = (): Promise<ReaderRun> =>
    runChild<ReaderRun>(new URL('kafka/transport.ts', import.meta.url), [broker, String(PARTITIONS), String(records)])
  return { name: "transport only: obstream's reader, CRC32C checked, no record looked at", records, runs: RUNS, read }
}

function streams(records: number): readonly (Reader | Missing)[] {
  const missing = streamsMissing()
  if (missing) return [{ name: 'Kafka Streams', missing }]
  const classPath = buildStreams()
  const topic = topics.sample.name
  const reader = (name: string, request: { mode: 'papi' | 'dsl' | 'dsl-default'; threads: number }): Reader => {
    const wanted = request.mode === 'papi' ? records : Math.min(records, DSL_RECORDS)
    return {
      name: `Kafka Streams 4.1.0, ${name}`,
      records: wanted,
      runs: request.mode === 'papi' ? RUNS : 1,
      read: async () => runStreams(classPath, { ...request, topic, broker, folder, records: wanted }),
    }
  }
  return [
    reader('Processor API, tuned, 1 thread', { mode: 'papi', threads: 1 }),
    reader('Processor API, tuned, 2 threads', { mode: 'papi', threads: 2 }),
    reader('DSL, store in memory, 2 threads', { mode: 'dsl', threads: 2 }),
    reader('DSL as it comes, 2 threads', { mode: 'dsl-default', threads: 2 }),
  ]
}

function kafkajs(records: number): Reader {
  const read = (): Promise<ReaderRun> =>
    runChild<ReaderRun>(new URL('peers/kafkajs-consumer.ts', import.meta.url), [
      broker,
      topics.sample.name,
      String(records),
    ])
  return { name: 'kafkajs 2.2.4 `eachBatch`, avsc, maps', records, runs: 1, read }
}

function kcat(records: number): Reader | Missing {
  const name = 'kcat, to nowhere'
  if (spawnSync('kcat', ['-V']).status !== 0) return { name, missing: '`apt-get install kcat`' }
  const read = async (): Promise<ReaderRun> => {
    const args = ['kcat', '-C', '-q', '-e', '-b', broker, '-t', topics.sample.name, '-o', 'beginning']
    const script = fileURLToPath(new URL('peers/measured.py', import.meta.url))
    const { code, ...run } = JSON.parse(spawnSync('python3', [script, ...args], { encoding: 'utf8' }).stdout)
    if (code !== 0) throw new Error(`kcat ended with ${code}`)
    return { ...run, lines: null }
  }
  return { name, records, runs: RUNS, read }
}

function tableOf(rows: readonly (Measured | Missing)[]): string {
  const ours = rows.find((row) => row.name === ROLLUP) as Measured
  const speed = ({ records, run }: Measured): number => records / run.seconds
  return markdownTable([
    ['who', 'records', 'wall', 'CPU', 'peak RSS', 'records a second', 'a CPU-second', 'rollup is'],
    ...rows.map((row) => {
      if ('missing' in row) return [row.name, `MISSING: ${row.missing}`, '', '', '', '', '', '']
      const { seconds, cpuSeconds, peakRssMiB } = row.run
      return [
        row.name,
        count(row.records),
        `${seconds.toFixed(2)} s`,
        `${cpuSeconds.toFixed(2)} s`,
        `${count(peakRssMiB)} MiB`,
        rate(speed(row)),
        rate(row.records / cpuSeconds),
        row === ours ? '' : `${(speed(ours) / speed(row)).toFixed(2)} times as fast`,
      ]
    }),
  ])
}

function correctness(rows: readonly (Measured | Missing)[]): string {
  const computing = rows.flatMap((row) =>
    'run' in row && row.run.lines ? [{ name: row.name, lines: row.run.lines }] : [],
  )
  const ours = computing.find(({ name }) => name === ROLLUP)!
  const others = computing.filter((row) => row !== ours)
  const different = others.filter(({ lines }) => !isSame(ours.lines, lines)).map(({ name }) => name)
  if (different.length > 0) process.exitCode = 1
  const what = `${count(ours.lines.length)} hours of a source, count, errors, p50, p95 and max`
  if (others.length === 0) return `Correctness: NOT COMPARED, no peer that computes ${what} was there.`
  return different.length === 0
    ? `Correctness: ${what}, against ${others.map(({ name }) => name).join(' and ')}: all equal.`
    : `Correctness: ${what}: DIFFERENT from ${different.join(' and ')}.`
}

function isSame(a: readonly HourLine[], b: readonly HourLine[]): boolean {
  return a.length === b.length && a.every((line, i) => line === b[i])
}
