import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compareFacts } from '#cli/replay/compare-facts.ts'
import { EVERYTHING } from '#cli/replay/range.ts'
import { refold } from '#cli/replay/refold.ts'
import { isObstreamError } from '#lib/errors.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import { openSqliteLog } from '#lib/eventlog/sqlite.ts'
import { systemClock } from '#lib/runtime/clock.ts'
import { codecOf, type Environment } from '#lib/runtime/environment.ts'
import { type TopicDefinition, topics } from '#lib/topics.ts'
import { checkDeliveries, countMessages } from './check-deliveries.ts'
import { checkReaders } from './check-readers.ts'
import { checkRecords } from './check-records.ts'
import { checkWindows } from './check-windows.ts'
import type { Evidence } from './evidence.ts'
import type { Fault } from './fault.ts'

/** What was checked, and what was found. */
export interface Checked {
  /** Records by topic; of a derived one, facts that a reader accepts. */
  readonly counts: Readonly<Record<string, number>>
  /** Copies of facts that readers drop. */
  readonly copies: number
  /** Facts that are the same after a fold without faults. */
  readonly refoldedEqual: number
  /** That were decided to be sent. */
  readonly messages: number
  readonly faults: readonly Fault[]
}

/**
 * Proves from a log at rest, and from what is known from outside, that nothing was lost, nothing is seen twice, and
 * everything derived is what follows from the samples. Nothing is appended.
 */
export async function checkLog(env: Environment, evidence: Evidence): Promise<Checked> {
  const codecs = { sample: codecOf(env, topics.sample), window: codecOf(env, topics.window) }
  const readings = await checkReaders(env.log)
  const refolded = await checkRefolded(env)
  const faults = [
    ...(await checkRecords(env.log, codecs.sample, evidence)),
    ...readings.faults,
    ...(await checkWindows(env.log, codecs)),
    ...refolded.faults,
    ...(evidence.told ? await checkDeliveries(env, evidence.told) : []),
  ]
  const counts = {
    [topics.sample.name]: await countOf(env.log, topics.sample),
    [topics.job.name]: await countOf(env.log, topics.job),
    ...readings.facts,
  }
  const messages = await countMessages(env)
  return { counts, copies: readings.copies, refoldedEqual: refolded.equalCount, messages, faults }
}

async function countOf(log: EventLog, { name }: TopicDefinition): Promise<number> {
  return (await log.offsets(name)).reduce((sum, { end }) => sum + end, 0)
}

/** Append times of the scratch log lie after every instant of the log. */
const END_OF_TIME = Date.UTC(9999, 11, 31)

async function checkRefolded(
  env: Environment,
): Promise<{ readonly equalCount: number; readonly faults: readonly Fault[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'obstream-refold-'))
  const clock = { ...systemClock, now: () => END_OF_TIME }
  const partitions = (await env.log.offsets(topics.sample.name)).length
  const scratch = openSqliteLog({ path: join(folder, 'scratch.db'), clock, partitions })
  try {
    const { equalCount, takenCount, differences } = await compareFacts(env, await refold(env, scratch), EVERYTHING)
    const faults: Fault[] = differences.map(({ topic, key, recorded, rebuilt }) => ({
      kind: 'fact_different',
      about: `${topic} ${key}: recorded ${recorded}, without faults ${rebuilt}`,
    }))
    if (takenCount > 0) faults.push({ kind: 'fact_different', about: `${takenCount} facts could not be folded again` })
    return { equalCount, faults }
  } catch (error) {
    if (!isObstreamError(error, 'OBS_LOG_FACT_CHANGED')) throw error
    return { equalCount: 0, faults: [{ kind: 'fact_changed', about: error.message }] }
  } finally {
    await scratch.close()
    rmSync(folder, { recursive: true, force: true })
  }
}
