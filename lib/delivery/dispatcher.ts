import { isObstreamError } from '#lib/errors.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import { type Instant, type Milliseconds, SECOND_MS } from '#lib/time.ts'
import type { Classified } from './classify.ts'
import type { DeliveryDecision, DeliveryOutcome, MessageName } from './facts.ts'
import type { Ledger, LedgerMessage } from './ledger.ts'
import { nextStep } from './next-step.ts'
import type { Pacers } from './pacer.ts'
import { nextAttemptAt, type RetrySchedule } from './retry-schedule.ts'

/** What of a decision goes out. */
export type Sendable = Pick<DeliveryDecision, 'messageId' | 'body'>

/** The way to one receiver. */
export interface Sender {
  /** Sends the body once. Never throws for what the receiver does; what is told of its answer holds no secret. */
  post(message: Sendable, at: Instant): Promise<Classified>
  /** Before a request that failed is tried again, whatever the schedule says. */
  readonly leastRetryMs: Milliseconds
  /** Between two requests. */
  readonly intervalMs: Milliseconds
}

export interface DispatcherDependencies {
  readonly clock: Clock
  readonly logger: { warn(fields: object, message: string): void }
  /** Unique: an intent with this id is ours. */
  readonly courier: string
  /** `undefined`: there is no such channel any more. */
  sender(channel: string): Sender | undefined
  schedule(message: LedgerMessage): RetrySchedule
  /** Called after each attempt, and each that somebody else has left without an outcome. */
  told(message: LedgerMessage, outcome: DeliveryOutcome): Promise<void>
  /** Called when nothing more will be tried, again at a later start as long as nobody has accepted the message. */
  over(message: LedgerMessage): Promise<void>
  /** Shared by all who send to the same receivers. */
  readonly pacers: Pacers
}

/** A message that is to be sent, and where its facts stand. */
export interface Errand {
  readonly ledger: Ledger
  readonly name: MessageName
}

/** From an intent to its outcome: the time-out of a request, and as much for the log. */
export const ATTEMPT_TAKES_MS = 30 * SECOND_MS
const RETRY_LOG_MS = SECOND_MS
/** A wall clock that is set while we sleep is noticed after this time. */
const LONGEST_SLEEP_MS = 30 * SECOND_MS
/** How late the outcome of somebody else's attempt may be noticed. */
const WATCH_MS = SECOND_MS

interface Lane {
  readonly errands: Errand[]
  /** Nothing is to be done before this instant but what the slow schedule holds. */
  isSlow: boolean
  wake: AbortController
}

/**
 * Sends what has been decided. Messages of one lane (an episode on a channel) are sent one after the other, in the order
 * they came; lanes do not wait for each other. What is to be done with a message follows from the ledger, which is read after each wait
 * and each claim, so several dispatchers may work on one ledger: each attempt is made by the one whose intent came first.
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

  /** Messages that are not over. */
  get pendingCount(): number {
    return this.#lanes.values().reduce((sum, { errands }) => sum + errands.length, 0)
  }

  /** Puts a message behind those of its lane. One that waits there already is not put twice. */
  send(laneName: string, errand: Errand): void {
    if (this.#stopping.signal.aborted) return
    const known = this.#lanes.get(laneName)
    if (known) {
      if (known.errands.some(({ name }) => name.messageId === errand.name.messageId)) return
      known.errands.push(errand)
      known.wake.abort()
      return
    }
    const lane: Lane = { errands: [errand], isSlow: false, wake: new AbortController() }
    this.#lanes.set(laneName, lane)
    const running = this.#run(lane).then(
      () => this.#lanes.delete(laneName),
      (error) => this.#failed.reject(error),
    )
    const done = running.then(() => {
      this.#running.delete(done)
      this.#tellChange()
    })
    this.#running.add(done)
  }

  /** Resolves when every message is accepted, given up, or past its fast schedule. */
  async settled(): Promise<void> {
    while (this.#lanes.values().some(({ isSlow }) => !isSlow)) await Promise.race([this.#changed.promise, this.failed])
  }

  /** Lets running requests end and tells their outcome; what waits is sent by the next start. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    for (const { wake } of this.#lanes.values()) wake.abort()
    await Promise.all(this.#running)
  }

  async #run(lane: Lane): Promise<void> {
    const { clock, logger } = this.#deps
    while (lane.errands.length > 0 && !this.#stopping.signal.aborted)
      try {
        await this.#step(lane, lane.errands[0]!)
      } catch (error) {
        if (!isObstreamError(error) || !error.retryable) throw error
        logger.warn({ error }, `the ledger cannot be kept: ${error.message}; nothing is sent meanwhile`)
        await clock.sleep(RETRY_LOG_MS, this.#stopping.signal)
      }
  }

  async #step(lane: Lane, { ledger, name }: Errand): Promise<void> {
    const { clock } = this.#deps
    lane.wake = new AbortController()
    const message = ledger.message(name)
    if (!message) return void lane.errands.shift()
    const schedule = this.#deps.schedule(message)
    const policy = { attemptTakesMs: ATTEMPT_TAKES_MS, fastAttempts: 1 + schedule.maxRetries }
    const step = nextStep(message, policy, { now: clock.now(), isSuperseded: lane.errands.length > 1 })
    this.#setSlow(lane, step.kind === 'wait' && message.attempts.length >= policy.fastAttempts)
    switch (step.kind) {
      case 'over':
        await this.#deps.over(message)
        lane.errands.shift()
        return
      case 'wait':
        return this.#sleep(lane, ledger, Math.min(step.untilAt - clock.now(), LONGEST_SLEEP_MS))
      case 'watch':
        return this.#sleep(lane, ledger, Math.min(step.untilAt - clock.now(), WATCH_MS))
      case 'conclude':
        return this.#conclude(ledger, message, step.attempt)
      case 'attempt':
        return this.#attempt(ledger, message, step.attempt)
    }
  }

  /** Then hears what others have said meanwhile. */
  async #sleep(lane: Lane, ledger: Ledger, ms: Milliseconds): Promise<void> {
    const { signal } = this.#stopping
    await this.#deps.clock.sleep(Math.max(ms, 1), AbortSignal.any([lane.wake.signal, signal]))
    if (!signal.aborted) await ledger.readOn()
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

  /** Says first that it will, and does it only if it was the first to say so. */
  async #attempt(ledger: Ledger, message: LedgerMessage, attempt: number): Promise<void> {
    const { channel } = message.decision
    const sender = this.#deps.sender(channel)
    const pace = { intervalMs: sender?.intervalMs ?? 0, signal: this.#stopping.signal }
    await this.#deps.pacers.inTurn(channel, pace, () => this.#claimAndPost(ledger, message, { attempt, sender }))
  }

  async #claimAndPost(
    ledger: Ledger,
    message: LedgerMessage,
    { attempt, sender }: { readonly attempt: number; readonly sender: Sender | undefined },
  ): Promise<void> {
    const { clock, courier } = this.#deps
    const { decision } = message
    const name = nameOf(decision)
    const at = clock.now()
    await ledger.claim([{ type: 'intent', ...name, attempt, at, courier }])
    const claimed = ledger.message(name)!.attempts.find(({ intent }) => intent.attempt === attempt)!
    if (claimed.intent.courier !== courier || claimed.intent.at !== at) return
    const beganAtMs = clock.monotonicMs()
    const answer = sender ? await sender.post(decision, at) : noChannel
    const durationMs = Math.round(clock.monotonicMs() - beganAtMs)
    await this.#tell(ledger, message, { attempt, durationMs, answer })
  }

  #conclude(ledger: Ledger, message: LedgerMessage, attempt: number): Promise<void> {
    const at = message.attempts.at(-1)!.intent.at
    const durationMs = Math.max(this.#deps.clock.now() - at, 0)
    return this.#tell(ledger, message, { attempt, durationMs, answer: neverTold })
  }

  async #tell(
    ledger: Ledger,
    message: LedgerMessage,
    ended: { readonly attempt: number; readonly durationMs: Milliseconds; readonly answer: Classified },
  ): Promise<void> {
    const { decision } = message
    const { attempt, durationMs, answer } = ended
    const at = this.#deps.clock.now()
    const past = {
      messageId: decision.messageId,
      attempt,
      firstAttemptAt: message.attempts[0]?.intent.at ?? at,
      failedAt: at,
      retryAfter: answer.retryAfter,
      leastMs: this.#deps.sender(decision.channel)?.leastRetryMs ?? 0,
    }
    const next = isRetried(answer) ? nextAttemptAt(this.#deps.schedule(message), past) : null
    const name = nameOf(decision)
    const { result, status, detail } = answer
    const nextAttempt = next?.at ?? null
    await ledger.claim([
      { type: 'outcome', ...name, attempt, at, durationMs, result, status, detail, nextAttemptAt: nextAttempt },
    ])
    const told = ledger.message(name)!
    const outcome = told.attempts.find(({ intent }) => intent.attempt === attempt)?.outcome
    if (outcome) await this.#deps.told(told, outcome)
  }
}

const isRetried = ({ result }: Classified): boolean => result === 'retry' || result === 'unknown'

function nameOf({ subject, channel, messageId }: MessageName): MessageName {
  return { subject, channel, messageId }
}

const noChannel: Classified = {
  result: 'forbidden',
  status: null,
  detail: 'the channel is no longer in the configuration',
  retryAfter: null,
}

const neverTold: Classified = {
  result: 'unknown',
  status: null,
  detail: 'the courier that made this attempt has ended without telling how it went',
  retryAfter: null,
}
