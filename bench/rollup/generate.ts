import { closeSync, openSync, writeSync } from 'node:fs'
import type { TopicCodec } from '#lib/codec/avro.ts'
import { planRecord } from '#lib/codec/plan-json.ts'
import type { LogRecord } from '#lib/eventlog/port.ts'
import type { SampleFact } from '#lib/facts.ts'
import { topics } from '#lib/topics.ts'
import { openBenchLog } from '../bench-log.ts'
import { generate, planFor, type Step } from './samples.ts'

/** Records an append; about 50 KB. */
const BATCH = 1_000
const CSV_BUFFER = 1_048_576

/** Sizes of what `writeScene` has made. */
export interface SceneSize {
  readonly samples: number
  readonly ticks: number
}

/**
 * Writes one sequence of samples twice: as records of a new log, through the codec, and as a CSV file for the peers
 * (`source,scheduled_at,ordinal,outcome,latency_ms`, instants in milliseconds, an absent latency empty).
 */
export async function writeScene(scene: {
  readonly sourceCount: number
  readonly samples: number
  readonly logPath: string
  readonly csvPath: string
}): Promise<SceneSize> {
  const { log, codecs } = await openBenchLog(scene.logPath)
  const codec = codecs.get(topics.sample) as TopicCodec<SampleFact>
  const { hash, record } = planRecord(planFor(scene.sourceCount))
  await log.append(topics.plan.name, 0, [{ key: Buffer.from(hash), value: codecs.get(topics.plan)!.encode(record) }])
  const csv = openSync(scene.csvPath, 'w')
  let lines = 'source,scheduled_at,ordinal,outcome,latency_ms\n'
  let pending: LogRecord[] = []
  const size = { samples: 0, ticks: 0 }
  for (const step of generate(scene.sourceCount, scene.samples)) {
    pending.push(recordOf(step, hash, codec))
    if (pending.length === BATCH) {
      await log.append(topics.sample.name, 0, pending)
      pending = []
    }
    if (step.type === 'tick') size.ticks++
    else {
      size.samples++
      lines += lineOf(step)
    }
    if (lines.length > CSV_BUFFER) {
      writeSync(csv, lines)
      lines = ''
    }
  }
  if (pending.length > 0) await log.append(topics.sample.name, 0, pending)
  writeSync(csv, lines)
  closeSync(csv)
  await log.close()
  return size
}

const keys = new Map<string, Buffer>()

function keyOf(source: string): Buffer {
  let key = keys.get(source)
  if (!key) {
    key = Buffer.from(source)
    keys.set(source, key)
  }
  return key
}

/** A step as a record of the log. @param plan sha256 of the plan in force */
export function recordOf(step: Step, plan: string, codec: TopicCodec<SampleFact>): LogRecord {
  if (step.type === 'tick') return { key: keyOf(''), value: codec.encode({ type: 'tick', at: step.at, plan }) }
  const { source, scheduledAt, ordinal, outcome, latencyMs } = step.sample
  const errorCode = outcome === 'error' ? 'http_status_503' : null
  const { measuredAt } = step
  const probe = { type: 'probe', outcome, scheduledAt, ordinal, latencyMs, measuredAt, lagMs: 0, errorCode } as const
  return { key: keyOf(source), value: codec.encode(probe) }
}

function lineOf({ sample }: Step & { readonly type: 'sample' }): string {
  const { source, scheduledAt, ordinal, outcome, latencyMs } = sample
  return `${source},${scheduledAt},${ordinal},${outcome},${latencyMs ?? ''}\n`
}
