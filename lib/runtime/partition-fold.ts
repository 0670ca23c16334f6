import type { Cause } from '#lib/cause.ts'
import { compareCauses, nextCause } from '#lib/cause.ts'
import type { TopicCodec } from '#lib/codec/avro.ts'
import { UnknownSchemaError } from '#lib/codec/avro.ts'
import { ObstreamError } from '#lib/errors.ts'
import type { EventLog, Offset, Progress } from '#lib/eventlog/port.ts'
import type { BatchRecord, RecordBatch } from '#lib/eventlog/record-batch.ts'
import { partitionOf } from '#lib/partitioner.ts'
import type { Plan } from '#lib/plan.ts'
import type { TopicDefinition } from '#lib/topics.ts'
import type { Clock } from './clock.ts'
import type { DeadLetters } from './dead-letters.ts'
import type { FoldInput, FoldOutput, InputReader, Recall, ServiceDefinition, StepContext } from './define-service.ts'
import { type OutputTopic, orderedOutputs } from './output-topic.ts'
import { BatchCursor, decodeOwn } from './own-records.ts'
import type { PlanStore } from './plan-store.ts'
import { contentCrc } from './record-headers.ts'
import { SeenInputs } from './seen-inputs.ts'

export interface FoldDependencies {
  readonly log: EventLog
  readonly plans: PlanStore
  readonly deadLetters: DeadLetters
  /** The codec of the consumed topic learns writer schemas here; outputs are encoded and recalled with theirs. */
  readonly codecs: ReadonlyMap<TopicDefinition, TopicCodec<object>>
  readonly clock: Clock
  readonly signal: AbortSignal
}

const NOTHING_RECALLED: ReadonlyMap<string, unknown> = new Map()
const WITHOUT_PLAN: StepContext = { plan: undefined, recalled: NOTHING_RECALLED }

/**
 * One partition of one fold: state, place in the input, and what is still to be written.
 *
 * The order of things is the exactly-once recipe (`docs/decisions/0003-exactly-once.md`): own output tells what has been
 * said; state is restored without speaking up to `position`; from there on an output is written when its cause is above
 * the last one of its topic; progress is committed after the outputs.
 */
export class PartitionFold<State, Input extends FoldInput<unknown>> {
  readonly state: State
  readonly #definition: ServiceDefinition<State, Input>
  readonly #read: InputReader<Input>
  readonly #deps: FoldDependencies
  readonly #partition: number
  readonly #partitions: number
  /** Plans as they concern this partition. */
  readonly #ownPlans = new WeakMap<Plan, Plan>()
  readonly #outputs: ReadonlyMap<TopicDefinition, OutputTopic>
  readonly #seen: SeenInputs
  readonly #cursor = new BatchCursor()
  /** The first input that may speak; `null`: all may. */
  readonly #position: Cause | null
  /** The newest cause accepted. */
  #done: Cause | null
  #nextOffset: Offset
  /** Bad records before it have been reported; a stretch may be read twice. */
  #reportedTo: Offset = 0
  /** Whether inputs carry causes of their own (a derived topic) or are their own cause (offset). */
  readonly #derived: boolean

  constructor(parts: {
    definition: ServiceDefinition<State, Input>
    read: InputReader<Input>
    deps: FoldDependencies
    partition: number
    /** Of the consumed topic. */
    partitions: number
    outputs: ReadonlyMap<TopicDefinition, OutputTopic>
    committed: Progress | null
    from: Offset
  }) {
    this.#definition = parts.definition
    this.#read = parts.read
    this.#deps = parts.deps
    this.#partition = parts.partition
    this.#partitions = parts.partitions
    this.#outputs = parts.outputs
    this.#position = parts.committed?.position ?? null
    this.#done = parts.committed?.floor ?? null
    this.#seen = new SeenInputs(this.#done)
    this.#nextOffset = parts.from
    this.#derived = parts.definition.consumes.derived
    this.state = parts.definition.initial()
  }

  /** The offset of the next record that has not been folded. */
  get nextOffset(): Offset {
    return this.#nextOffset
  }

  /** Folds what of a batch has not been folded, writes what it says, and tells how far that is. */
  async fold(batch: RecordBatch): Promise<Progress | null> {
    await this.#foldRecords(batch)
    await this.#write()
    this.#nextOffset = Math.max(this.#nextOffset, batch.lastOffset + 1)
    return this.#progress()
  }

  /**
   * Folds a stretch that compaction may have disturbed: as a set, one record per cause, in order of causes.
   *
   * Reading goes on at the last record of the stretch. It is a copy by then, and its batch makes the fold tell how far it
   * has come, also when nothing new comes for long.
   *
   * @param to the end of the stretch
   */
  async foldAsSet(batches: AsyncIterable<RecordBatch>, to: Offset): Promise<void> {
    const held: { readonly cause: Cause; readonly offset: Offset; readonly batch: RecordBatch }[] = []
    for await (const batch of batches)
      await this.#eachInput(batch, (input) => {
        if (input.offset < to) held.push({ cause: input.cause, offset: input.offset, batch })
      })
    const next = held.at(-1)?.offset ?? to
    held.sort((a, b) => compareCauses(a.cause, b.cause) || a.offset - b.offset)
    for (const { offset, batch } of held) {
      const input = await this.#inputAt(batch, offset)
      if (input) await this.#foldInput(input, batch)
    }
    await this.#write()
    this.#nextOffset = next
  }

  async #foldRecords(batch: RecordBatch): Promise<void> {
    for (;;) {
      try {
        for (const input of this.#read(batch, this.#nextOffset, this.#reportBad)) {
          const waits = this.#foldInput(input, batch)
          if (waits) await waits
          this.#nextOffset = input.offset + 1
        }
        return
      } catch (error) {
        if (!(error instanceof UnknownSchemaError)) throw error
        await this.#write() // the schema may be long in coming
        await this.#codecOf(this.#definition.consumes).learn(error.id, this.#deps.signal)
      }
    }
  }

  async #eachInput(batch: RecordBatch, take: (input: Input) => void): Promise<void> {
    for (let next = this.#nextOffset; ; )
      try {
        for (const input of this.#read(batch, next, this.#reportBad)) {
          take(input)
          next = input.offset + 1
        }
        return
      } catch (error) {
        if (!(error instanceof UnknownSchemaError)) throw error
        await this.#codecOf(this.#definition.consumes).learn(error.id, this.#deps.signal)
      }
  }

  async #inputAt(batch: RecordBatch, offset: Offset): Promise<Input | undefined> {
    for (const input of this.#read(batch, offset, () => {})) return input.offset === offset ? input : undefined
    return undefined
  }

  /** Synchronous unless the step needs something that is not at hand: ten million samples do not wait for promises. */
  #foldInput(input: Input, batch: RecordBatch): Promise<void> | undefined {
    if (this.#derived) {
      if (this.#done !== null && compareCauses(input.cause, this.#done) <= 0) return undefined
      this.#done = input.cause
      this.#seen.add(input.cause, input.offset)
    }
    const hash = this.#definition.planOf?.(input)
    const known = hash === undefined ? undefined : this.#deps.plans.get(hash)
    const plan = known && this.#ownPart(known)
    const recalls = this.#definition.recalls?.(this.state, input)
    if ((hash !== undefined && !plan) || recalls?.length) return this.#foldPrepared(input, batch, hash)
    const context = plan ? { plan, recalled: NOTHING_RECALLED } : WITHOUT_PLAN
    this.#say(input, batch, this.#definition.step(this.state, input, context))
    return undefined
  }

  async #foldPrepared(input: Input, batch: RecordBatch, hash: string | undefined): Promise<void> {
    const plan = hash === undefined ? undefined : await this.#planOf(hash)
    const recalled = await this.#recall(this.#definition.recalls?.(this.state, input) ?? [], input.cause)
    const plans = new Map<string, Plan>()
    for (const named of this.#definition.plansOf?.(recalled) ?? []) plans.set(named, await this.#planOf(named))
    this.#say(input, batch, this.#definition.step(this.state, input, { plan, recalled, plans }))
  }

  /** Waits for a plan that cannot be read yet. @throws the reason of the stop */
  async #planOf(hash: string): Promise<Plan> {
    const plan = this.#deps.plans.get(hash) ?? (await this.#deps.plans.wait(hash, this.#deps.signal))
    if (!plan) throw this.#deps.signal.reason
    return this.#ownPart(plan)
  }

  /** A fold expects only the sources whose samples come to its partition. */
  #ownPart(plan: Plan): Plan {
    let own = this.#ownPlans.get(plan)
    if (!own) {
      own = { ...plan, sources: plan.sources.filter(({ id }) => partitionOf(id, this.#partitions) === this.#partition) }
      this.#ownPlans.set(plan, own)
    }
    return own
  }

  async #recall(recalls: readonly Recall[], before: Cause): Promise<ReadonlyMap<string, unknown>> {
    if (recalls.length === 0) return NOTHING_RECALLED
    await this.#write()
    const recalled = new Map<string, unknown>()
    for (const [topic, asks] of Map.groupBy(recalls, ({ topic }) => topic))
      for (const [name, { value }] of await this.#outputOf(topic).recall(asks, before))
        if (value) recalled.set(name, await decodeOwn(this.#codecOf(topic), value, this.#deps.signal))
    return recalled
  }

  #say(input: Input, batch: RecordBatch, said: readonly FoldOutput[]): void {
    if (said.length > 0 && !this.#isSilent(input.cause)) this.#keep(input, batch, said)
  }

  /** Numbers the outputs of one input and keeps those that are not in the log yet. */
  #keep(input: Input, batch: RecordBatch, said: readonly FoldOutput[]): void {
    const direct = { offset: input.offset, crc: contentCrc(this.#cursor.contentAt(batch, input.offset)) }
    orderedOutputs(said).forEach((output, index) => {
      const cause = [...input.cause, index]
      this.#outputOf(output.topic).say(
        output.key,
        () => this.#codecOf(output.topic).encode(output.value),
        cause,
        direct,
      )
    })
  }

  #isSilent(cause: Cause): boolean {
    return this.#position !== null && compareCauses(cause, this.#position) < 0
  }

  readonly #reportBad = (record: BatchRecord, reason: string): void => {
    if (record.offset < this.#reportedTo) return
    this.#reportedTo = record.offset + 1
    const consumed = this.#definition.consumes.name
    this.#deps.deadLetters.add({
      service: this.#definition.name,
      topic: consumed,
      partition: this.#partition,
      record,
      reason,
    })
  }

  async #write(): Promise<void> {
    for (const output of this.#outputs.values()) await output.write()
    await this.#deps.deadLetters.write()
  }

  /** `null` while a restart is still folding what an earlier owner has told: that owner's progress stands. */
  #progress(): Progress | null {
    const position = this.#derived ? (this.#done === null ? [0] : nextCause(this.#done)) : [this.#nextOffset]
    if (this.#isSilent(position)) return null
    const reached = this.#definition.reached(this.state)
    const needed = this.#definition.mark(this.state) ?? position
    if (!this.#derived)
      return { offset: needed[0]!, mark: needed, position, floor: null, done: [this.#nextOffset - 1], reached }
    const mark = this.#seen.forgetBefore(needed)
    const offset = this.#seen.offset(this.#nextOffset)
    return { offset, mark, position, floor: this.#seen.floor, done: this.#done, reached }
  }

  #outputOf(topic: TopicDefinition): OutputTopic {
    const output = this.#outputs.get(topic)
    if (output) return output
    throw new ObstreamError(
      'OBS_RUNTIME_UNEXPECTED',
      `${this.#definition.name} said something on ${topic.name}, which it does not produce`,
    )
  }

  #codecOf(topic: TopicDefinition): TopicCodec<object> {
    return this.#deps.codecs.get(topic)!
  }
}
