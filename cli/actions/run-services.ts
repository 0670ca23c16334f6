import { readBuildInfo } from '#lib/runtime/build-info.ts'
import type { Environment } from '#lib/runtime/environment.ts'
import { createHealthServer } from '#lib/runtime/health.ts'
import type { LoadedConfig } from '#lib/runtime/load-config.ts'
import type { RunningService } from '#lib/runtime/run.ts'
import { createLifecycle, type Part } from '#lib/runtime/shutdown.ts'
import { SECOND_MS } from '#lib/time.ts'
import type { ServiceName } from '../serve.ts'
import type { Session } from '../session.ts'
import { Reloading } from './reload.ts'
import { serviceStarts } from './services.ts'

/**
 * Longer than a request to a receiver may take (15 s), and the log after it (20 s in all): a courier that was asked to stop still
 * hears of the request that runs, and says in the ledger how it went.
 */
const SERVICE_STOPS_WITHIN_MS = 25 * SECOND_MS

/**
 * Runs services and their health endpoints until the process is interrupted or one of them fails.
 *
 * @param load reads the configuration again, at SIGHUP
 * @param beside what further runs with them; starts before them and stops after
 * @param onReady called when everything has started, with the address of the health endpoints
 * @throws the fault that ended a service, after the others have stopped
 */
export async function runServices(
  session: Session,
  env: Environment,
  names: readonly ServiceName[],
  run: {
    readonly load: () => LoadedConfig
    readonly beside?: readonly Part[]
    readonly onReady?: (url: string) => void
  },
): Promise<void> {
  const interrupted = session.interrupted()
  const lifecycle = createLifecycle(env.clock)
  const running = new Map<ServiceName, RunningService>()
  const failed = Promise.withResolvers<never>()
  lifecycle.add({ name: 'log', start: () => {}, stop: () => env.close() })
  for (const part of run.beside ?? []) lifecycle.add(part)
  for (const name of names) lifecycle.add(servicePart(name, session, env, running, failed.reject))
  const health = createHealthServer({
    bind: env.config.bind,
    build: readBuildInfo(session.context.env),
    metrics: env.metrics,
    checks: {
      ...Object.fromEntries(
        names.map((name) => [name, () => (running.has(name) ? running.get(name)!.waitsFor : 'starting')]),
      ),
      registry: () => env.registry.waitsFor,
    },
  })
  lifecycle.add({
    name: 'health',
    start: async () => run.onReady?.((await health.start()).url),
    stop: () => health.stop(),
  })
  const started = Promise.withResolvers<void>()
  const { load } = run
  const reloading = new Reloading({ config: env.config, load, services: () => running.values(), logger: env.logger })
  const reload = (): void => void started.promise.then(() => reloading.ask()).catch(failed.reject)
  const ignoreHangups = session.onHangup(reload)
  const stopped = new Promise<void>((resolve) => interrupted.addEventListener('abort', () => resolve(), { once: true }))
  try {
    if (!interrupted.aborted) await Promise.race([lifecycle.start(), failed.promise])
    started.resolve()
    if (!interrupted.aborted) await Promise.race([stopped, failed.promise])
  } finally {
    await lifecycle.stop()
    ignoreHangups()
  }
}

function servicePart(
  name: ServiceName,
  session: Session,
  env: Environment,
  running: Map<ServiceName, RunningService>,
  fail: (error: unknown) => void,
): Part {
  return {
    name,
    async start() {
      const service = await serviceStarts[name](env, session)
      service.ended.catch(fail)
      running.set(name, service)
    },
    stop: () => running.get(name)!.stop(),
    stopWithinMs: SERVICE_STOPS_WITHIN_MS,
  }
}
