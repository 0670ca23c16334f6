import type { EventLog } from '#lib/eventlog/port.ts'
import { codecOf, type Environment, environmentOn } from '#lib/runtime/environment.ts'
import { createMetricsRegistry } from '#lib/runtime/metrics.ts'
import { runToEnd } from '#lib/runtime/run-to-end.ts'
import { topics } from '#lib/topics.ts'
import { alerter } from '#services/alerter/service.ts'
import { rollupReading } from '#services/rollup/service.ts'
import { type Beginning, findBeginnings } from './beginning.ts'
import { ReplayLog } from './replay-log.ts'
import { takeSnapshot } from './snapshot.ts'
import { takeRecorded } from './take-recorded.ts'

/** A log that has been folded again. */
export interface Refolded {
  /** Its log holds the primary topics as they were when the replay began, and the derived ones as they follow from them. */
  readonly env: Environment
  /** By partition of the latency path. */
  readonly beginnings: readonly Beginning[]
}

/** The services that fold, one after the other, each until it has folded all there is. */
export type Folds = readonly ((
  env: Environment,
  onProgress: (folded: number, total: number) => void,
) => Promise<unknown>)[]

/** The folds of this build, in the order of the data flow. */
export const currentFolds: Folds = [
  (env, onProgress) => runToEnd(rollupReading(codecOf(env, topics.sample)), env, onProgress),
  (env) => runToEnd(alerter, env),
]

/**
 * Folds a log again: lets the services say what follows from its primary topics, and takes as recorded what this build
 * cannot recompute. Services may go on writing the log meanwhile; nothing is written to it here.
 *
 * @param scratch an empty log with as many partitions, whose append times lie after every instant of the log; it is closed
 *   with the environment given back
 * @param onProgress hears how many samples of how many are folded
 * @throws OBS_LOG_HISTORY_CHANGED · OBS_LOG_CORRUPT when a tick names a plan that the log does not hold
 */
export async function refold(
  source: Environment,
  scratch: EventLog,
  folds: Folds = currentFolds,
  onProgress: (folded: number, total: number) => void = () => {},
): Promise<Refolded> {
  const log = new ReplayLog(source.log, scratch, await takeSnapshot(source.log))
  const env = await environmentOn(log, source.registry, { ...source, metrics: createMetricsRegistry() })
  const beginnings = await findBeginnings(env)
  for (const [partition, beginning] of beginnings.entries())
    if (beginning.because.length > 0) await takeRecorded(source.log, log, partition, beginning)
  for (const fold of folds) await fold(env, onProgress)
  return { env, beginnings }
}
