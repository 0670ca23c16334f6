import type { Environment } from '#lib/runtime/environment.ts'
import type { RunningService } from '#lib/runtime/run.ts'
import { startAlerter } from '#services/alerter/main.ts'
import { exporterDependencies, startExporter } from '#services/exporter/service.ts'
import { startRollup } from '#services/rollup/main.ts'
import { startSampler } from '#services/sampler/main.ts'
import type { ServiceName } from '../serve.ts'
import type { Session } from '../session.ts'
import { provenanceOf } from './desk.ts'

/** How each service starts, in the order of the data flow. */
export const serviceStarts: Readonly<
  Record<ServiceName, (env: Environment, session: Session) => Promise<RunningService>>
> = {
  sampler: startSampler,
  rollup: startRollup,
  alerter: startAlerter,
  exporter: async (env, session) => startExporter(exporterDependencies(env), env.config, provenanceOf(session)),
}
