import { readFileSync } from 'node:fs'
import avro from 'avsc'
import { Kafka, logLevel } from 'kafkajs'
import type { ReaderRun } from '../kafka/reader-run.ts'
import { readUsage } from '../machine.ts'

/**
 * What a service on kafkajs would do: `eachBatch`, a decoded object for each message, maps for the counts, a set for the
 * sample ids. No CRC is checked; kafkajs has no way to.
 */
interface Hour {
  readonly seen: Set<string>
  readonly counts: Map<number, number>
  count: number
  errors: number
  max: number
}

const HOUR_MS = 3_600_000
const PROBE = 'obstream.sample.v1.Probe'
const [broker, topic, wanted] = process.argv.slice(2)
const schema = JSON.parse(readFileSync(new URL('../../schemas/topics/sample.avsc', import.meta.url), 'utf8'))
const type = avro.Type.forSchema(schema, { wrapUnions: 'auto' })
const hours = new Map<string, Hour>()
const kafka = new Kafka({ brokers: [broker!], clientId: 'peer', logLevel: logLevel.NOTHING })
const consumer = kafka.consumer({
  groupId: `peer-${process.pid}`,
  maxBytesPerPartition: 4_194_304,
  maxBytes: 67_108_864,
})
const finished = Promise.withResolvers<void>()
let records = 0

const before = readUsage()
const startedAt = performance.now()
await consumer.connect()
await consumer.subscribe({ topic: topic!, fromBeginning: true })
await consumer.run({
  eachBatch: async ({ batch }) => {
    for (const { key, value } of batch.messages) {
      if (key!.length > 0) take(key!.toString(), value!)
      records++
    }
    if (records === Number(wanted)) finished.resolve()
  },
})
await finished.promise
const seconds = (performance.now() - startedAt) / 1000
const after = readUsage()
const lines = [...hours].map(([name, { count, errors, counts, max }]) => {
  const ascending = [...counts].sort(([a], [b]) => a - b)
  return [name, count, errors, rank(ascending, count, 50), rank(ascending, count, 95), max < 0 ? '' : max].join(',')
})
const run: ReaderRun = {
  seconds,
  cpuSeconds: after.cpuSeconds - before.cpuSeconds,
  peakRssMiB: after.peakRssMiB,
  lines: lines.toSorted(),
}
process.stdout.write(JSON.stringify(run))
await consumer.disconnect()

function take(source: string, value: Buffer): void {
  const { fact: wrapped } = type.fromBuffer(value.subarray(5))
  const fact = wrapped[PROBE]
  const name = `${source},${Math.floor(fact.scheduled_at / HOUR_MS)}`
  let hour = hours.get(name)
  if (!hour) {
    hour = { seen: new Set(), counts: new Map(), count: 0, errors: 0, max: -1 }
    hours.set(name, hour)
  }
  const id = `${fact.scheduled_at}/${fact.ordinal}`
  if (hour.seen.has(id)) return
  hour.seen.add(id)
  if (fact.outcome === 'error' || fact.outcome === 'timeout') hour.errors++
  if (fact.latency_ms === null) return
  hour.count++
  hour.max = Math.max(hour.max, fact.latency_ms)
  hour.counts.set(fact.latency_ms, (hour.counts.get(fact.latency_ms) ?? 0) + 1)
}

function rank(ascending: readonly (readonly [number, number])[], count: number, percent: number): number | string {
  const wantedRank = Math.ceil((percent * count) / 100)
  let seen = 0
  for (const [latencyMs, times] of ascending) {
    seen += times
    if (seen >= wantedRank) return latencyMs
  }
  return ''
}
