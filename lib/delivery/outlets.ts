import type { Config } from '#lib/config.ts'
import type { Sender } from './dispatcher.ts'
import { type HttpPoster, openHttpPoster } from './http-post.ts'
import { openSender } from './senders.ts'

/** The ways to the receivers that a configuration names. They hold connections: close them. */
export class Outlets {
  #config: Config
  #poster: HttpPoster
  #senders: ReadonlyMap<string, Sender>

  /** @throws OBS_CONFIG_INVALID for an allowed host or a proxy that cannot be read */
  constructor(config: Config) {
    this.#config = config
    this.#poster = posterOf(config)
    this.#senders = sendersOf(config, this.#poster)
  }

  get config(): Config {
    return this.#config
  }

  /** @returns `undefined` when there is no such channel, or its secrets are not set */
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

  /** At once; requests under way are lost. May be called again. */
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
