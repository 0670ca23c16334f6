import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sortedLines } from '../rollup/peer.ts'
import type { ReaderRun } from './reader-run.ts'

const SOURCES = fileURLToPath(new URL('../peers/streams/', import.meta.url))

/** What Kafka Streams is asked to do. */
export interface StreamsRequest {
  readonly mode: 'papi' | 'dsl' | 'dsl-default'
  readonly topic: string
  readonly records: number
  readonly threads: number
  readonly broker: string
  readonly folder: string
}

/** Why the peer cannot be built here; `undefined` when it can. */
export function streamsMissing(): string | undefined {
  const missing = ['java', 'javac', 'mvn'].filter((program) => spawnSync(program, ['-version']).status !== 0)
  return missing.length === 0 ? undefined : `${missing.join(', ')}: a JDK (17 or newer) and Maven`
}

/** Compiles the peer, once for all runs. @returns its class path */
export function buildStreams(): string {
  const folder = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'obstream', 'streams-peer')
  const libraries = join(folder, 'libs')
  if (!existsSync(libraries)) {
    mkdirSync(folder, { recursive: true })
    execFileSync('mvn', [
      '-q',
      '-B',
      '-f',
      join(SOURCES, 'pom.xml'),
      'dependency:copy-dependencies',
      `-DoutputDirectory=${libraries}`,
    ])
  }
  cpSync(join(SOURCES, 'KafkaStreamsPeer.java'), join(folder, 'KafkaStreamsPeer.java'))
  execFileSync('javac', ['-cp', `${libraries}/*`, '-d', folder, join(folder, 'KafkaStreamsPeer.java')])
  return `${libraries}/*:${folder}`
}

export function runStreams(classPath: string, request: StreamsRequest): ReaderRun {
  const { mode, topic, records, threads, broker, folder } = request
  const result = join(folder, `streams-${mode}-${threads}.csv`)
  const args = [
    '-Xmx2g',
    '-cp',
    classPath,
    'KafkaStreamsPeer',
    mode,
    topic,
    String(records),
    String(threads),
    broker,
    result,
  ]
  const { status, stdout, stderr } = spawnSync('java', args, { encoding: 'utf8', timeout: 900_000 })
  if (status !== 0) throw new Error(`Kafka Streams ended with ${status}:\n${stderr}`)
  const lines = mode === 'papi' ? sortedLines(readFileSync(result, 'utf8')) : null
  return { ...JSON.parse(stdout), lines }
}
