import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LogRecord } from '#lib/eventlog/port.ts'
import { encodeBatch } from '#lib/eventlog/record-batch.ts'
import { topics } from '#lib/topics.ts'
import { openBenchLog } from './bench-log.ts'
import { markdownTable, median, rate } from './results.ts'

/** How fast the SQLite log takes records and gives them back. Prints its section of the results. */

const BATCH = 1_000
const BATCHES = 2_000
const SINGLES = 2_000
const AT_ONCE = 1_000
const READ_PASSES = 5
const MB = 1e6

/** As large as a sample is: a source, and Avro of a probe behind the five bytes of the wire format. */
const record: LogRecord = { key: Buffer.from('router_demo_a'), value: Buffer.alloc(32, 7) }
const batch = Array.from({ length: BATCH }, () => record)

interface Measured {
  readonly what: string
  readonly records: number
  readonly seconds: number
  readonly bytes?: number
}

const folder = mkdtempSync(join(tmpdir(), 'obstream-bench-log-'))
try {
  const fsyncMs = medianFsyncMs(join(folder, 'fsync'))
  const path = join(folder, 'log.db')
  const measured = [...(await measureAppends(path)), await measureReads(path)]
  console.log(`One process, one partition, records of ${record.key.length + record.value.length} bytes of key and value. Each append is durable when it
resolves. One \`fdatasync\` of 4 KiB takes ${fsyncMs.toFixed(2)} ms (median) on this disk, before anything of ours: an append that waits for
its own can be no faster.

${markdownTable([
  ['what', 'records', 'records a second', 'MB a second'],
  ...measured.map(({ what, records, seconds, bytes }) => [
    what,
    records.toLocaleString('en-US'),
    rate(records / seconds),
    bytes === undefined ? '' : (bytes / MB / seconds).toFixed(0),
  ]),
])}`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function medianFsyncMs(path: string): number {
  const file = openSync(path, 'w')
  const page = Buffer.alloc(4096)
  const times = Array.from({ length: 200 }, () => {
    writeSync(file, page)
    const startedAt = performance.now()
    fdatasyncSync(file)
    return performance.now() - startedAt
  })
  closeSync(file)
  return median(times)
}

async function seconds(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return (performance.now() - startedAt) / 1000
}

async function measureAppends(path: string): Promise<readonly Measured[]> {
  const { log } = await openBenchLog(path)
  const append = (records: readonly LogRecord[]) => log.append(topics.sample.name, 0, records)
  const batches = await seconds(async () => {
    for (let i = 0; i < BATCHES; i++) await append(batch)
  })
  const bytes = BATCHES * encodeBatch(batch, { baseOffset: 0, appendedAtMs: 0 }).length
  const singles = await seconds(async () => {
    for (let i = 0; i < SINGLES; i++) await append([record])
  })
  const together = await seconds(async () => {
    for (let i = 0; i < SINGLES; i += AT_ONCE)
      await Promise.all(Array.from({ length: AT_ONCE }, () => append([record])))
  })
  await log.close()
  return [
    {
      what: `append, ${BATCH} records a batch, one after the other`,
      records: BATCHES * BATCH,
      seconds: batches,
      bytes,
    },
    { what: 'append, 1 record a batch, one after the other', records: SINGLES, seconds: singles },
    { what: `append, 1 record a batch, ${AT_ONCE} at once (they share fsyncs)`, records: SINGLES, seconds: together },
  ]
}

/** The same pages again and again, so from the memory of the operating system. */
async function measureReads(path: string): Promise<Measured> {
  const { log } = await openBenchLog(path)
  let records = 0
  let bytes = 0
  let valueBytes = 0
  const took = await seconds(async () => {
    for (let pass = 0; pass < READ_PASSES; pass++)
      for await (const read of log.read(topics.sample.name, 0, 0, BATCHES * BATCH)) {
        bytes += read.bytes.length
        for (const { value } of read.records()) {
          records++
          valueBytes += value!.length
        }
      }
  })
  await log.close()
  if (valueBytes !== records * record.value.length) throw new Error('not every record was read')
  return { what: 'read, CRC32C checked, each record looked at', records, seconds: took, bytes }
}
