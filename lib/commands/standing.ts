import type { ChannelTestCommand, CommandFact, Matcher, SilenceCommand, UnsilenceCommand } from '#lib/facts.ts'
import type { Instant } from '#lib/time.ts'
import { compileMatchers, type Labels } from './matching.ts'

/** Who said something, when and why, and in which command. */
export interface Said {
  readonly commandId: string
  readonly at: Instant
  readonly by: string
  readonly reason: string
}

/** A silence with what has become of it. */
export interface Silence {
  /** Id of the command that began it. */
  readonly id: string
  readonly matchers: readonly Matcher[]
  readonly startsAt: Instant
  /** First instant after it: the one it was given, or an earlier one at which somebody ended it. */
  readonly endsAt: Instant
  readonly said: Said
  /** Who ended it before its time; `null`: nobody. */
  readonly ended: Said | null
}

export type SilenceState = 'active' | 'pending' | 'expired'

/** What a silence is at an instant. One that was ended before it began is expired from then on. */
export function stateOf({ startsAt, endsAt }: Pick<Silence, 'startsAt' | 'endsAt'>, at: Instant): SilenceState {
  if (at >= endsAt) return 'expired'
  return at >= startsAt ? 'active' : 'pending'
}

interface Begun {
  readonly command: SilenceCommand
  readonly fits: (labels: Labels) => boolean
}

/**
 * What stands of everything that operators said: a fold over the facts of `obs.command.v1` in the order of the log. The
 * first record of a key counts; copies change nothing.
 *
 * It knows no clock: whoever asks brings the instant. Whether an alert or a silence exists that a command names is of no
 * matter here.
 */
export class Standing {
  readonly #taken = new Set<string>()
  readonly #acknowledgements = new Map<string, Said>()
  readonly #silences = new Map<string, Begun>()
  readonly #ends = new Map<string, Said>()
  readonly #tests = new Map<string, Said>()
  readonly #delivered = new Map<string, string>()

  /** @returns whether the fact is new: the first of its key */
  take(commandId: string, fact: CommandFact): boolean {
    if (this.#taken.has(commandId)) return false
    this.#taken.add(commandId)
    const said: Said = { commandId, at: fact.at, by: fact.by, reason: fact.reason }
    switch (fact.type) {
      case 'ack':
        if (!this.#acknowledgements.has(fact.alertId)) this.#acknowledgements.set(fact.alertId, said)
        break
      case 'silence':
        this.#silences.set(commandId, { command: fact, fits: compileMatchers(fact.matchers) })
        break
      case 'unsilence':
        this.#end(fact, said)
        break
      case 'channel_test':
        if (fact.accepted) this.#tests.set(channelKey(fact), said)
        break
      case 'deliver':
        if (!this.#delivered.has(fact.messageId)) this.#delivered.set(fact.messageId, fact.bodySha256)
        break
      case 'exclude':
        break
    }
    return true
  }

  #end({ silenceId }: UnsilenceCommand, said: Said): void {
    const known = this.#ends.get(silenceId)
    if (!known || said.at < known.at) this.#ends.set(silenceId, said)
  }

  /** The first acknowledgement of an alert, one episode; `null`: nobody has acknowledged it. */
  acknowledgementOf(alertId: string): Said | null {
    return this.#acknowledgements.get(alertId) ?? null
  }

  /**
   * The silences that hold back an alert at an instant, in the order in which they were said.
   *
   * @param labels those of `alertLabels`
   */
  silencesFor(labels: Labels, at: Instant): readonly Silence[] {
    return [...this.#silences]
      .map(([id, { fits }]) => ({ silence: this.#silence(id), fits }))
      .filter(({ silence, fits }) => stateOf(silence, at) === 'active' && fits(labels))
      .map(({ silence }) => silence)
  }

  /** Every silence there ever was, with what it is at an instant, in the order in which they were said. */
  silences(at: Instant): readonly (Silence & { readonly state: SilenceState })[] {
    return [...this.#silences.keys()].map((id) => {
      const silence = this.#silence(id)
      return { ...silence, state: stateOf(silence, at) }
    })
  }

  /**
   * The newest test of a channel, with just this configuration, that its receiver accepted; `null`: there is none.
   *
   * @param channelConfig sha256 of the channel's configuration
   */
  acceptedTestOf(channel: string, channelConfig: string): Said | null {
    return this.#tests.get(channelKey({ channel, channelConfig })) ?? null
  }

  /** sha256 of the body with which somebody first sent a message by hand; `null`: nobody has. */
  bodySentByHand(messageId: string): string | null {
    return this.#delivered.get(messageId) ?? null
  }

  #silence(id: string): Silence {
    const { matchers, startsAt, endsAt, at, by, reason } = this.#silences.get(id)!.command
    const end = this.#ends.get(id)
    const ended = end !== undefined && end.at < endsAt ? end : null
    return { id, matchers, startsAt, endsAt: ended?.at ?? endsAt, said: { commandId: id, at, by, reason }, ended }
  }
}

function channelKey({ channel, channelConfig }: Pick<ChannelTestCommand, 'channel' | 'channelConfig'>): string {
  return `${channel}/${channelConfig}`
}
