import { isObstreamError } from '#lib/errors.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import { type Milliseconds, SECOND_MS } from '#lib/time.ts'
import { ATTEMPT_TAKES_MS, type Attempting, concludeAttempt, makeAttempt, outcomeOf, type Sender } from './attempt.ts'
import type { DeliveryOutcome } from './facts.ts'
import type { Ledger, LedgerMessage } from './ledger.ts'
import { laneOf } from './message-name.ts'
import { isAccepted, isLongWait, type NextStep, nextStep, obsoleteBy } from './next-step.ts'
import type { Pacers } from './pacer.ts'
import { shownRetryAfter } from './retry-after.ts'
import { nextAttemptAt, type RetrySchedule } from './retry-schedule.ts'

export interface DispatcherDependencies {
  readonly clock: Clock
  readonly logger: { warn(fields: object, message: string): void }
  /** Unique: an intent with this id is ours. */
  readonly courier: string
  /** `undefined`: there is no such channel any more. */
  sender(channel: string): Sender | undefined
  schedule(message: LedgerMessage): RetrySchedule
  /** Called after each attempt, and each that somebody else has left without an outcome. */
  told(message: LedgerMessage, outcome: DeliveryOutcome): void
  /**
   * Called while the newest outcome of a message is a failure: after each of them, when the lane is asked to send, and again at
   * a later start. What it throws is met as a fault of the log.
   */
  failed(message: LedgerMessage, outcome: DeliveryOutcome): Promise<void>
  /** Shared by all who send to the same receivers. */
  readonly pacers: Pacers
}

/** The time-out of a request, and a little for the log. */
const REQUESTS_END_MS = 20 * SECOND_MS
const RETRY_LOG_MS = SECOND_MS
/** A wall clock that is set while we sleep is noticed after this time. */
const LONGEST_SLEEP_MS = 30 * SECOND_MS
/** How late the outcome of somebody else's attempt may be noticed. */
const WATCH_MS = SECOND_MS

interface Lane {
  readonly name: string
  readonly ledger: Ledger
  /** Failures that `failed` has heard of since something was decided. */
  readonly heard: Set<string>
  /** Something was decided since the ledger was looked at. */
  isChanged: boolean
  /** Nothing is to be done before this instant but what the slow schedule holds. */
  isSlow: boolean
  wake: AbortController
}

/**
 * Sends what has been decided. The ledger is the queue: the messages of one lane are sent one after the other, in the order in
 * which they were decided; lanes do not wait for each other. It is read after each wait and each claim, so several dispatchers
 * may work on one ledger: each attempt is made by the one whose intent came first.
 */
export class Dispatcher {
  readonly #deps: DispatcherDependencies
  readonly #lanes = new Map<string, Lane>()
  readonly #stopping = new AbortController()
  readonly #failed = Promise.withResolvers<never>()
  #running = new Set<Promise<void>>()
  #changed = Promise.withResolvers<void>()

  constructor(deps: DispatcherDependencies) {
    this.#deps = deps
    this.#failed.promise.catch(() => {})
  }

  /** Rejects with the fault of the log that no new try can cure. */
  get failed(): Promise<never> {
    return this.#failed.promise
  }

  /** Sends a message, after those that were decided before it for its lane, as far as they are not over. */
  send(ledger: Ledger, message: LedgerMessage): void {
    if (this.#stopping.signal.aborted) return
    const name = laneOf(message.decision)
    const known = this.#lanes.get(name)
    if (known) {
      known.isChanged = true
      known.heard.clear()
      known.wake.abort()
      return
    }
    const lane: Lane = { name, ledger, heard: new Set(), isChanged: false, isSlow: false, wake: new AbortController() }
    this.#lanes.set(name, lane)
    const done = this.#run(lane)
      .catch(this.#failed.reject)
      .then(() => {
        this.#running.delete(done)
        this.#tellChange()
      })
    this.#running.add(done)
  }

  /** Resolves when every message is accepted, given up, past its fast schedule, or not wanted for the next five minutes. */
  async settled(): Promise<void> {
    while (this.#lanes.values().some(({ isSlow }) => !isSlow)) await Promise.race([this.#changed.promise, this.failed])
  }

  /**
   * Lets running requests end and tells their outcome; what waits is sent by the next start. Idempotent.
   *
   * @param ledger is stopped then: whatever else waits to read it waits no longer
   */
  async stop(ledger?: Ledger): Promise<void> {
    this.#stopping.abort()
    for (const { wake } of this.#lanes.values()) wake.abort()
    const limit = new AbortController()
    const ended = Promise.all(this.#running)
    await Promise.race([ended, this.#deps.clock.sleep(REQUESTS_END_MS, limit.signal)])
    limit.abort()
    ledger?.stop()
    await ended
  }

  async #run(lane: Lane): Promise<void> {
    const { clock, logger } = this.#deps
    let isBusy = true
    while (isBusy && !this.#stopping.signal.aborted)
      try {
        lane.isChanged = false
        lane.wake = new AbortController()
        const hasWorked = await this.#step(lane)
        isBusy = hasWorked || lane.isChanged
      } catch (error) {
        if (this.#stopping.signal.aborted) break
        if (!isObstreamError(error) || !error.retryable) throw error
        logger.warn({ error }, `the ledger cannot be kept: ${error.message}; nothing is sent meanwhile`)
        await clock.sleep(RETRY_LOG_MS, this.#stopping.signal)
      }
    // At once: what is decided from now on needs a lane of its own.
    this.#lanes.delete(lane.name)
  }

  /** @returns whether there was anything to do, or to wait for */
  async #step(lane: Lane): Promise<boolean> {
    const messages = lane.ledger.lane(lane.name)
    for (const message of messages.filter(({ decision }) => decision.send)) {
      await this.#tellFailure(lane, message, messages)
      const schedule = this.#deps.schedule(message)
      const policy = { attemptTakesMs: ATTEMPT_TAKES_MS, fastAttempts: 1 + schedule.maxRetries }
      const step = nextStep(message, policy, { now: this.#deps.clock.now(), lane: messages })
      if (step.kind === 'over') continue
      this.#setSlow(lane, step.kind === 'wait' && isLongWait(message, policy))
      await this.#take(lane, message, step)
      return true
    }
    return false
  }

  #take(lane: Lane, message: LedgerMessage, step: Exclude<NextStep, { kind: 'over' }>): Promise<void> {
    const { clock } = this.#deps
    switch (step.kind) {
      case 'wait':
        return this.#sleep(lane, Math.min(step.untilAt - clock.now(), LONGEST_SLEEP_MS))
      case 'watch':
        return this.#sleep(lane, Math.min(step.untilAt - clock.now(), WATCH_MS))
      case 'conclude':
        return this.#conclude(lane.ledger, message, step.attempt)
      case 'attempt':
        return this.#attempt(lane.ledger, message, step.attempt)
    }
  }

  async #tellFailure(lane: Lane, message: LedgerMessage, messages: readonly LedgerMessage[]): Promise<void> {
    const outcome = message.attempts.findLast((attempt) => attempt.outcome)?.outcome
    if (!outcome || isAccepted(message) || obsoleteBy(message, messages)) return
    const failure = `${message.decision.messageId} ${outcome.attempt}`
    if (lane.heard.has(failure)) return
    await this.#deps.failed(message, outcome)
    lane.heard.add(failure)
  }

  /** Then hears what others have said meanwhile. */
  async #sleep(lane: Lane, ms: Milliseconds): Promise<void> {
    const { signal } = this.#stopping
    await this.#deps.clock.sleep(Math.max(ms, 1), AbortSignal.any([lane.wake.signal, signal]))
    if (!signal.aborted) await lane.ledger.readOn()
  }

  #setSlow(lane: Lane, isSlow: boolean): void {
    if (lane.isSlow === isSlow) return
    lane.isSlow = isSlow
    this.#tellChange()
  }

  #tellChange(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }

  async #attempt(ledger: Ledger, message: LedgerMessage, attempt: number): Promise<void> {
    const { clock, courier, pacers } = this.#deps
    const { channel } = message.decision
    const sender = (): Sender | undefined => this.#deps.sender(channel)
    const pace = { intervalMs: sender()?.intervalMs ?? 0, signal: this.#stopping.signal }
    const by = { clock, courier, sender, nextAt: this.#nextAt(message, attempt) }
    await pacers.inTurn(sender()?.paceKey ?? channel, pace, async () => {
      if (await makeAttempt(ledger, message, attempt, by)) this.#told(ledger, message, attempt)
    })
  }

  async #conclude(ledger: Ledger, message: LedgerMessage, attempt: number): Promise<void> {
    await concludeAttempt(ledger, message, { clock: this.#deps.clock, nextAt: this.#nextAt(message, attempt) })
    this.#told(ledger, message, attempt)
  }

  #told(ledger: Ledger, { decision }: LedgerMessage, attempt: number): void {
    const told = ledger.message(decision)!
    const outcome = outcomeOf(told, attempt)
    if (outcome) this.#deps.told(told, outcome)
  }

  #nextAt(message: LedgerMessage, attempt: number): Attempting['nextAt'] {
    const { channel, messageId } = message.decision
    return ({ retryAfter }, failedAt) => {
      const next = nextAttemptAt(this.#deps.schedule(message), {
        messageId,
        attempt,
        firstAttemptAt: message.attempts[0]?.intent.at ?? failedAt,
        failedAt,
        retryAfter,
        leastMs: this.#deps.sender(channel)?.leastRetryMs ?? 0,
      })
      if (next?.retryAfter === 'bad' || next?.retryAfter === 'past')
        this.#deps.logger.warn(
          { channel, message_id: messageId, retry_after: shownRetryAfter(retryAfter ?? '') },
          `${channel} wants to be tried again ${ignored[next.retryAfter]}; its Retry-After is ignored`,
        )
      return next?.at ?? null
    }
  }
}

const ignored = {
  bad: 'after what is neither seconds nor a date',
  past: 'at a time that is over',
} as const
