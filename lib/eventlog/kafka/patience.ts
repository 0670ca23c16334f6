import pRetry from 'p-retry'
import { isObstreamError } from '#lib/errors.ts'
import { type Milliseconds, SECOND_MS } from '#lib/time.ts'
import { isAccessDenied, isOfTheBroker, unavailable } from './broker-errors.ts'

/** How long brokers may be away, or without a leader, before whoever waits is told. An election takes a second or two. */
export const PATIENCE_MS = 8 * SECOND_MS

/**
 * So long a broker may go on answering as the leader that it no longer is, with an end before the true one: one that was
 * stopped and goes on answers what has waited for it before it hears from the controller. Only an end that stays as it is for
 * longer tells of a history that was changed.
 */
export const ENDS_LAG_MS = 10 * SECOND_MS

const FIRST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 500

/**
 * Tries again while brokers are away or choose a leader; only for what may be done twice.
 *
 * @param what for the message, e.g. `the offsets of obs.sample.v1`
 * @throws OBS_LOG_UNAVAILABLE when patience ends · at once: what is not about a broker, what is denied · the signal's reason
 */
export async function patiently<Result>(
  what: string,
  attempt: () => Promise<Result>,
  { patienceMs = PATIENCE_MS, signal }: { readonly patienceMs?: Milliseconds; readonly signal?: AbortSignal } = {},
): Promise<Result> {
  try {
    return await pRetry(attempt, {
      retries: Number.POSITIVE_INFINITY,
      maxRetryTime: patienceMs,
      minTimeout: FIRST_PAUSE_MS,
      maxTimeout: LONGEST_PAUSE_MS,
      shouldRetry: ({ error }) => mayPass(error),
      ...(signal ? { signal } : {}),
    })
  } catch (error) {
    throw unavailable(what, error)
  }
}

/** Whether waiting may help. A topic that was just created is unknown to some brokers for a moment. */
export function mayPass(error: unknown): boolean {
  if (isObstreamError(error)) return error.code === 'OBS_LOG_UNAVAILABLE'
  return isOfTheBroker(error) && !isAccessDenied(error)
}
