import { factSha256 } from '#lib/codec/fact-json.ts'
import { ObstreamError } from '#lib/errors.ts'
import type { EventLog, LogRecord } from '#lib/eventlog/port.ts'
import { codecOf, type Environment, environmentOn } from '#lib/runtime/environment.ts'
import { createMetricsRegistry } from '#lib/runtime/metrics.ts'
import { decodeOwn, readSet } from '#lib/runtime/own-records.ts'
import { runToEnd } from '#lib/runtime/run-to-end.ts'
import type { Instant } from '#lib/time.ts'
import { catalogue, type TopicDefinition, topics } from '#lib/topics.ts'
import { alerter } from '#services/alerter/service.ts'
import { rollupReading } from '#services/rollup/service.ts'

/** What nobody derives: it happened outside, so a replay takes it as it was recorded. */
const primaryTopics = catalogue.filter((topic) => !topic.derived && topic !== topics.deadLetter)

/** What a replay says again and compares. */
export const recomputedTopics = [topics.window, topics.breach, topics.alert]

/**
 * Folds everything again: copies the primary topics of `source` into `scratch`, an empty log with as many partitions,
 * and lets the services that ran then say what follows from them now. Nothing is written to `source`.
 *
 * @param onProgress hears how many samples of how many are folded
 */
export async function refold(
  source: Environment,
  scratch: EventLog,
  onProgress: (folded: number, total: number) => void = () => {},
): Promise<Environment> {
  const rebuilt = await environmentOn(scratch, source.registry, { ...source, metrics: createMetricsRegistry() })
  for (const topic of primaryTopics) await copyTopic(source.log, scratch, topic)
  await runToEnd(rollupReading(codecOf(rebuilt, topics.sample)), rebuilt, onProgress)
  await runToEnd(alerter, rebuilt)
  return rebuilt
}

async function copyTopic(from: EventLog, to: EventLog, topic: TopicDefinition): Promise<void> {
  const places = await from.offsets(topic.name)
  const room = await to.offsets(topic.name)
  if (places.length !== room.length)
    throw new ObstreamError(
      'OBS_LOG_TOPIC_DIFFERS',
      `${topic.name} has ${places.length} partitions, the scratch log ${room.length}`,
    )
  for (const { partition, earliest, end } of places)
    for await (const batch of from.read(topic.name, partition, earliest, end)) {
      const records: LogRecord[] = []
      for (const { offset, key, value, headers } of batch.records())
        if (value && offset >= earliest && offset < end) records.push({ key, value, headers })
      if (records.length > 0) await to.append(topic.name, partition, records)
    }
}

/** A fact that was recorded and rebuilt differently. */
export interface FactDifference {
  readonly topic: string
  readonly key: string
  /** sha256 of the fact's canonical JSON; `null`: there is no such fact. */
  readonly recorded: string | null
  readonly rebuilt: string | null
}

export interface Comparison {
  /** Facts that are the same on both sides. */
  readonly equalCount: number
  readonly differences: readonly FactDifference[]
}

/**
 * Compares the derived facts of two logs as sets.
 *
 * @param reachedAt by topic, the newest tick that its recorded writer had folded; what was decided later is rebuilt only,
 *   and no difference
 */
export async function compareFacts(
  recorded: Environment,
  rebuilt: Environment,
  reachedAt: (topic: string) => Instant,
): Promise<Comparison> {
  const differences: FactDifference[] = []
  let equalCount = 0
  for (const topic of recomputedTopics) {
    const before = await factHashes(recorded, topic)
    const after = await factHashes(rebuilt, topic)
    for (const key of new Set([...before.keys(), ...after.keys()])) {
      const [was, is] = [before.get(key), after.get(key)]
      if (was?.sha256 === is?.sha256) equalCount++
      else if (was || is!.decidedAt <= reachedAt(topic.name))
        differences.push({ topic: topic.name, key, recorded: was?.sha256 ?? null, rebuilt: is?.sha256 ?? null })
    }
  }
  return { equalCount, differences: differences.toSorted((a, b) => (a.topic + a.key < b.topic + b.key ? -1 : 1)) }
}

/** @throws OBS_LOG_FACT_CHANGED when one key was said with different bytes */
async function factHashes(
  env: Environment,
  topic: TopicDefinition,
): Promise<Map<string, { readonly sha256: string; readonly decidedAt: Instant }>> {
  const codec = env.codecs.get(topic)!
  const hashes = new Map<string, { readonly sha256: string; readonly decidedAt: Instant }>()
  for (const { partition } of await env.log.offsets(topic.name))
    for (const { key, value } of await readSet(env.log, topic.name, partition, () => true)) {
      const fact = (await decodeOwn(codec, value)) as { readonly decidedAt: Instant }
      const sha256 = factSha256(fact)
      const known = hashes.get(key)
      if (known && known.sha256 !== sha256)
        throw new ObstreamError(
          'OBS_LOG_FACT_CHANGED',
          `${topic.name} holds ${key} with different bytes: sha256 ${known.sha256} and ${sha256}`,
        )
      hashes.set(key, { sha256, decidedAt: fact.decidedAt })
    }
  return hashes
}
