import type { Config } from '#lib/config.ts'
import type { Sender } from './attempt.ts'
import { type Classified, classify } from './classify.ts'
import { type HttpPoster, openHttpPoster } from './http-post.ts'
import { openSender } from './senders.ts'

/** What one configuration gives. */
interface Present {
  readonly config: Config
  readonly poster: HttpPoster
  readonly senders: ReadonlyMap<string, Sender>
}

/** The ways to the receivers that a configuration names. They hold connections: close them. */
export class Outlets {
  #present: Present
  /** Posters of earlier configurations whose last requests run. */
  readonly #retiring = new Set<HttpPoster>()

  /** @throws OBS_CONFIG_INVALID for an allowed host or a proxy that cannot be read */
  constructor(config: Config) {
    this.#present = openAll(config)
  }

  get config(): Config {
    return this.#present.config
  }

  /**
   * Whoever holds a sender over a reload posts by the new configuration: its URL, its secrets, its connections.
   *
   * @returns `undefined` when there is no such channel, or its secrets are not set
   */
  sender(channel: string): Sender | undefined {
    const sender = this.#present.senders.get(channel)
    return (
      sender && {
        ...sender,
        post: async (...message) => (await this.#present.senders.get(channel)?.post(...message)) ?? noChannel,
      }
    )
  }

  /**
   * Requests under way end on the old connections, in their own time; those that begin after it go by the new configuration.
   *
   * @throws OBS_CONFIG_INVALID for a proxy that cannot be read; all is as before then
   */
  reload(config: Config): void {
    const before = this.#present.poster
    this.#present = openAll(config)
    this.#retiring.add(before)
    void before.retire().then(() => this.#retiring.delete(before))
  }

  /** At once; requests under way are lost. May be called again. */
  async close(): Promise<void> {
    await Promise.all([this.#present.poster, ...this.#retiring].map((poster) => poster.close()))
  }
}

const noChannel: Classified = classify({ kind: 'forbidden', reason: 'the channel is no longer in the configuration' })

function openAll(config: Config): Present {
  const poster = posterOf(config)
  const senders = config.channels.flatMap((channel) => {
    const sender = openSender(channel, poster)
    return sender ? [[channel.name, sender] as const] : []
  })
  return { config, poster, senders: new Map(senders) }
}

function posterOf({ delivery: { allowHosts, proxy } }: Config): HttpPoster {
  const env = { HTTPS_PROXY: proxy.https ?? '', HTTP_PROXY: proxy.http ?? '', NO_PROXY: proxy.none ?? '' }
  return openHttpPoster({ allowHosts, env })
}
