import type { TopicCodec } from '#lib/codec/avro.ts'
import { Dispatcher, type DispatcherDependencies } from '#lib/delivery/dispatcher.ts'
import type { DeliveryFact, DeliveryOutcome } from '#lib/delivery/facts.ts'
import type { LedgerMessage } from '#lib/delivery/ledger.ts'
import { laneOf } from '#lib/delivery/message-name.ts'
import { isAccepted, overtakenBy } from '#lib/delivery/next-step.ts'
import { isObstreamError } from '#lib/errors.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import type { Ids } from '#lib/runtime/ids.ts'
import { HOUR_MS, type Instant, SECOND_MS } from '#lib/time.ts'
import { Claims, type ClaimsDependencies } from './claims.ts'
import { decideEnds, decideTransition, decideUnacknowledgedAlerts } from './deciding.ts'
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
  readonly #dispatcher: Dispatcher
  readonly #stopping = new AbortController()
  #woken = new AbortController()
  /** Resolves when everything that was in the book is decided. */
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

  /** There are new transitions in the book. */
  wake(): void {
    this.#woken.abort()
  }

  /** Resolves when everything in the book is decided, and each message accepted, given up or past its fast schedule. */
  async settled(): Promise<void> {
    while (this.#book.undecided.size > 0 || (this.#book.episodes.size > 0 && this.#claims === null))
      await Promise.race([this.#round.promise, this.ended])
    await this.#dispatcher.settled()
  }

  /** Messages that no receiver has taken since this courier started. */
  untold(): readonly LedgerMessage[] {
    const ledger = this.#claims?.ledger
    return [...(ledger?.messages() ?? [])].filter((message) => {
      const outcome = message.attempts.at(-1)?.outcome
      const later = ledger!.lane(laneOf(message.decision)).filter(({ order }) => order > message.order)
      const isOpen = message.decision.send && !isAccepted(message) && !overtakenBy(later)
      return isOpen && (!outcome || outcome.at >= this.#startedAt)
    })
  }

  /** Lets running requests end; what waits is told by the next start. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping.abort()
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
        await this.#decideAll()
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

  /** Many sources at once, which then share what a write takes; the transitions of each by a rule in order. */
  async #decideAll(): Promise<void> {
    const { signal } = this.#stopping
    if (this.#book.episodes.size === 0) return
    const claims = await this.#open()
    const sources = Map.groupBy(this.#book.undecided.values(), ({ alert }) => changesName(alert)).values()
    const decideNext = async (): Promise<void> => {
      for (const transitions of sources)
        for (const transition of transitions) {
          signal.throwIfAborted()
          this.#sendAll(await decideTransition(claims, transition))
          this.#book.undecided.delete(transition.key)
        }
    }
    await allEnded(Array.from({ length: DECIDED_AT_ONCE }, decideNext))
    for await (const messages of decideUnacknowledgedAlerts(claims)) this.#sendAll(messages)
    await this.#tidy(claims)
  }

  /** Now and then: ends that another courier owed, and forgetting what nobody sends or asks for any more. */
  async #tidy(claims: Claims): Promise<void> {
    const now = this.#deps.clock.now()
    if (now - this.#tidiedAt < TIDY_EVERY_MS) return
    this.#tidiedAt = now
    for await (const messages of decideEnds(claims)) this.#sendAll(messages)
    const { ledger } = claims
    for (const { decision } of [...ledger.messages()])
      if (decision.decidedAt < now - LONGEST_DELIVERY_MS && !this.#book.episodes.has(alertIdOf(decision.subject)))
        ledger.forget(decision.subject)
  }

  /** What an earlier courier has decided and not brought to an end is gone on with first. */
  async #open(): Promise<Claims> {
    if (this.#claims) return this.#claims
    const { log, codec, clock } = this.#deps
    const [partition, book] = [this.#partition, this.#book]
    const ledger = await openLedger(log, codec, { partition, book, now: clock.now() })
    this.#claims = new Claims(this.#deps, { book, ledger }, this.#stopping.signal)
    this.#sendAll(ledger.messages())
    for await (const messages of decideEnds(this.#claims)) this.#sendAll(messages)
    return this.#claims
  }

  #sendAll(messages: Iterable<LedgerMessage>): void {
    for (const message of messages)
      if (message.decision.send && !isAccepted(message)) this.#dispatcher.send(this.#claims!.ledger, message)
  }

  /** The fallback takes the place of a channel that failed; of one that will not come back its owner is told. */
  async #takeOver(message: LedgerMessage, outcome: DeliveryOutcome): Promise<void> {
    await this.#deps.house.channelFailed(message.decision.channel, outcome)
    this.#sendAll(await decideInstead(this.#claims!, message))
  }
}

/** Resolves when all have ended. @throws the first fault among them */
async function allEnded(works: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(works)) if (result.status === 'rejected') throw result.reason
}
