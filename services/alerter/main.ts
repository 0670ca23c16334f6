import type { Environment } from '#lib/runtime/environment.ts'
import { type RunningService, runService } from '#lib/runtime/run.ts'
import { alerter } from './service.ts'

/** Starts the alerter in this process. @throws OBS_LOG_GROUP_HELD */
export function startAlerter(env: Environment): Promise<RunningService> {
  return runService(alerter, env)
}
