import type { SampleFact } from '#lib/facts.ts'
import { isId } from '#lib/keys.ts'
import type { Instant } from '#lib/time.ts'

/** 9999-12-31T23:59:59.999Z: keys have four digits for a year. */
const LATEST_AT: Instant = 253_402_300_799_999
const INT_MAX = 2 ** 31 - 1
const HASH = /^[0-9a-f]{64}$/

/** Whether `at` can stand in a key: from 1970 to 9999. */
export function isInstant(at: number): boolean {
  return at >= 0 && at <= LATEST_AT
}

/** A count or a length of time as the schemas hold it, not negative. */
export function isCount(value: number): boolean {
  return value >= 0 && value <= INT_MAX
}

/** Whether `text` can be the hash of a plan; for another text a fold would wait for ever. */
export function isPlanHash(text: string): boolean {
  return HASH.test(text)
}

/**
 * Why a record of `obs.sample.v1` that fits its schema is bad all the same; `undefined` when it is good. The reasons lie
 * in the record alone.
 */
export function faultOf(key: string, fact: SampleFact): string | undefined {
  if (fact.type === 'tick') {
    if (!isInstant(fact.at)) return `at ${fact.at} is not an instant between 1970 and 9999`
    return isPlanHash(fact.plan) ? undefined : `plan ${JSON.stringify(fact.plan)} is not a sha256 in hex`
  }
  if (!isId(key)) return `the key ${JSON.stringify(key)} is not the id of a source`
  if (!isInstant(fact.scheduledAt)) return `scheduled_at ${fact.scheduledAt} is not an instant between 1970 and 9999`
  if (!isCount(fact.ordinal)) return `ordinal ${fact.ordinal} is negative`
  if (fact.latencyMs === null)
    return fact.outcome === 'ok' || fact.outcome === 'timeout'
      ? `outcome ${fact.outcome} without latency_ms`
      : undefined
  return isCount(fact.latencyMs) ? undefined : `latency_ms ${fact.latencyMs} is negative`
}
