import type { Cause } from '#lib/cause.ts'
import type { Offset } from '#lib/eventlog/port.ts'
import type { BatchRecord, RecordBatch } from '#lib/eventlog/record-batch.ts'
import type { Plan } from '#lib/plan.ts'
import type { Instant } from '#lib/time.ts'
import type { TopicDefinition } from '#lib/topics.ts'

/** One record as a fold sees it. Offset and cause are places: a fold may remember them for `mark`, never say them. */
export interface FoldInput<Value> {
  readonly offset: Offset
  readonly cause: Cause
  readonly key: string
  readonly value: Value
}

/** What a fold says. The runtime sorts the outputs of one input by topic and key, numbers and appends them. */
export interface FoldOutput {
  readonly topic: TopicDefinition
  readonly key: string
  readonly value: object
}

/** A question for what the fold itself has said before the input at hand. */
export interface Recall {
  readonly topic: TopicDefinition
  /** A key without its revision: `source/start` asks for the newest revision of that window; other keys as they are. */
  readonly name: string
  /** No answer was appended before this instant; saves reading further back. */
  readonly notBefore?: Instant
}

/** What the runtime has looked up for a step. */
export interface StepContext {
  /** The plan that `planOf` named. */
  readonly plan: Plan | undefined
  /** Answers to `recalls` by name; a name without an answer is absent. */
  readonly recalled: ReadonlyMap<string, unknown>
  /** The plans that `plansOf` named, by sha256; absent when nothing was recalled. */
  readonly plans?: ReadonlyMap<string, Plan>
}

/** A record that cannot be read, for reasons that lie in its own bytes and schema. */
export type ReportBad = (record: BatchRecord, reason: string) => void

/**
 * Turns a batch into inputs, from an offset on. May hand out one object again and again, changed: a step that wants to
 * keep something copies it.
 *
 * @throws UnknownSchemaError when a record names a schema the codec has not met; the loop fetches it and reads on there
 */
export type InputReader<Input> = (batch: RecordBatch, from: Offset, bad: ReportBad) => Iterable<Input>

/**
 * A service that folds one topic: data and a pure step. `run.ts` does the rest.
 *
 * `step` and its kin know no clock, log, file or chance: time is the newest tick, everything else comes with the record.
 * `state` belongs to the partition; a step advances it in place.
 */
export interface ServiceDefinition<State, Input extends FoldInput<unknown>> {
  readonly name: string
  readonly consumes: TopicDefinition
  /** Derived topics that nobody else writes. Empty for a fold that only remembers. */
  readonly produces: readonly TopicDefinition[]
  initial(): State
  /** Says what follows from a record, and advances `state`. */
  step(state: State, input: Input, context: StepContext): readonly FoldOutput[]
  /** The oldest input that `state` still needs; `null`: none, the next one will do. */
  mark(state: State): Cause | null
  /** The newest tick folded; `null` before the first. */
  reached(state: State): Instant | null
  /** sha256 of the plan that this step needs. */
  planOf?(input: Input): string | undefined
  /** What this step must know of what the fold has said. */
  recalls?(state: State, input: Input): readonly Recall[]
  /** sha256 of further plans that this step needs, once it is known what has been said. */
  plansOf?(recalled: ReadonlyMap<string, unknown>): readonly string[]
  /**
   * Which own output a restart takes back into the state, by key. Everything else is restored by folding the inputs from
   * the mark on.
   */
  restores?(key: string, reachedAt: Instant): boolean
  /** Takes one such fact back; they come in order of cause, before the first input. */
  restore?(state: State, value: unknown): void
  /** Reads the input batches; default: each record by the topic's schema. */
  readonly read?: InputReader<Input>
}

/** Checks a definition and gives it its types. */
export function defineService<State, Input extends FoldInput<unknown>>(
  definition: ServiceDefinition<State, Input>,
): ServiceDefinition<State, Input> {
  for (const topic of definition.produces)
    if (!topic.derived)
      throw new TypeError(`${definition.name} may not produce ${topic.name}: it is not a derived topic`)
  return definition
}
