import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync, gzipSync } from 'node:zlib'
import { LatencyFiles } from '#cli/replay/latency-files.ts'
import { EVERYTHING } from '#cli/replay/range.ts'
import { rebuildFiles } from '#cli/replay/rebuild-files.ts'
import { currentFolds, type Folds, refold } from '#cli/replay/refold.ts'
import { openMemoryArtefacts } from '#lib/artefacts/memory.ts'
import { sha256Hex } from '#lib/codec/sha256.ts'
import type { EmbeddedLog } from '#lib/eventlog/embedded-log.ts'
import { openMemoryLog } from '#lib/eventlog/memory.ts'
import { catalogue, topics } from '#lib/topics.ts'
import { ManualClock } from '#tests/support/manual-clock.ts'
import { derivedTopics, digests, environmentOf, factLines, scratchLog, type TopicDigest } from './recorded-desk.ts'

/**
 * The museum: logs as releases of obstream have recorded them, and the hashes of what followed from them then. A file of
 * a log is gzipped JSON lines: the schemas first, then a line for each batch with the bytes of its records.
 */
export const MUSEUM = fileURLToPath(new URL('museum/', import.meta.url))

/** What must follow from a recorded log, for ever. */
export interface Expected {
  readonly engine: number
  readonly topics: Readonly<Record<string, TopicDigest>>
  /** sha256 by path, as the files stand after the last job. */
  readonly artefacts: Readonly<Record<string, string>>
}

interface DumpedHead {
  readonly partitions: number
  readonly endsAt: number
  readonly schemas: readonly { readonly id: number; readonly subject: string; readonly schema: string }[]
}

interface DumpedBatch {
  readonly topic: string
  readonly partition: number
  readonly at: number
  /** Key, value in base64, headers. */
  readonly records: readonly (readonly [string, string, readonly (readonly [string, string])[]])[]
}

export function exhibits(): readonly string[] {
  return readdirSync(MUSEUM).toSorted()
}

export function readExpected(name: string): Expected {
  return JSON.parse(readFileSync(join(MUSEUM, name, 'expected.json'), 'utf8'))
}

/** Puts a log into the museum. */
export async function writeExhibit(name: string, log: EmbeddedLog, now: number, expected: Expected): Promise<void> {
  const head: DumpedHead = { partitions: log.latencyPartitions, endsAt: now, schemas: log.schemas.all() }
  const lines = [JSON.stringify(head)]
  for (const { name: topic } of catalogue)
    for (const { partition, earliest, end } of await log.offsets(topic))
      for await (const batch of log.read(topic, partition, earliest, end)) {
        const records = [...batch.records()].map(({ key, value, headers }) => [
          key.toString(),
          value!.toString('base64'),
          headers.map((header) => [header.name, Buffer.from(header.value).toString('latin1')]),
        ])
        lines.push(JSON.stringify({ topic, partition, at: batch.appendedAtMs, records }))
      }
  const folder = join(MUSEUM, name)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'log.jsonl.gz'), gzipSync(lines.join('\n'), { level: 9 }))
  writeFileSync(join(folder, 'expected.json'), `${JSON.stringify(expected, null, 2)}\n`)
}

/** The recorded log in memory, at the same offsets; its clock stands where it stood. */
export async function openExhibit(name: string): Promise<{ readonly log: EmbeddedLog; readonly clock: ManualClock }> {
  const [first, ...rest] = gunzipSync(readFileSync(join(MUSEUM, name, 'log.jsonl.gz')))
    .toString()
    .split('\n')
  const { partitions, schemas, endsAt } = JSON.parse(first!) as DumpedHead
  const clock = new ManualClock(0)
  const log = openMemoryLog({ clock, partitions })
  await log.topics.apply(catalogue)
  for (const { id, subject, schema } of schemas)
    if (log.schemas.add(subject, schema, () => null) !== id) throw new Error(`schema ${id} got another number`)
  for (const line of rest) {
    const { topic, partition, at, records } = JSON.parse(line) as DumpedBatch
    clock.jumpTo(at)
    await log.append(
      topic,
      partition,
      records.map(([key, value, headers]) => ({
        key: Buffer.from(key),
        value: Buffer.from(value, 'base64'),
        headers: headers.map(([header, text]) => ({ name: header, value: Buffer.from(text, 'latin1') })),
      })),
    )
  }
  clock.jumpTo(endsAt)
  return { log, clock }
}

export interface Replayed extends Omit<Expected, 'engine'> {
  /** Facts that differ from the recorded ones, as `topic key`; at most 20. */
  readonly differences: readonly string[]
}

/** What follows from an exhibit in this build. */
export async function replayExhibit(name: string, folds: Folds = currentFolds): Promise<Replayed> {
  const { log, clock } = await openExhibit(name)
  const recorded = await environmentOf(log, clock, '/nowhere')
  const rebuilt = await refold(recorded, scratchLog((await log.offsets(topics.sample.name)).length), folds)
  const differences: string[] = []
  for (const topic of derivedTopics) {
    const [was, is] = [new Set(await factLines(recorded, topic)), new Set(await factLines(rebuilt.env, topic))]
    for (const line of was.symmetricDifference(is)) differences.push(`${topic.name} ${line.split(' ')[0]}`)
  }
  return {
    topics: await digests(rebuilt.env),
    artefacts: await artefactsOf(rebuilt.env),
    differences: [...new Set(differences)].toSorted().slice(0, 20),
  }
}

async function artefactsOf(env: Parameters<typeof digests>[0]): Promise<Readonly<Record<string, string>>> {
  const store = openMemoryArtefacts()
  await rebuildFiles(env, await LatencyFiles.read(env), store, { range: EVERYTHING, provenOnly: false })
  const found: Record<string, string> = {}
  for (const path of await store.list('ops')) found[path] = sha256Hex((await store.read(path))!)
  return found
}
