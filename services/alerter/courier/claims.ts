import type { CommandTopic } from '#lib/commands/command-topic.ts'
import type { Standing } from '#lib/commands/standing.ts'
import type { Config } from '#lib/config.ts'
import { goneSince } from '#lib/delivery/closed-channels.ts'
import type { Ledger, LedgerMessage } from '#lib/delivery/ledger.ts'
import type { Plan } from '#lib/plan.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import type { PlanStore } from '#lib/runtime/plan-store.ts'
import type { Instant } from '#lib/time.ts'
import type { Notice } from '../messages/compose.ts'
import { isMessageFor } from '../messages/compose.ts'
import type { CourierCounters } from '../metrics.ts'
import { avoidingGone, endOfWhatWasTold, type Question, type Verdict } from './decide.ts'
import { decisionsOf } from './decisions.ts'
import type { EpisodeBook, Transition } from './episode-book.ts'
import { contextOf, noticeOf } from './notices.ts'
import { unacknowledgedSubject } from './subjects.ts'

export interface ClaimsDependencies {
  readonly clock: Clock
  readonly plans: PlanStore
  readonly commands: CommandTopic
  readonly counters: CourierCounters
  /** As it is at the moment; a reload changes it. */
  config(): Config
}

/** Verdicts, and the commands that they rest on. */
export interface Decided {
  readonly verdicts: readonly Verdict[]
  readonly standing: Standing
  /** What was asked; `undefined` where nothing but its end is told of an alert. */
  readonly question?: Question
}

/**
 * What was decided about the alerts of one partition, and the way to decide more. What was claimed before, by whomever,
 * stands: nothing is decided twice. Every claim keeps one promise: who was told of an alert is told its end, however late he
 * was told and whoever decided that.
 */
export class Claims {
  readonly deps: ClaimsDependencies
  readonly book: EpisodeBook
  readonly ledger: Ledger
  readonly #signal: AbortSignal
  /** By alert id. */
  readonly #turns = new Map<string, Promise<void>>()
  /** By hash. */
  readonly #awaited = new Map<string, Promise<Plan | undefined>>()

  /** @param signal ends a wait for a plan */
  constructor(
    deps: ClaimsDependencies,
    place: { readonly book: EpisodeBook; readonly ledger: Ledger },
    signal: AbortSignal,
  ) {
    this.deps = deps
    this.book = place.book
    this.ledger = place.ledger
    this.#signal = signal
  }

  /** What a decision cannot be made without, and is not to be had at the moment; `null`: nothing. */
  get waitsFor(): string | null {
    const [hash] = this.#awaited.keys()
    return hash === undefined ? null : `the plan ${hash}, by which an alert was decided`
  }

  /** One decision about an alert at a time: each rests on all that was decided before it. */
  inTurn<Result>(alertId: string, decide: () => Promise<Result>): Promise<Result> {
    const turn = (this.#turns.get(alertId) ?? Promise.resolve()).then(decide)
    const ended = turn.then(
      () => {},
      () => {},
    )
    this.#turns.set(alertId, ended)
    void ended.then(() => {
      if (this.#turns.get(alertId) === ended) this.#turns.delete(alertId)
    })
    return turn
  }

  /** Whether anything was decided about it. */
  isDecided({ key }: Pick<Transition, 'key'>): boolean {
    return this.ledger.about(key).length > 0
  }

  /** Everything that was decided about an alert, in the order of the ledger. */
  ofAlert(alertId: string): readonly LedgerMessage[] {
    const transitions = this.book.episodes.get(alertId)?.transitions ?? []
    const subjects = [...transitions.map(({ key }) => key), unacknowledgedSubject(alertId)]
    return subjects.flatMap((subject) => this.ledger.about(subject)).sort((a, b) => a.order - b.order)
  }

  /** Channels that were told anything of an alert, in the order they were. */
  toldOf(alertId: string): readonly string[] {
    const sent = this.ofAlert(alertId).filter(({ decision }) => decision.send)
    return [...new Set(sent.map(({ decision }) => decision.channel))]
  }

  /**
   * Decides about a subject, as far as nobody has. In the alert's turn.
   *
   * @param transition the one that messages tell of
   */
  async claim(subject: string, transition: Transition, decided: Decided): Promise<void> {
    await this.#append(subject, transition, decided)
    await this.tellEnd(transition.alert.alertId)
  }

  /** Decides to tell the end of an alert to those who were told of it and know nothing of its end. In its turn. */
  async tellEnd(alertId: string): Promise<void> {
    const end = this.book.episodes.get(alertId)?.transitions.findLast(({ alert }) => alert.kind === 'resolved')
    if (!end || !this.isDecided(end)) return
    for (;;) {
      const lacking = this.toldOf(alertId).filter((channel) => !this.ledger.message({ subject: end.key, channel }))
      if (lacking.length === 0) return
      const standing = await this.deps.commands.standing()
      await this.#append(end.key, end, { verdicts: lacking.map(endOfWhatWasTold), standing })
    }
  }

  /** @throws the signal's reason when it is no longer waited for */
  async planOf({ alert }: Transition): Promise<Plan> {
    const plan = this.deps.plans.get(alert.plan) ?? (await this.#wait(alert.plan))
    if (!plan) throw this.#signal.reason
    return plan
  }

  async #append(subject: string, transition: Transition, decided: Decided): Promise<void> {
    const config = this.deps.config()
    const { env, channels, locale } = config
    const { alert } = transition
    const { standing } = decided
    const verdicts = avoidingGone(decided, (channel) => this.#goneSince(channel, standing), config.delivery.fallback)
    const told = new Set(this.ledger.about(subject).flatMap(({ decision }) => (decision.send ? decision.channel : [])))
    for (const { channel: name, send } of verdicts) {
      const channel = channels.find((candidate) => candidate.name === name)
      if (send && channel && isMessageFor(channel, alert.kind)) told.add(name)
    }
    const plan = await this.planOf(transition)
    const acknowledgement = standing.acknowledgementOf(alert.alertId)
    const notice = (verdict: Verdict): Notice =>
      noticeOf(transition, verdict, { plan, locale, acknowledgement, notifiedChannels: [...told] })
    const decidedAt = this.deps.clock.now()
    const context = contextOf(config, plan)
    await this.ledger.claim(decisionsOf({ subject, decidedAt, env, channels, context, notice }, verdicts))
    for (const { channel, code } of verdicts) this.deps.counters.decision(channel, code)
  }

  #goneSince(channel: string, standing: Standing): Instant | null {
    const known = this.deps.config().channels.find(({ name }) => name === channel)
    return known ? goneSince(known, this.ledger, standing) : null
  }

  /** Many ask at the same time; a large plan is read once for all of them. */
  #wait(hash: string): Promise<Plan | undefined> {
    const known = this.#awaited.get(hash)
    if (known) return known
    const awaited = this.deps.plans.wait(hash, this.#signal).finally(() => this.#awaited.delete(hash))
    this.#awaited.set(hash, awaited)
    return awaited
  }
}
