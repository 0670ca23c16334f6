import { openFileArtefacts } from '#lib/artefacts/files.ts'
import type { Config } from '#lib/config.ts'
import { JobTopic } from '#lib/jobs/job-topic.ts'
import { codecOf, type Environment } from '#lib/runtime/environment.ts'
import type { RunningService } from '#lib/runtime/run.ts'
import { MINUTE_MS } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { fileJobLock } from './adapters/job-lock.ts'
import { type ExporterDependencies, LatencyLoops, latencySchedule } from './adapters/latency-loops.ts'

/** A job gives rollup, and then the alerter, this long to come to its cut. */
const WAIT_MS = MINUTE_MS

/** What started the process, for the records of its jobs. */
export interface Provenance {
  /** argv, secrets masked. */
  readonly command: readonly string[]
  readonly commitSha: string | null
}

/**
 * The exporter of a running system: claims the slots of the latency job and runs what is claimed.
 *
 * Reads obs.sample.v1, obs.window.v1, obs.alert.v1; reads and writes obs.job.v1; writes the artefacts. It belongs to no
 * consumer group: several exporters on one log agree by the claims.
 */
export function startExporter(deps: ExporterDependencies, config: Config, provenance: Provenance): RunningService {
  return new LatencyLoops(deps, { ...latencySchedule(config), ...provenance })
}

/**
 * What jobs of the exporter work with, in this process.
 *
 * @param lockFile relative to the data directory; default `ops/.latency.lock`
 */
export function exporterDependencies(environment: Environment, lockFile?: string): ExporterDependencies {
  const { log, clock, ids, logger, config } = environment
  return {
    log,
    clock,
    ids,
    logger,
    codecs: {
      sample: codecOf(environment, topics.sample),
      window: codecOf(environment, topics.window),
      alert: codecOf(environment, topics.alert),
    },
    jobs: new JobTopic(log, codecOf(environment, topics.job)),
    store: openFileArtefacts(config.dataDir),
    lock: fileJobLock(config.dataDir, lockFile),
    waitMs: WAIT_MS,
  }
}
