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

/** Verdicts, and the commands that they rest on. */
interface Decided {
  readonly verdicts: readonly Verdict[]
  readonly standing: Standing
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
  /** By hash. */
  readonly #awaited = new Map<string, Promise<Plan | undefined>>()

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
      await this.#claim(key, transition, { verdicts: decide(questionAbout(transition, known)), standing })
    }
    return this.#ledger.about(key)
  }

  /** Which critical alerts nobody has acknowledged in time; each is told once. @returns the messages, alert by alert */
  async *aboutSilentOperators(): AsyncGenerator<readonly LedgerMessage[]> {
    const overdue = this.#book.episodes
      .values()
      .flatMap((episode) => this.#overdue(episode))
      .toArray()
    if (overdue.length === 0) return
    const { config, clock, commands } = this.#deps
    const { routes, delivery } = config()
    const standing = await commands.standing()
    const within = formatDuration(delivery.ackWithinMs)
    for (const transition of overdue) {
      const { alert } = transition
      if (standing.acknowledgementOf(alert.alertId)) continue
      const silences = standing.silencesFor(labelsIn(await this.#planOf(transition), alert), clock.now())
      const subject = unacknowledgedSubject(alert.alertId)
      const verdicts = decideUnacknowledged(routes.unacknowledged, silences, within)
      await this.#claim(subject, transition, { verdicts, standing })
      yield this.#ledger.about(subject)
    }
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
    const standing = await this.#deps.commands.standing()
    const verdicts = [decideFallback(fallback, channel, outcome.attempt)]
    await this.#claim(subject, transition, { verdicts, standing })
    return this.#ledger.message({ subject, channel: fallback })
  }

  async #claim(subject: string, transition: Transition, { verdicts: judged, standing }: Decided): Promise<void> {
    const config = this.#deps.config()
    const verdicts = avoidingGone(judged, (channel) => this.#goneSince(channel, standing), config.delivery.fallback)
    const { env, channels, locale } = config
    const plan = await this.#planOf(transition)
    const acknowledgement = standing.acknowledgementOf(transition.alert.alertId)
    const notice = (verdict: Verdict): Notice =>
      noticeOf(transition, verdict, { plan, locale, acknowledgement, verdicts })
    const decidedAt = this.#deps.clock.now()
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
    const plan = this.#deps.plans.get(alert.plan) ?? (await this.#wait(alert.plan))
    if (!plan) throw this.#signal.reason
    return plan
  }

  /** Many ask at the same time; a large plan is read once for all of them. */
  #wait(hash: string): Promise<Plan | undefined> {
    const known = this.#awaited.get(hash)
    if (known) return known
    const awaited = this.#deps.plans.wait(hash, this.#signal).finally(() => this.#awaited.delete(hash))
    this.#awaited.set(hash, awaited)
    return awaited
  }

  /** The critical transition of an open alert that was told so long ago that somebody should have acknowledged it; one or none. */
  #overdue({ isOpen, transitions }: Episode): readonly Transition[] {
    const { routes, delivery } = this.#deps.config()
    const critical = isOpen && routes.unacknowledged.length > 0 ? transitions.find(isCritical) : undefined
    if (!critical || this.#ledger.about(unacknowledgedSubject(critical.alert.alertId)).length > 0) return []
    const toldAt = this.#toldAt(critical.key)
    return toldAt === undefined || this.#deps.clock.now() < toldAt + delivery.ackWithinMs ? [] : [critical]
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
