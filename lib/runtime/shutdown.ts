import { ObstreamError } from '#lib/errors.ts'
import type { Milliseconds } from '#lib/time.ts'
import { SECOND_MS } from '#lib/time.ts'
import type { Clock } from './clock.ts'

/** Something that runs for as long as the process does. */
export interface Part {
  readonly name: string
  start(): Promise<void> | void
  /** Called once, and only after `start` has succeeded. */
  stop(): Promise<void> | void
  /** Longer than this it is given up; default 10 s. */
  readonly stopWithinMs?: Milliseconds
}

export interface Lifecycle {
  /** Parts start in the order they were added in, and stop in the reverse. Before `start` only. */
  add(part: Part): void
  /**
   * Starts all parts. When one fails, those before it are stopped and its error is thrown. When `stop` is called
   * meanwhile, the part at hand finishes starting, nothing further starts, and `start` resolves.
   */
  start(): Promise<void>
  /**
   * Stops what has started. Idempotent: every call gives the same promise. A part that fails or takes too long does not
   * keep the others from stopping.
   *
   * @throws OBS_RUNTIME_STOP_TIMEOUT naming the parts that did not stop in time, else the first error of a part
   */
  stop(): Promise<void>
  /** Aborts when `stop` is called: for what waits inside of a part's `start`, or beside the parts. */
  readonly stopping: AbortSignal
}

const STOP_WITHIN_MS = 10 * SECOND_MS

/** Creating wires only; nothing runs before `start`. */
export function createLifecycle(clock: Clock): Lifecycle {
  const parts: Part[] = []
  const started: Part[] = []
  const stopping = new AbortController()
  let starting: Promise<void> | undefined
  let stopped: Promise<void> | undefined

  async function startAll(): Promise<void> {
    for (const part of parts) {
      if (stopping.signal.aborted) return
      await part.start()
      started.push(part)
    }
  }

  async function start(): Promise<void> {
    starting ??= startAll()
    try {
      await starting
    } catch (error) {
      await stop().catch(() => {}) // the fault that began it is the one to tell
      throw error
    }
  }

  function stop(): Promise<void> {
    stopped ??= stopAll()
    return stopped
  }

  async function stopAll(): Promise<void> {
    stopping.abort()
    await starting?.catch(() => {})
    const late: string[] = []
    const errors: unknown[] = []
    for (const part of started.toReversed()) {
      const end = await stopWithin(part, clock)
      if (end === 'late') late.push(part.name)
      else if (end !== 'stopped') errors.push(end.error)
    }
    if (late.length > 0)
      throw new ObstreamError(
        'OBS_RUNTIME_STOP_TIMEOUT',
        `did not stop in time and was left behind: ${late.join(', ')}`,
        { cause: errors[0] },
      )
    if (errors.length > 0) throw errors[0]
  }

  return {
    add(part) {
      if (starting) throw new TypeError(`${part.name} was added after the start`)
      parts.push(part)
    },
    start,
    stop,
    stopping: stopping.signal,
  }
}

type End = 'stopped' | 'late' | { readonly error: unknown }

async function stopWithin(part: Part, clock: Clock): Promise<End> {
  const bound = new AbortController()
  const stopped = Promise.try(() => part.stop()).then(
    (): End => 'stopped',
    (error: unknown): End => ({ error }),
  )
  const late = clock.sleep(part.stopWithinMs ?? STOP_WITHIN_MS, bound.signal).then((): End => 'late')
  try {
    return await Promise.race([stopped, late])
  } finally {
    bound.abort()
  }
}

/** The part of `process` that signals come from. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown
  off(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown
}

export interface SignalHandling {
  readonly source: SignalSource
  readonly clock: Clock
  /** The first signal. */
  stop(): void
  /** A second one: whoever sends it does not want to wait. Should end the process. */
  endNow(signal: NodeJS.Signals): void
}

const STOP_SIGNALS = ['SIGINT', 'SIGTERM'] as const

/**
 * One Ctrl-C can arrive two or three times: the terminal sends it to the whole process group, and npm and `bin/obstream`
 * pass on what they get. Within this time it counts as one.
 */
const ECHO_MS = 300

/**
 * Stops at the first SIGINT or SIGTERM, ends at the second.
 *
 * @returns what takes the handlers away again
 */
export function handleSignals({ source, clock, stop, endNow }: SignalHandling): () => void {
  let firstAtMs: number | undefined
  const listener = (signal: NodeJS.Signals): void => {
    if (firstAtMs === undefined) {
      firstAtMs = clock.monotonicMs()
      stop()
    } else if (clock.monotonicMs() - firstAtMs > ECHO_MS) endNow(signal)
  }
  for (const signal of STOP_SIGNALS) source.on(signal, listener)
  return () => {
    for (const signal of STOP_SIGNALS) source.off(signal, listener)
  }
}
