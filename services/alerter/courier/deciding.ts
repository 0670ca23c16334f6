import type { CommandTopic } from '#lib/commands/command-topic.ts'
import type { Standing } from '#lib/commands/standing.ts'
import type { Config } from '#lib/config.ts'
import type { Ledger, LedgerMessage } from '#lib/delivery/ledger.ts'
import type { Plan } from '#lib/plan.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import type { PlanStore } from '#lib/runtime/plan-store.ts'
import { formatDuration, type Instant } from '#lib/time.ts'
import type { Notice } from '../messages/compose.ts'
import { avoidingGone, decide, decideFallback, decideUnacknowledged, type Verdict } from './decide.ts'
import { decisionsOf } from './decisions.ts'
import type { Episode, EpisodeBook, Transition } from './episode-book.ts'
import { contextOf, noticeOf } from './notices.ts'
import { labelsIn, questionAbout } from './question.ts'
import { alertIdOf, unacknowledgedSubject } from './subjects.ts'

export interface DecidingDependencies {
  readonly clock: Clock
  readonly plans: PlanStore
  readonly commands: CommandTopic
  /** As it is at the moment; a reload changes it. */
  config(): Config
}

/**
 * Decides what is told of the transitions of one partition, and claims that in the ledger. What was claimed before, by
 * whomever, stands: nothing is decided twice.
 */
export class Deciding {
  readonly #deps: DecidingDependencies
  readonly #book: EpisodeBook
  readonly #ledger: Ledger
  readonly #signal: AbortSignal

  /** @param signal ends a wait for a plan */
  constructor(
    deps: DecidingDependencies,
    place: { readonly book: EpisodeBook; readonly ledger: Ledger },
    signal: AbortSignal,
  ) {
    this.#deps = deps
    this.#book = place.book
    this.#ledger = place.ledger
    this.#signal = signal
  }

  /** @returns the messages about a transition, now that they are decided */
  async aboutTransition(transition: Transition): Promise<readonly LedgerMessage[]> {
    const { key, alert } = transition
    if (this.#ledger.about(key).length === 0) {
      const { commands, clock } = this.#deps
      const [plan, standing] = [await this.#planOf(transition), await commands.standing()]
      const told = this.#toldOf(alert.alertId)
      const known = { book: this.#book, plan, standing, config: this.#deps.config(), told, now: clock.now() }
      await this.#claim(key, transition, decide(questionAbout(transition, known)))
    }
    return this.#ledger.about(key)
  }

  /** Whether nobody has acknowledged a critical alert in time, which is told once. @returns the messages, if so */
  async aboutSilentOperator({ isOpen, transitions }: Episode): Promise<readonly LedgerMessage[]> {
    const { config, clock, commands } = this.#deps
    const { routes, delivery } = config()
    const critical = isOpen && routes.unacknowledged.length > 0 ? transitions.find(isCritical) : undefined
    if (!critical) return []
    const { alertId } = critical.alert
    const subject = unacknowledgedSubject(alertId)
    if (this.#ledger.about(subject).length > 0) return []
    const toldAt = this.#toldAt(critical.key)
    if (toldAt === undefined || clock.now() < toldAt + delivery.ackWithinMs) return []
    const standing: Standing = await commands.standing()
    if (standing.acknowledgementOf(alertId)) return []
    const silences = standing.silencesFor(labelsIn(await this.#planOf(critical), critical.alert), clock.now())
    const within = formatDuration(delivery.ackWithinMs)
    await this.#claim(subject, critical, decideUnacknowledged(routes.unacknowledged, silences, within))
    return this.#ledger.about(subject)
  }

  /** Whether another channel is to take the place of one that failed. @returns its message, if so */
  async aboutFailure(message: LedgerMessage): Promise<LedgerMessage | undefined> {
    const { fallback, fallbackAfter } = this.#deps.config().delivery
    const { subject, channel, code } = message.decision
    const outcome = message.attempts.at(-1)?.outcome
    if (!outcome || outcome.result === 'accepted') return undefined
    const failed = outcome.nextAttemptAt === null || outcome.attempt >= fallbackAfter
    if (!failed || fallback === null || fallback === channel || code === 'fallback') return undefined
    const transition = this.#transitionOf(subject)
    if (!transition || this.#ledger.message({ subject, channel: fallback })?.decision.send) return undefined
    await this.#claim(subject, transition, [decideFallback(fallback, channel, outcome.attempt)])
    return this.#ledger.message({ subject, channel: fallback })
  }

  async #claim(subject: string, transition: Transition, judged: readonly Verdict[]): Promise<void> {
    const { clock, commands } = this.#deps
    const config = this.#deps.config()
    const standing = await commands.standing()
    const verdicts = avoidingGone(judged, (channel) => this.#goneSince(channel, standing), config.delivery.fallback)
    const { env, channels, locale } = config
    const plan = await this.#planOf(transition)
    const acknowledgement = standing.acknowledgementOf(transition.alert.alertId)
    const notice = (verdict: Verdict): Notice =>
      noticeOf(transition, verdict, { plan, locale, acknowledgement, verdicts })
    const decidedAt = clock.now()
    const context = contextOf(config, plan)
    await this.#ledger.claim(decisionsOf({ subject, decidedAt, env, channels, context, notice }, verdicts))
  }

  /** A later test of a channel that was accepted takes back what it said. */
  #goneSince(channel: string, standing: Standing): Instant | null {
    const configSha256 = this.#deps.config().channels.find(({ name }) => name === channel)?.configSha256 ?? ''
    const at = this.#ledger.goneAt(channel, configSha256)
    const test = standing.acceptedTestOf(channel, configSha256)
    return at === null || (test !== null && test.at > at) ? null : at
  }

  async #planOf({ alert }: Transition): Promise<Plan> {
    const plan = this.#deps.plans.get(alert.plan) ?? (await this.#deps.plans.wait(alert.plan, this.#signal))
    if (!plan) throw this.#signal.reason
    return plan
  }

  /** Channels that were told anything of an alert, in the order they were. */
  #toldOf(alertId: string): readonly string[] {
    const transitions = this.#book.episodes.get(alertId)?.transitions ?? []
    const subjects = [...transitions.map(({ key }) => key), unacknowledgedSubject(alertId)]
    const sent = subjects.flatMap((subject) => this.#ledger.about(subject)).filter(({ decision }) => decision.send)
    return [...new Set(sent.map(({ decision }) => decision.channel))]
  }

  /** When a transition was first decided to be told; `undefined`: it was not. */
  #toldAt(subject: string): number | undefined {
    const sent = this.#ledger.about(subject).filter(({ decision }) => decision.send)
    return sent.length === 0 ? undefined : Math.min(...sent.map(({ decision }) => decision.decidedAt))
  }

  /** The transition that a message tells of. */
  #transitionOf(subject: string): Transition | undefined {
    const alertId = alertIdOf(subject)
    const transitions = this.#book.episodes.get(alertId)?.transitions
    return subject === unacknowledgedSubject(alertId)
      ? transitions?.find(isCritical)
      : transitions?.find(({ key }) => key === subject)
  }
}

function isCritical({ alert }: Transition): boolean {
  return alert.severity === 'critical' && alert.kind !== 'annotated' && alert.kind !== 'resolved'
}
