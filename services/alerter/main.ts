import type { Environment } from '#lib/runtime/environment.ts'
import { type RunningService, runService } from '#lib/runtime/run.ts'
import { startCourier } from './courier/start.ts'
import { alerter } from './service.ts'

/** Starts the alerter in this process: the fold that decides, and the courier that tells. @throws OBS_LOG_GROUP_HELD */
export async function startAlerter(env: Environment): Promise<RunningService> {
  const fold = await runService(alerter, env)
  const courier = await startCourier(env).catch(async (error: unknown) => {
    await fold.stop()
    throw error
  })
  const ended = Promise.race([fold.ended, courier.ended])
  ended.catch(() => {})
  return {
    name: 'alerter',
    get waitsFor() {
      return fold.waitsFor ?? courier.waitsFor
    },
    ended,
    reload: (config) => courier.reload!(config),
    async stop() {
      await courier.stop()
      await fold.stop()
    },
  }
}
