import { planRecord } from '#lib/codec/plan-json.ts'
import type { LogRecord } from '#lib/eventlog/port.ts'
import type { Window } from '#lib/facts.ts'
import { windowKey } from '#lib/keys.ts'
import { derivedHeaders } from '#lib/runtime/record-headers.ts'
import { type Instant, MINUTE_MS, type Milliseconds } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { openBenchLog } from '../bench-log.ts'
import { planFor, sourceIds } from '../rollup/samples.ts'

const THRESHOLD_MS = 140
const SAMPLES = 4
const BATCH = 500

/** Windows of many sources, all of the same length, side by side. */
export interface WindowScene {
  readonly sourceCount: number
  /** Of each source. */
  readonly windowCount: number
  readonly beginAt: Instant
  readonly lengthMs: Milliseconds
  /** Whether a window of a source is a breach; both are counted from 0. */
  isBad(source: number, window: number): boolean
}

/** Writes the windows that rollup would have written, each decided ten minutes after its end: of every source one, then the next. */
export async function writeWindows(path: string, scene: WindowScene): Promise<void> {
  const { log, codecs } = await openBenchLog(path)
  const { hash, record } = planRecord(planFor(scene.sourceCount))
  await log.append(topics.plan.name, 0, [{ key: Buffer.from(hash), value: codecs.get(topics.plan)!.encode(record) }])
  const codec = codecs.get(topics.window)!
  const ids = sourceIds(scene.sourceCount)
  for (let ordinal = 0; ordinal < scene.windowCount; ordinal++) {
    const startAt = scene.beginAt + ordinal * scene.lengthMs
    const records: LogRecord[] = ids.map((source, i) => {
      const window = windowOf(source, { startAt, lengthMs: scene.lengthMs, isBad: scene.isBad(i, ordinal), plan: hash })
      const headers = derivedHeaders([ordinal, i], { offset: ordinal, crc: '00000000' })
      return { key: Buffer.from(windowKey(source, startAt, 0)), value: codec.encode(window), headers }
    })
    for (let from = 0; from < records.length; from += BATCH)
      await log.append(topics.window.name, 0, records.slice(from, from + BATCH))
  }
  await log.close()
}

interface WindowParts {
  readonly startAt: Instant
  readonly lengthMs: Milliseconds
  readonly isBad: boolean
  readonly plan: string
}

function windowOf(source: string, { startAt, lengthMs, isBad, plan }: WindowParts): Window {
  const ms = isBad ? 2 * THRESHOLD_MS : THRESHOLD_MS / 2
  return {
    type: 'window',
    source,
    startAt,
    endAt: startAt + lengthMs,
    revision: 0,
    decidedAt: startAt + lengthMs + 10 * MINUTE_MS,
    late: false,
    verdict: isBad ? 'breach' : 'ok',
    reason: isBad ? 'p95' : null,
    count: SAMPLES,
    errorCount: 0,
    timeoutCount: 0,
    skippedCount: 0,
    expectedCount: SAMPLES,
    p50Ms: ms,
    p95Ms: ms,
    maxMs: ms,
    thresholdMs: THRESHOLD_MS,
    ruleId: 'latency_p95',
    plan,
    latencies: [{ ms, count: SAMPLES }],
    sampleIds: [{ firstAt: startAt, stepMs: lengthMs / SAMPLES, count: SAMPLES, ordinal: 0 }],
    sealed: false,
  }
}
