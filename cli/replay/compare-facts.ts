import { compareCauses } from '#lib/cause.ts'
import { factSha256 } from '#lib/codec/fact-json.ts'
import { ObstreamError } from '#lib/errors.ts'
import { codecOf, type Environment } from '#lib/runtime/environment.ts'
import { decodeOwn, lastRecord } from '#lib/runtime/own-records.ts'
import { causeOf } from '#lib/runtime/record-headers.ts'
import type { Instant } from '#lib/time.ts'
import { type TopicDefinition, topics } from '#lib/topics.ts'
import type { ReplayRange } from './range.ts'
import type { Refolded } from './refold.ts'

/** What a replay says again and compares. */
const recomputedTopics = [topics.window, topics.breach, topics.alert] as const

/** A fact that was recorded and rebuilt differently. */
export interface FactDifference {
  readonly topic: string
  readonly key: string
  /** sha256 of the fact's canonical JSON; `null`: there is no such fact. */
  readonly recorded: string | null
  readonly rebuilt: string | null
}

export interface FactComparison {
  /** Facts that are the same on both sides. */
  readonly equalCount: number
  /** Facts that were not recomputed, but taken as recorded. */
  readonly takenCount: number
  readonly differences: readonly FactDifference[]
}

/**
 * Compares the derived facts that were recorded with those rebuilt, as sets. Beyond what both sides have come to, a fact
 * that stands on one side only is no difference: services may be behind, or have gone on since the replay began.
 *
 * @throws OBS_LOG_FACT_CHANGED when one key was recorded with different bytes
 */
export async function compareFacts(
  recorded: Environment,
  rebuilt: Refolded,
  range: ReplayRange,
): Promise<FactComparison> {
  const sum = { equalCount: 0, takenCount: 0, differences: [] as FactDifference[] }
  for (const [partition, { speaksFrom }] of rebuilt.beginnings.entries()) {
    const reached = await reachedIn(recorded, rebuilt.env, partition)
    for (const topic of recomputedTopics) {
      const reachedAt = topic === topics.alert ? reached.alerterAt : reached.rollupAt
      const before = await recordedFacts(recorded, topic, partition, speaksFrom)
      sum.takenCount += before.takenCount
      const compared = await compareWith(before.facts, rebuilt.env, topic, { partition, speaksFrom, reachedAt, range })
      sum.equalCount += compared.equalCount
      sum.differences.push(...compared.differences)
    }
  }
  return { ...sum, differences: sum.differences.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1)) }
}

function nameOf({ topic, key }: FactDifference): string {
  return `${topic} ${key}`
}

/** The newest instants up to which both sides must have said all there is to say. */
async function reachedIn(
  recorded: Environment,
  rebuilt: Environment,
  partition: number,
): Promise<{ readonly rollupAt: Instant; readonly alerterAt: Instant }> {
  const rollupAt = Math.min(
    (await commitOf(rebuilt, 'rollup', topics.sample, partition))?.reached ?? Number.NEGATIVE_INFINITY,
    (await commitOf(recorded, 'rollup', topics.sample, partition))?.reached ?? Number.NEGATIVE_INFINITY,
  )
  const lastWindow = await lastRecord(recorded.log, topics.window.name, partition)
  const alerter = await commitOf(recorded, 'alerter', topics.window, partition)
  const newest = lastWindow && causeOf(lastWindow)
  const hasReadAll = !newest || (alerter?.done && compareCauses(alerter.done, newest) >= 0)
  // A tick may bring several windows: one that the alerter is at may not have been read to its end.
  const alerterAt = hasReadAll ? rollupAt : Math.min(rollupAt, (alerter?.reached ?? Number.NEGATIVE_INFINITY) - 1)
  return { rollupAt, alerterAt }
}

async function commitOf({ log }: Environment, group: string, topic: TopicDefinition, partition: number) {
  return (await log.committed(group, topic.name)).find((commit) => commit.partition === partition)
}

interface HashedFact {
  readonly sha256: string
  readonly decidedAt: Instant
}

async function* factsIn(
  { log, codecs }: Environment,
  topic: (typeof recomputedTopics)[number],
  partition: number,
): AsyncGenerator<{ readonly key: string; readonly offset: number; readonly hash: () => Promise<HashedFact> }> {
  const codec = codecOf({ codecs }, topic)
  const { earliest, end } = (await log.offsets(topic.name))[partition]!
  for await (const batch of log.read(topic.name, partition, earliest, end))
    for (const { key, value, headers, offset } of batch.records()) {
      if (!value || offset < earliest || offset >= end) continue
      const hash = async (): Promise<HashedFact> => {
        const fact = await decodeOwn<{ readonly decidedAt: Instant }>(codec, value)
        return { sha256: factSha256(fact), decidedAt: fact.decidedAt }
      }
      yield { key: key.toString(), offset: causeOf({ headers })?.[0] ?? offset, hash }
    }
}

async function recordedFacts(
  env: Environment,
  topic: (typeof recomputedTopics)[number],
  partition: number,
  from: number,
): Promise<{ readonly facts: Map<string, HashedFact>; readonly takenCount: number }> {
  const facts = new Map<string, HashedFact>()
  const taken = new Set<string>()
  for await (const { key, offset, hash } of factsIn(env, topic, partition)) {
    if (offset < from) {
      taken.add(key)
      continue
    }
    const fact = await hash()
    const known = facts.get(key)
    if (known && known.sha256 !== fact.sha256)
      throw new ObstreamError(
        'OBS_LOG_FACT_CHANGED',
        `${topic.name} holds ${key} with different bytes: sha256 ${known.sha256} and ${fact.sha256}`,
      )
    facts.set(key, fact)
  }
  return { facts, takenCount: taken.size }
}

interface Limits {
  readonly partition: number
  readonly speaksFrom: number
  readonly reachedAt: Instant
  readonly range: ReplayRange
}

/** @param recorded emptied on the way */
async function compareWith(
  recorded: Map<string, HashedFact>,
  rebuilt: Environment,
  topic: (typeof recomputedTopics)[number],
  { partition, speaksFrom, reachedAt, range }: Limits,
): Promise<Pick<FactComparison, 'equalCount' | 'differences'>> {
  const differences: FactDifference[] = []
  let equalCount = 0
  const mustBe = ({ decidedAt }: HashedFact): boolean => decidedAt <= reachedAt && decidedAt < range.until
  for await (const { key, offset, hash } of factsIn(rebuilt, topic, partition)) {
    if (offset < speaksFrom) continue
    const [was, is] = [recorded.get(key), await hash()]
    recorded.delete(key)
    if (was?.sha256 === is.sha256) equalCount++
    else if (was ? was.decidedAt < range.until : mustBe(is))
      differences.push({ topic: topic.name, key, recorded: was?.sha256 ?? null, rebuilt: is.sha256 })
  }
  for (const [key, was] of recorded)
    if (mustBe(was)) differences.push({ topic: topic.name, key, recorded: was.sha256, rebuilt: null })
  return { equalCount, differences }
}
