import { hasSession } from '#lib/calendar.ts'
import { factSha256 } from '#lib/codec/fact-json.ts'
import { varintBytes } from '#lib/eventlog/varint.ts'
import type { Breach, IdRun, LatencyCount, Window } from '#lib/facts.ts'
import { windowKey } from '#lib/keys.ts'
import type { FoldOutput } from '#lib/runtime/define-service.ts'
import type { Instant } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { nearestRank } from './percentiles.ts'
import type { PlanInForce } from './plan-in-force.ts'
import type { Tally } from './tally.ts'
import { judge } from './verdict.ts'
import type { Span } from './window-grid.ts'

/** A window to be told: whose, when, what was counted, and who judges it. */
export interface Decision {
  readonly source: string
  readonly span: Span
  readonly tally: Tally
  /** Of the tick that closes the window; a revision keeps that of revision 0. */
  readonly plan: PlanInForce
  readonly revision: number
  /** The deciding tick. */
  readonly decidedAt: Instant
  /** Not decided by the tick that closed it. */
  readonly late: boolean
  readonly retired: boolean
}

/** The window record of a decision and, when it is a breach, the breach that names it. */
export function tell(decision: Decision): readonly FoldOutput[] {
  const window = windowOf(decision)
  const key = windowKey(window.source, window.startAt, window.revision)
  const said = { topic: topics.window, key, value: window }
  return window.verdict === 'breach' ? [said, { topic: topics.breach, key, value: breachOf(window, key) }] : [said]
}

function windowOf({ source, span, tally, plan, revision, decidedAt, late, retired }: Decision): Window {
  const rule = plan.rule(source)
  const latencies = tally.latencies.ascending()
  const ids = tally.ids.runs()
  const sealed = tally.hasRefused || isTooLarge(latencies, ids)
  const { count, errorCount, timeoutCount, skippedCount } = tally
  const expectedCount = plan.expectedCount(source, span)
  const p95Ms = nearestRank(latencies, 95) ?? null
  const inSession = hasSession(plan.plan.calendar, span.startAt, span.endAt)
  const judgement = judge({ retired, inSession, count, errorCount, timeoutCount, expectedCount, p95Ms, rule })
  return {
    type: 'window',
    source,
    startAt: span.startAt,
    endAt: span.endAt,
    revision,
    decidedAt,
    late,
    verdict: judgement.verdict,
    reason: judgement.reason,
    count,
    errorCount,
    timeoutCount,
    skippedCount,
    expectedCount,
    p50Ms: nearestRank(latencies, 50) ?? null,
    p95Ms,
    maxMs: latencies.at(-1)?.ms ?? null,
    thresholdMs: rule?.thresholdMs ?? null,
    ruleId: rule?.id ?? null,
    plan: plan.hash,
    latencies,
    sampleIds: sealed ? [] : ids,
    sealed,
  }
}

function breachOf(window: Window, key: string): Breach {
  return {
    source: window.source,
    startAt: window.startAt,
    endAt: window.endAt,
    revision: window.revision,
    decidedAt: window.decidedAt,
    reason: window.reason!,
    ruleId: window.ruleId!,
    thresholdMs: window.thresholdMs!,
    p50Ms: window.p50Ms,
    p95Ms: window.p95Ms,
    maxMs: window.maxMs,
    count: window.count,
    errorCount: window.errorCount,
    expectedCount: window.expectedCount,
    plan: window.plan,
    windowKey: key,
    windowSha256: factSha256(window),
  }
}

/** A window record that would be larger names no samples and takes no late ones. */
export const SEALED_ABOVE_BYTES = 512 * 1024

/** More than everything but the two lists can take: ids of 96 bytes, a hash, numbers of at most ten bytes. */
const OTHER_FIELDS_BYTES = 512

/** By the size that Avro would give the lists, so that no codec is needed to decide. */
function isTooLarge(latencies: readonly LatencyCount[], ids: readonly IdRun[]): boolean {
  let bytes = OTHER_FIELDS_BYTES
  for (const { ms, count } of latencies) bytes += varintBytes(ms) + varintBytes(count)
  for (const { firstAt, stepMs, count, ordinal } of ids)
    bytes += varintBytes(firstAt) + varintBytes(stepMs) + varintBytes(count) + varintBytes(ordinal)
  return bytes > SEALED_ABOVE_BYTES
}
