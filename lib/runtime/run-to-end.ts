import type { Offset } from '#lib/eventlog/port.ts'
import type { FoldInput, ServiceDefinition } from './define-service.ts'
import { type PartitionObserver, type RunDependencies, type RunningService, runService } from './run.ts'

/**
 * Runs a service until it has folded everything that its topic holds now, then stops it: what a command does that is not
 * there to stay.
 *
 * @returns the state of each partition, as it was then
 * @param onProgress hears after each batch how many offsets of how many are folded
 * @throws OBS_LOG_GROUP_HELD when the service runs elsewhere · OBS_REGISTRY_UNAVAILABLE when the topic holds a record whose
 *   schema cannot be had
 */
export async function runToEnd<State, Input extends FoldInput<unknown>>(
  definition: ServiceDefinition<State, Input>,
  deps: RunDependencies,
  onProgress: (folded: number, total: number) => void = () => {},
): Promise<ReadonlyMap<number, State>> {
  const places = await deps.log.offsets(definition.consumes.name)
  const behind = new Map<number, Offset>(places.map(({ partition, end }) => [partition, end]))
  const total = places.reduce((sum, { end }) => sum + end, 0)
  const reached = new Map<number, Offset>()
  const finished = Promise.withResolvers<void>()
  const states = new Map<number, State>()
  const advance = (partition: number, state: State, nextOffset: Offset): void => {
    states.set(partition, state)
    reached.set(partition, nextOffset)
    if (nextOffset >= (behind.get(partition) ?? 0)) behind.delete(partition)
    onProgress(
      [...reached.values()].reduce((sum, offset) => sum + offset, 0),
      total,
    )
    if (behind.size === 0) finished.resolve()
  }
  const observer: PartitionObserver<State> = {
    restored: advance,
    folded: advance,
    revoked: () => {},
  }
  const running = await runService(definition, deps, observer, { once: true })
  try {
    await Promise.race([finished.promise, running.ended])
    return states
  } finally {
    await running.stop()
  }
}

/** Work that waits for what a running service does; without this it would wait for ever when that fails. */
export function unlessEnded<Result>(service: RunningService, work: Promise<Result>): Promise<Result> {
  const fault = Promise.withResolvers<never>()
  service.ended.catch(fault.reject)
  return Promise.race([work, fault.promise])
}

/**
 * Work that somebody may interrupt; what of it still runs then is ended by whoever closes what it works on.
 *
 * @throws the signal's reason
 */
export function unlessInterrupted<Result>(work: Promise<Result>, interrupted: AbortSignal): Promise<Result> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = (): void => reject(interrupted.reason)
  if (interrupted.aborted) abort()
  interrupted.addEventListener('abort', abort, { once: true })
  return Promise.race([work, aborted]).finally(() => interrupted.removeEventListener('abort', abort))
}
