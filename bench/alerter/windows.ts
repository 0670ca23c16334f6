import { planRecord } from '#lib/codec/plan-json.ts'
import type { LogRecord } from '#lib/eventlog/port.ts'
import type { Window } from '#lib/facts.ts'
import { windowKey } from '#lib/keys.ts'
import { derivedHeaders } from '#lib/runtime/record-headers.ts'
import { HOUR_MS, type Instant, MINUTE_MS } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { openBenchLog } from '../bench-log.ts'
import { planFor, sourceIds } from '../rollup/samples.ts'

/** 2026-06-01T00:00:00Z */
const BEGIN_AT: Instant = 1_780_272_000_000
const THRESHOLD_MS = 140
const BAD_HOURS = 3
const EVERY_HOURS = 12
const BATCH = 500

/** Writes the windows that rollup would have written: hour by hour, one of each source. */
export async function writeWindows(path: string, sourceCount: number, hours: number): Promise<void> {
  const { log, codecs } = await openBenchLog(path)
  const { hash, record } = planRecord(planFor(sourceCount))
  await log.append(topics.plan.name, 0, [{ key: Buffer.from(hash), value: codecs.get(topics.plan)!.encode(record) }])
  const codec = codecs.get(topics.window)!
  const ids = sourceIds(sourceCount)
  for (let hour = 0; hour < hours; hour++) {
    const records: LogRecord[] = ids.map((source, i) => {
      const isBad = (hour + i) % EVERY_HOURS < BAD_HOURS
      const window = windowOf(source, BEGIN_AT + hour * HOUR_MS, isBad, hash)
      const headers = derivedHeaders([hour, i], { offset: hour, crc: '00000000' })
      return { key: Buffer.from(windowKey(source, window.startAt, 0)), value: codec.encode(window), headers }
    })
    for (let from = 0; from < records.length; from += BATCH)
      await log.append(topics.window.name, 0, records.slice(from, from + BATCH))
  }
  await log.close()
}

function windowOf(source: string, startAt: Instant, isBad: boolean, plan: string): Window {
  const ms = isBad ? 2 * THRESHOLD_MS : THRESHOLD_MS / 2
  return {
    type: 'window',
    source,
    startAt,
    endAt: startAt + HOUR_MS,
    revision: 0,
    decidedAt: startAt + HOUR_MS + 10 * MINUTE_MS,
    late: false,
    verdict: isBad ? 'breach' : 'ok',
    reason: isBad ? 'p95' : null,
    count: 4,
    errorCount: 0,
    timeoutCount: 0,
    skippedCount: 0,
    expectedCount: 4,
    p50Ms: ms,
    p95Ms: ms,
    maxMs: ms,
    thresholdMs: THRESHOLD_MS,
    ruleId: 'latency_p95',
    plan,
    latencies: [{ ms, count: 4 }],
    sampleIds: [{ firstAt: startAt, stepMs: 15 * MINUTE_MS, count: 4, ordinal: 0 }],
    sealed: false,
  }
}
