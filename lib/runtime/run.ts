import type { TopicCodec } from '#lib/codec/avro.ts'
import type { Config } from '#lib/config.ts'
import { isObstreamError, ObstreamError } from '#lib/errors.ts'
import type { EventLog, Offset, PartitionHandler, Subscription } from '#lib/eventlog/port.ts'
import type { TopicDefinition } from '#lib/topics.ts'
import type { Clock } from './clock.ts'
import { DeadLetters } from './dead-letters.ts'
import type { FoldInput, InputReader, ServiceDefinition } from './define-service.ts'
import { readByCodec } from './input-reader.ts'
import type { PartitionFold } from './partition-fold.ts'
import type { PlanStore } from './plan-store.ts'
import { startPartition } from './start-partition.ts'

/** What the loop tells an edge of the service that acts on the state (the sampler, the exporter). */
export interface PartitionObserver<State> {
  /** The partition is ours; `state` is still being restored until `folded` tells an offset the edge knows to be the end. */
  restored(partition: number, state: State, nextOffset: Offset): void
  /** Everything before `nextOffset` is folded, written and ready to be committed. */
  folded(partition: number, state: State, nextOffset: Offset): void
  revoked(partition: number): void
}

export interface RunDependencies {
  readonly log: EventLog
  readonly plans: PlanStore
  /** One per topic that the service consumes or produces. */
  readonly codecs: ReadonlyMap<TopicDefinition, TopicCodec<object>>
  readonly clock: Clock
  readonly logger: RunLogger
  readonly counters: RunCounters
}

export interface RunLogger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}

export interface RunOptions {
  /**
   * For a command that ends by itself. It takes all partitions or none, and a registry that stayed away for as long as
   * it waits ends it. Default `false`.
   */
  readonly once?: boolean
}

/** Counts by the consumed topic. */
export interface RunCounters {
  batch(service: string, records: number): void
  deadLetter(service: string, topic: string): void
  restart(service: string): void
}

export interface RunningService {
  readonly name: string
  /** `null` when everything is well, else what the service waits for. */
  readonly waitsFor: string | null
  /** Resolves after `stop`; rejects with the fault that no new start can cure. */
  readonly ended: Promise<void>
  /**
   * Goes on by another configuration; absent: the service knows none, it learns plans from the log. What of it cannot
   * change while the service runs is as it was.
   *
   * @throws what speaks against it; the service goes on as before
   */
  reload?(config: Config): Promise<void>
  /** Lets the batch at hand end, commits, gives the partitions back. Idempotent. */
  stop(): Promise<void>
}

const RESTART_WAIT_MS = 200

/**
 * Runs a service: reads its topic, folds, writes what the fold says, commits how far it came.
 *
 * Any failure that may pass has one cure, whatever it was (lost connection, unknown outcome, busy log): all state is
 * dropped and the partitions start again from what the log says. Every other failure ends the service.
 *
 * @throws OBS_LOG_GROUP_HELD when another process runs this service on this log and does not share its partitions
 */
export async function runService<State, Input extends FoldInput<unknown>>(
  definition: ServiceDefinition<State, Input>,
  deps: RunDependencies,
  observer?: PartitionObserver<State>,
  { once = false }: RunOptions = {},
): Promise<RunningService> {
  const loop = new ServiceLoop(definition, deps, { observer, once })
  await loop.start()
  return loop
}

class ServiceLoop<State, Input extends FoldInput<unknown>> implements RunningService {
  readonly name: string
  readonly ended: Promise<void>
  readonly #definition: ServiceDefinition<State, Input>
  readonly #deps: RunDependencies
  readonly #observer: PartitionObserver<State> | undefined
  readonly #once: boolean
  readonly #read: InputReader<Input>
  readonly #stopping = new AbortController()
  readonly #end = Promise.withResolvers<void>()
  #subscription: Subscription | null = null
  #waitsFor: string | null = 'its first partition'

  constructor(
    definition: ServiceDefinition<State, Input>,
    deps: RunDependencies,
    more: { readonly observer: PartitionObserver<State> | undefined; readonly once: boolean },
  ) {
    this.name = definition.name
    this.#definition = definition
    this.#deps = deps
    this.#observer = more.observer
    this.#once = more.once
    this.#read = definition.read ?? defaultReader(definition, deps)
    this.ended = this.#end.promise
    this.ended.catch(() => {})
  }

  get waitsFor(): string | null {
    return this.#waitsFor
  }

  async start(): Promise<void> {
    this.#subscription = await this.#subscribe()
    void this.#supervise(this.#subscription).then(this.#end.resolve, this.#end.reject)
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new ObstreamError('OBS_LOG_UNAVAILABLE', `${this.name} is stopping`))
    await this.#subscription?.stop()
    await this.ended.catch(() => {})
  }

  #subscribe(): Promise<Subscription> {
    return this.#deps.log.subscribe(this.name, this.#definition.consumes.name, this.#handler(), { alone: this.#once })
  }

  /** Starts again after every failure that may pass. */
  async #supervise(first: Subscription): Promise<void> {
    for (let subscription = first; ; ) {
      try {
        await subscription.ended
        return
      } catch (error) {
        if (this.#stopping.signal.aborted) return
        if (!isObstreamError(error) || !error.retryable || this.#isInVain(error)) throw error
        subscription = await this.#restart(error)
      }
    }
  }

  #isInVain(error: ObstreamError): boolean {
    return this.#once && error.code === 'OBS_REGISTRY_UNAVAILABLE'
  }

  async #restart(failure: ObstreamError): Promise<Subscription> {
    for (let error = failure; ; ) {
      this.#waitsFor = error.message
      this.#deps.counters.restart(this.name)
      this.#deps.logger.warn({ error }, `${this.name} starts again from its own output: ${error.message}`)
      await this.#deps.clock.sleep(RESTART_WAIT_MS, this.#stopping.signal)
      try {
        if (this.#stopping.signal.aborted) throw error
        this.#subscription = await this.#subscribe()
        return this.#subscription
      } catch (again) {
        if (this.#stopping.signal.aborted || !isObstreamError(again) || !again.retryable) throw again
        // The log has been patient already; a command is not there to wait until its brokers are back.
        if (this.#once && again.code === 'OBS_LOG_UNAVAILABLE') throw again
        error = again
      }
    }
  }

  /** A handler holds the state of the partitions of one subscription; a new subscription begins with none. */
  #handler(): PartitionHandler {
    const { log, plans, codecs, clock } = this.#deps
    const folds = new Map<number, PartitionFold<State, Input>>()
    const deadLetters = new DeadLetters(log, (letter) => {
      this.#deps.counters.deadLetter(letter.service, letter.topic)
      this.#deps.logger.warn(
        { offset: letter.record.offset, partition: letter.partition },
        `${letter.topic}: ${letter.reason}`,
      )
    })
    return {
      assigned: async (partition, committed, signal) => {
        this.#waitsFor = `what it said before on partition ${partition}`
        const ending = AbortSignal.any([this.#stopping.signal, signal])
        const foldDeps = { log, plans, deadLetters, codecs, clock, signal: ending }
        const fold = await startPartition(this.#definition, this.#read, foldDeps, {
          partition,
          committed,
          now: clock.now(),
        })
        folds.set(partition, fold)
        this.#waitsFor = null
        this.#deps.logger.info({ partition, offset: fold.nextOffset }, `${this.name} took partition ${partition}`)
        this.#observer?.restored(partition, fold.state, fold.nextOffset)
        return fold.nextOffset
      },
      batch: async (partition, batch) => {
        const fold = folds.get(partition)!
        const progress = await fold.fold(batch)
        this.#deps.counters.batch(this.name, batch.recordCount)
        this.#observer?.folded(partition, fold.state, fold.nextOffset)
        return progress
      },
      revoked: (partition) => {
        folds.delete(partition)
        this.#observer?.revoked(partition)
      },
    }
  }
}

function defaultReader<Input extends FoldInput<unknown>>(
  definition: { readonly name: string; readonly consumes: TopicDefinition },
  deps: RunDependencies,
): InputReader<Input> {
  const codec = deps.codecs.get(definition.consumes)
  if (!codec) throw new TypeError(`${definition.name} has no codec for ${definition.consumes.name}`)
  return readByCodec(definition.consumes, codec) as InputReader<FoldInput<unknown>> as InputReader<Input>
}
