import pRetry from 'p-retry'
import { isObstreamError, ObstreamError } from '#lib/errors.ts'
import { formatDuration, type Milliseconds, SECOND_MS } from '#lib/time.ts'

export interface Wait {
  /** What for, e.g. `schema 7`. */
  readonly what: string
  /** How long; `Infinity`: as long as it takes. */
  readonly waitMs: Milliseconds
  /** Ends the wait. */
  readonly stop?: AbortSignal | undefined
}

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 2 * SECOND_MS

/** Asks a registry again while it is away or behind, and tells what is waited for. */
export class Patience {
  readonly #onWait: (reason: string) => void
  /** The newest reason of each wait that has met one. */
  readonly #waits = new Map<Wait, string>()

  /** @param onWait called when a wait begins, with its reason */
  constructor(onWait: (reason: string) => void = () => {}) {
    this.#onWait = onWait
  }

  /** Why somebody waits now, in words; `null`: nobody does. */
  get waitsFor(): string | null {
    const [reason] = this.#waits.values()
    return reason ?? null
  }

  /**
   * Tries until an attempt ends otherwise than with OBS_REGISTRY_UNAVAILABLE.
   *
   * @param attempt must end soon after its signal aborts
   * @throws OBS_REGISTRY_UNAVAILABLE when the time is over · the reason of `stop` · any other error at once
   */
  async ask<Result>(wait: Wait, attempt: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    const over = new AbortController()
    const timer = Number.isFinite(wait.waitMs) ? setTimeout(() => over.abort(), wait.waitMs) : undefined
    const signal = wait.stop ? AbortSignal.any([wait.stop, over.signal]) : over.signal
    let last: ObstreamError | undefined
    const remember = (error: unknown): never => {
      if (isObstreamError(error, 'OBS_REGISTRY_UNAVAILABLE')) {
        if (!last) this.#onWait(`${error.message}; waits ${spoken(wait)} for ${wait.what}`)
        last = error
        this.#waits.set(wait, error.message)
      }
      throw error
    }
    try {
      return await pRetry(() => attempt(signal).catch(remember), {
        retries: Number.POSITIVE_INFINITY,
        minTimeout: FIRST_PAUSE_MS,
        maxTimeout: LONGEST_PAUSE_MS,
        shouldRetry: ({ error }) => isObstreamError(error, 'OBS_REGISTRY_UNAVAILABLE'),
        signal,
      })
    } catch (error) {
      wait.stop?.throwIfAborted()
      throw over.signal.aborted && last ? inVain(wait, last) : error
    } finally {
      clearTimeout(timer)
      this.#waits.delete(wait)
    }
  }
}

const spoken = ({ waitMs }: Wait): string => (Number.isFinite(waitMs) ? formatDuration(waitMs) : 'as long as it takes')

function inVain(wait: Wait, last: ObstreamError): ObstreamError {
  return new ObstreamError(
    'OBS_REGISTRY_UNAVAILABLE',
    `${last.message}. Waited ${spoken(wait)} for ${wait.what}; start the registry, or correct registry.url.`,
    { cause: last },
  )
}
