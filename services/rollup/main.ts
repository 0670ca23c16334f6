import { codecOf, type Environment } from '#lib/runtime/environment.ts'
import { type RunningService, runService } from '#lib/runtime/run.ts'
import { topics } from '#lib/topics.ts'
import { rollupReading } from './service.ts'

/** Starts rollup in this process. @throws OBS_LOG_GROUP_HELD */
export function startRollup(env: Environment): Promise<RunningService> {
  return runService(rollupReading(codecOf(env, topics.sample)), env)
}
