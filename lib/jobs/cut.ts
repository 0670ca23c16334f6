import { type Cause, compareCauses } from '#lib/cause.ts'
import type { TopicCodec } from '#lib/codec/avro.ts'
import { ObstreamError } from '#lib/errors.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import type { SampleFact, Tick } from '#lib/facts.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import { lastRecord } from '#lib/runtime/own-records.ts'
import { causeOf } from '#lib/runtime/record-headers.ts'
import { formatInstant, type Instant, type Milliseconds } from '#lib/time.ts'
import { catalogue, topics } from '#lib/topics.ts'
import { readFacts } from './read-facts.ts'

/** Where a job cuts the log, named by facts: the same place in every copy of the log. */
export interface Cut {
  /** A derived fact is below the cut when the tick that decided it is at or before this one. */
  readonly cutTickAt: Instant
  /** sha256 of the plan that this tick names. */
  readonly plan: string
  /** Of each topic with one partition the key of the last record; a topic without records is absent. */
  readonly cutLastKeys: Readonly<Record<string, string>>
}

/**
 * Chooses the newest cut that every partition can give: the smallest of their newest ticks.
 *
 * @throws OBS_JOB_NO_TICK while a partition has no tick
 */
export async function chooseCut(log: EventLog, codec: TopicCodec<SampleFact>, signal?: AbortSignal): Promise<Cut> {
  let oldest: Tick | undefined
  for (const { partition } of await log.offsets(topics.sample.name)) {
    const newest = await newestTick(log, codec, partition, signal)
    if (!newest)
      throw new ObstreamError(
        'OBS_JOB_NO_TICK',
        `${topics.sample.name}/${partition} holds no clock tick; start the sampler and wait for its first tick`,
      )
    if (!oldest || newest.at < oldest.at) oldest = newest
  }
  if (!oldest) throw new ObstreamError('OBS_LOG_TOPIC_MISSING', `${topics.sample.name} has no partition`)
  return { cutTickAt: oldest.at, plan: oldest.plan, cutLastKeys: await lastKeys(log) }
}

/** Looks from the end, in steps that double, so that a long log costs no more than a short one. */
async function newestTick(
  log: EventLog,
  codec: TopicCodec<SampleFact>,
  partition: number,
  signal: AbortSignal | undefined,
): Promise<Tick | undefined> {
  const { earliest, end } = (await log.offsets(topics.sample.name))[partition]!
  for (let step = 256, to = end; to > earliest; step *= 2) {
    const from = Math.max(earliest, to - step)
    let newest: Tick | undefined
    for await (const { value } of readFacts(log, codec, { partition, from, to }, signal))
      if (value.type === 'tick' && (!newest || value.at > newest.at)) newest = value
    if (newest) return newest
    to = from
  }
  return undefined
}

/** A job is never below its own cut, and no artefact reads the dead letters. */
async function lastKeys(log: EventLog): Promise<Cut['cutLastKeys']> {
  const keys: [string, string][] = []
  for (const topic of catalogue) {
    if (topic.partitions !== 'one' || topic === topics.job || topic === topics.deadLetter) continue
    const last = await lastRecord(log, topic.name, 0)
    if (last) keys.push([topic.name, last.key.toString()])
  }
  return Object.fromEntries(keys)
}

/** How a job waits. */
export interface Patience {
  readonly clock: Clock
  /** Longest time to wait for each service. */
  readonly waitMs: Milliseconds
  readonly signal?: AbortSignal
}

const LOOK_EVERY_MS = 100

/**
 * Waits until every fact below a cut is in the log: until rollup has folded the cut's tick in every partition, and the
 * alerter has read what rollup had written by then.
 *
 * @throws OBS_JOB_BEHIND naming the service that is late, and where · the signal's reason
 */
export async function awaitCut(log: EventLog, cutTickAt: Instant, patience: Patience): Promise<void> {
  await until(() => rollupLag(log, cutTickAt), patience)
  const written = await newestCauses(log, topics.window.name)
  await until(() => alerterLag(log, written), patience)
}

/** @param lag what is still to come, in words; `undefined` when nothing is */
async function until(lag: () => Promise<string | undefined>, { clock, waitMs, signal }: Patience): Promise<void> {
  const giveUpAtMs = clock.monotonicMs() + waitMs
  for (;;) {
    signal?.throwIfAborted()
    const behind = await lag()
    if (behind === undefined) return
    if (clock.monotonicMs() >= giveUpAtMs)
      throw new ObstreamError(
        'OBS_JOB_BEHIND',
        `${behind} after ${waitMs} ms; look whether it runs (obstream status), then try again`,
      )
    await clock.sleep(LOOK_EVERY_MS, signal)
  }
}

async function rollupLag(log: EventLog, cutTickAt: Instant): Promise<string | undefined> {
  const commits = await log.committed('rollup', topics.sample.name)
  for (const { partition } of await log.offsets(topics.sample.name)) {
    const reached = commits.find((commit) => commit.partition === partition)?.reached ?? null
    if (reached !== null && reached >= cutTickAt) continue
    const place = reached === null ? 'has folded no tick' : `has come to ${formatInstant(reached)}`
    return `rollup ${place} in ${topics.sample.name}/${partition}, the cut is at ${formatInstant(cutTickAt)},`
  }
  return undefined
}

/** The newest cause in each partition of a derived topic; `undefined` where there is none. */
async function newestCauses(log: EventLog, topic: string): Promise<readonly (Cause | undefined)[]> {
  const causes: (Cause | undefined)[] = []
  for (const { partition } of await log.offsets(topic)) {
    const last = await lastRecord(log, topic, partition)
    causes.push(last && causeOf(last))
  }
  return causes
}

async function alerterLag(log: EventLog, written: readonly (Cause | undefined)[]): Promise<string | undefined> {
  const commits = await log.committed('alerter', topics.window.name)
  for (const [partition, newest] of written.entries()) {
    if (!newest) continue
    const done = commits.find((commit) => commit.partition === partition)?.done ?? null
    if (done !== null && compareCauses(done, newest) >= 0) continue
    return `the alerter has not read ${topics.window.name}/${partition} up to what rollup had written`
  }
  return undefined
}
