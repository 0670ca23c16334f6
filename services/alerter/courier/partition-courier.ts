import type { TopicCodec } from '#lib/codec/avro.ts'
import { Dispatcher, type DispatcherDependencies } from '#lib/delivery/dispatcher.ts'
import type { DeliveryFact, DeliveryOutcome } from '#lib/delivery/facts.ts'
import type { Ledger, LedgerMessage } from '#lib/delivery/ledger.ts'
import { isAccepted, obsoleteBy } from '#lib/delivery/next-step.ts'
import { isObstreamError, ObstreamError } from '#lib/errors.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import type { Ids } from '#lib/runtime/ids.ts'
import { HOUR_MS, type Instant, MINUTE_MS, SECOND_MS } from '#lib/time.ts'
import { Claims, type ClaimsDependencies } from './claims.ts'
import { decideEnd, decideOverdue, decideTransition, overdueAlerts } from './deciding.ts'
import { changesName, type EpisodeBook } from './episode-book.ts'
import { decideInstead } from './fallback.ts'
import type { House } from './house.ts'
import { openLedger } from './open-ledger.ts'
import { type OutcomeReport, reportOutcome } from './outcome-report.ts'
import { LONGEST_DELIVERY_MS, retrySchedule } from './retry.ts'
import { alertIdOf } from './subjects.ts'

export interface CourierDependencies
  extends ClaimsDependencies,
    OutcomeReport,
    Pick<DispatcherDependencies, 'sender' | 'pacers'> {
  readonly log: EventLog
  readonly ids: Ids
  readonly codec: TopicCodec<DeliveryFact>
  readonly house: House
}

const RETRY_MS = SECOND_MS
/** Sources, each by a rule, that are decided about at the same time. */
const DECIDED_AT_ONCE = 64
const TIDY_EVERY_MS = HOUR_MS
/** What an owner before us had on its way may still land in the ledger for so long. */
const HANDOVER_MS = 2 * MINUTE_MS
/** How late a missing acknowledgement may be noticed. */
const LOOK_EVERY_MS = 5 * SECOND_MS

/**
 * Tells people of the transitions of one partition. Each is decided about once, for everybody and ever: decisions are
 * claimed in the ledger, with their reasons and the exact bodies, before anything is sent.
 */
export class PartitionCourier {
  readonly ended: Promise<void>
  readonly #deps: CourierDependencies
  readonly #partition: number
  readonly #book: EpisodeBook
  readonly #startedAt: Instant
  #tidiedAt: Instant
  /** Whether somebody may have been told of an alert after its end was decided. */
  #owesEnds = true
  readonly #dispatcher: Dispatcher
  readonly #stopping = new AbortController()
  #woken = new AbortController()
  /** Resolves when a round has decided everything that was in the book. */
  #round = Promise.withResolvers<void>()
  #claims: Claims | null = null

  /** Starts at once. @param book holds all that the log held when the partition was taken, and grows */
  constructor(deps: CourierDependencies, partition: number, book: EpisodeBook) {
    this.#deps = deps
    this.#partition = partition
    this.#book = book
    this.#startedAt = deps.clock.now()
    this.#tidiedAt = this.#startedAt
    this.#dispatcher = new Dispatcher({
      ...deps,
      courier: deps.ids.next(),
      schedule: () => retrySchedule(deps.config()),
      told: ({ decision }, outcome) => reportOutcome(deps, decision, outcome),
      failed: (message, outcome) => this.#takeOver(message, outcome),
    })
    this.ended = Promise.race([this.#run(), this.#dispatcher.failed])
    this.ended.catch(() => {})
  }

  /** As `RunningService.waitsFor`. */
  get waitsFor(): string | null {
    return this.#claims?.waitsFor ?? null
  }

  /** There are new transitions in the book. */
  wake(): void {
    this.#woken.abort()
  }

  /**
   * Resolves when everything in the book is decided, and each message accepted, given up or not to be waited for; also when it is
   * stopped before.
   */
  async settled(): Promise<void> {
    do {
      const round = this.#round.promise
      this.wake()
      await Promise.race([round, this.ended])
    } while (this.#book.undecided.size > 0 && !this.#stopping.signal.aborted)
    await this.#dispatcher.settled()
  }

  /** Messages that no receiver has taken since this courier started. */
  untold(): readonly LedgerMessage[] {
    const ledger = this.#claims?.ledger
    return [...(ledger?.messages() ?? [])].filter((message) => {
      const outcome = message.attempts.at(-1)?.outcome
      const isWanted = message.decision.send && !isAccepted(message) && !obsoleteBy(message, ledger!.laneWith(message))
      return isWanted && (!outcome || outcome.at >= this.#startedAt)
    })
  }

  /** Lets running requests end; what waits is told by the next start. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping.abort(
      new ObstreamError('OBS_LOG_UNAVAILABLE', 'the courier stops; what waits is told by the next one'),
    )
    this.#woken.abort()
    await this.#dispatcher.stop(this.#claims?.ledger)
    await this.ended.catch(() => {})
  }

  async #run(): Promise<void> {
    const { clock, logger } = this.#deps
    const { signal } = this.#stopping
    while (!signal.aborted)
      try {
        this.#woken = new AbortController()
        if (this.#book.episodes.size > 0) await this.#decideAll(await this.#open())
        this.#round.resolve()
        this.#round = Promise.withResolvers()
        await clock.sleep(LOOK_EVERY_MS, AbortSignal.any([signal, this.#woken.signal]))
      } catch (error) {
        if (signal.aborted) return
        if (!isObstreamError(error) || !error.retryable) throw error
        logger.warn({ error, partition: this.#partition }, `the courier tries again: ${error.message}`)
        await clock.sleep(RETRY_MS, signal)
      }
  }

  /** What an earlier courier has decided and not brought to an end is gone on with first. */
  async #open(): Promise<Claims> {
    if (this.#claims) return this.#claims
    const { log, codec, clock } = this.#deps
    const [partition, book, signal] = [this.#partition, this.#book, this.#stopping.signal]
    const ledger = await openLedger(log, codec, { partition, book, now: clock.now(), signal })
    this.#claims = new Claims(this.#deps, { book, ledger }, signal)
    this.#sendAll(ledger.takeNew())
    return this.#claims
  }

  async #decideAll(claims: Claims): Promise<void> {
    await this.#decideUndecided(claims)
    if (this.#owesEnds) await this.#decideEnds(claims)
    await this.#atOnce(overdueAlerts(claims), (alertId) => decideOverdue(claims, alertId))
    const now = this.#deps.clock.now()
    if (now - this.#startedAt < HANDOVER_MS) await claims.ledger.readOn()
    this.#sendAll(claims.ledger.takeNew())
    if (now - this.#tidiedAt < TIDY_EVERY_MS) return
    this.#forgetOld(claims.ledger)
    this.#owesEnds = true
    this.#tidiedAt = now
  }

  /** Many sources at once, which then share what a write takes; the transitions of each by a rule in order. */
  async #decideUndecided(claims: Claims): Promise<void> {
    const { undecided } = this.#book
    const sources = Map.groupBy(undecided.values(), ({ alert }) => changesName(alert)).values()
    await this.#atOnce(sources, async (transitions) => {
      for (const transition of transitions) {
        this.#stopping.signal.throwIfAborted()
        await decideTransition(claims, transition)
        undecided.delete(transition.key)
        // Also what was decided before: who stands in for whom follows from how the alert is now.
        this.#sendAll(claims.ofAlert(transition.alert.alertId))
      }
    })
  }

  /** Ends that another courier owed to somebody when it died: asked for at the start, and now and then. */
  async #decideEnds(claims: Claims): Promise<void> {
    const ended = [...this.#book.episodes].flatMap(([alertId, { isOpen }]) => (isOpen ? [] : [alertId]))
    await this.#atOnce(ended, (alertId) => decideEnd(claims, alertId))
    this.#owesEnds = false
  }

  /** @throws the first fault, when all have ended */
  async #atOnce<Item>(items: Iterable<Item>, work: (item: Item) => Promise<void>): Promise<void> {
    const queue = Iterator.from(items)
    const worker = async (): Promise<void> => {
      for (const item of queue) {
        await work(item)
        this.#sendAll(this.#claims!.ledger.takeNew())
      }
    }
    const results = await Promise.allSettled(Array.from({ length: DECIDED_AT_ONCE }, worker))
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }

  /** What is over for so long that nothing is sent and nobody asks any more. */
  #forgetOld(ledger: Ledger): void {
    const oldestAt = this.#deps.clock.now() - LONGEST_DELIVERY_MS
    for (const { decision } of [...ledger.messages()])
      if (decision.decidedAt < oldestAt && !this.#book.episodes.has(alertIdOf(decision.subject)))
        ledger.forget(decision.subject)
  }

  #sendAll(messages: Iterable<LedgerMessage>): void {
    for (const message of messages)
      if (message.decision.send && !isAccepted(message)) this.#dispatcher.send(this.#claims!.ledger, message)
  }

  /** The fallback takes the place of a channel that failed; of one that will not come back its owner is told. */
  async #takeOver(message: LedgerMessage, outcome: DeliveryOutcome): Promise<void> {
    const claims = this.#claims!
    await this.#deps.house.channelFailed(message.decision.channel, outcome)
    await decideInstead(claims, message)
    this.#sendAll(claims.ledger.takeNew())
  }
}
