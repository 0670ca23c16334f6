import { codecOf, type Environment } from '#lib/runtime/environment.ts'
import { type RunningService, runService } from '#lib/runtime/run.ts'
import { unlessEnded } from '#lib/runtime/run-to-end.ts'
import { topics } from '#lib/topics.ts'
import { createProbePool } from './adapters/probe-pool.ts'
import { createSamplerCounters } from './metrics.ts'
import { Sampling } from './sampling.ts'
import type { SamplingDependencies } from './sampling-parts.ts'
import { type RoundSummary, SamplingRound } from './sampling-round.ts'
import { samplerService } from './service.ts'

/** Starts the sampler in this process: the fold that remembers, and the edge that probes. @throws OBS_LOG_GROUP_HELD */
export async function startSampler(env: Environment): Promise<RunningService> {
  const deps = samplingDependencies(env)
  const sampling = new Sampling(deps)
  const memory = await runService(samplerService(codecOf(env, topics.sample)), env, sampling.observer)
  await sampling.start()
  const ended = Promise.race([memory.ended, sampling.ended])
  ended.catch(() => {})
  return {
    name: 'sampler',
    get waitsFor() {
      return memory.waitsFor ?? (sampling.lastTickAt === null ? 'its first tick' : null)
    },
    ended,
    reload: (config) => sampling.reload(config),
    async stop() {
      await sampling.stop()
      await deps.prober.close()
      await memory.stop()
    },
  }
}

/** One round over all sources, then the end. @throws OBS_LOG_GROUP_HELD, OBS_SAMPLER_CLOCK, OBS_REGISTRY_UNAVAILABLE; what the log throws */
export async function sampleOnce(env: Environment, signal: AbortSignal): Promise<RoundSummary> {
  const deps = samplingDependencies(env)
  const round = new SamplingRound(deps)
  const memory = await runService(samplerService(codecOf(env, topics.sample)), env, round.observer, { once: true })
  const stop = (): void => void round.stop()
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  try {
    return await unlessEnded(memory, round.run())
  } finally {
    signal.removeEventListener('abort', stop)
    await round.stop()
    await deps.prober.close()
    await memory.stop()
  }
}

function samplingDependencies(env: Environment): SamplingDependencies {
  const { config, log, clock, logger } = env
  const codecs = { sample: codecOf(env, topics.sample), plan: codecOf(env, topics.plan) }
  const counters = createSamplerCounters(env.metrics)
  return { config, log, clock, logger, codecs, counters, prober: createProbePool(clock) }
}
