import { openOverlayLog } from '#lib/eventlog/overlay.ts'
import { type Environment, environmentOn } from '#lib/runtime/environment.ts'
import { createMetricsRegistry } from '#lib/runtime/metrics.ts'
import { catalogue, topics } from '#lib/topics.ts'

/** Who folds, and what. */
const groups = [
  { group: 'sampler', topic: topics.sample },
  { group: 'rollup', topic: topics.sample },
  { group: 'alerter', topic: topics.window },
  { group: 'courier', topic: topics.alert },
]

/**
 * Against the flow, since the services may go on writing: an alert never lacks its window, nor a window its samples. Plans
 * come last, because a tick names one that was written before it.
 */
const againstTheFlow = [...catalogue.filter((topic) => topic !== topics.plan).toReversed(), topics.plan]

/**
 * The same environment on an overlay over its log: services see everything and may run beside those that are running, and
 * what they say is gone when it is closed. `env` stays open.
 */
export async function openDryRun(env: Environment): Promise<Environment> {
  const overlay = await openOverlayLog(env.log, {
    clock: env.clock,
    partitions: (await env.log.offsets(topics.sample.name)).length,
    topics: againstTheFlow,
    groups,
  })
  try {
    return await environmentOn(overlay, env.registry, { ...env, metrics: createMetricsRegistry() })
  } catch (error) {
    await overlay.close()
    throw error
  }
}
