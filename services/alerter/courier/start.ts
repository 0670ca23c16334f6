import { CommandTopic } from '#lib/commands/command-topic.ts'
import type { Config } from '#lib/config.ts'
import type { Sender } from '#lib/delivery/dispatcher.ts'
import { type HttpPoster, openHttpPoster } from '#lib/delivery/http-post.ts'
import { Pacers } from '#lib/delivery/pacer.ts'
import { openSender } from '#lib/delivery/senders.ts'
import { codecOf, type Environment } from '#lib/runtime/environment.ts'
import { type RunningService, type RunOptions, runService } from '#lib/runtime/run.ts'
import { topics } from '#lib/topics.ts'
import { Couriers } from './couriers.ts'
import { House } from './house.ts'
import { SamplerWatch } from './sampler-watch.ts'
import { courier } from './service.ts'

/** A courier that runs, and for a command that ends by itself: when it has told everything. */
export interface RunningCourier extends RunningService {
  /** Resolves when all that the log holds is told, or past its fast schedule. */
  settled(): Promise<void>
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
      return memory.waitsFor
    },
    ended: Promise.race([memory.ended, couriers.ended, house.failed, watching]),
    settled: () => couriers.settled(),
    reload: (config) => outlets.reload(config),
    async stop() {
      commands.stop()
      watch.stop()
      await couriers.stop()
      await house.stop()
      await memory.stop()
      await outlets.close()
    },
  }
}

/** The ways to the receivers that the configuration names. */
class Outlets {
  #config: Config
  #poster: HttpPoster
  #senders: ReadonlyMap<string, Sender>

  constructor(config: Config) {
    this.#config = config
    this.#poster = posterOf(config)
    this.#senders = sendersOf(config, this.#poster)
  }

  get config(): Config {
    return this.#config
  }

  sender(channel: string): Sender | undefined {
    return this.#senders.get(channel)
  }

  /** Requests that run end on the old connections. */
  async reload(config: Config): Promise<void> {
    const before = this.#poster
    this.#config = config
    this.#poster = posterOf(config)
    this.#senders = sendersOf(config, this.#poster)
    await before.close()
  }

  close(): Promise<void> {
    return this.#poster.close()
  }
}

function posterOf({ delivery: { allowHosts, proxy } }: Config): HttpPoster {
  const env = { HTTPS_PROXY: proxy.https ?? '', HTTP_PROXY: proxy.http ?? '', NO_PROXY: proxy.none ?? '' }
  return openHttpPoster({ allowHosts, env })
}

function sendersOf({ channels }: Config, poster: HttpPoster): ReadonlyMap<string, Sender> {
  return new Map(
    channels.flatMap((channel) => {
      const sender = openSender(channel, poster)
      return sender ? [[channel.name, sender]] : []
    }),
  )
}
