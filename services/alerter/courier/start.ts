import { CommandTopic } from '#lib/commands/command-topic.ts'
import type { LedgerMessage } from '#lib/delivery/ledger.ts'
import { Outlets } from '#lib/delivery/outlets.ts'
import { Pacers } from '#lib/delivery/pacer.ts'
import { codecOf, type Environment } from '#lib/runtime/environment.ts'
import { type RunningService, type RunOptions, runService } from '#lib/runtime/run.ts'
import { topics } from '#lib/topics.ts'
import { createCourierCounters } from '../metrics.ts'
import { Couriers } from './couriers.ts'
import { House } from './house.ts'
import { SamplerWatch } from './sampler-watch.ts'
import { courier } from './service.ts'

/** A courier that runs, and for a command that ends by itself: when it has told everything. */
export interface RunningCourier extends RunningService {
  /** Resolves when all that the log holds is told, or past its fast schedule. */
  settled(): Promise<void>
  /** Messages that no receiver has taken while it ran. */
  untold(): readonly LedgerMessage[]
}

/** Starts the courier in this process: the fold that remembers, and the edge that tells. @throws OBS_LOG_GROUP_HELD */
export async function startCourier(env: Environment, options?: RunOptions): Promise<RunningCourier> {
  const { log, clock, logger, plans, ids } = env
  const commands = new CommandTopic(log, codecOf(env, topics.command))
  const outlets = new Outlets(env.config)
  const telling = {
    log,
    clock,
    logger,
    plans,
    ids,
    commands,
    codec: codecOf(env, topics.delivery),
    pacers: new Pacers(clock),
    counters: createCourierCounters(env.metrics),
    config: () => outlets.config,
    sender: (channel: string) => outlets.sender(channel),
  }
  const house = new House(telling)
  const watch = new SamplerWatch({ ...telling, samples: codecOf(env, topics.sample), house })
  const couriers = new Couriers({ ...telling, house })
  const memory = await runService(courier, env, couriers.observer, options)
  const watching = options?.once ? memory.ended : watch.run()
  return {
    name: courier.name,
    get waitsFor() {
      return memory.waitsFor ?? couriers.waitsFor
    },
    ended: Promise.race([memory.ended, couriers.ended, house.failed, watching]),
    async settled() {
      if (options?.once) await house.resume()
      await couriers.settled()
      await house.settled()
    },
    untold: () => couriers.untold(),
    reload: async (config) => outlets.reload(config),
    async stop() {
      commands.stop()
      watch.stop()
      await Promise.all([couriers.stop(), house.stop()])
      await memory.stop()
      await outlets.close()
    },
  }
}
