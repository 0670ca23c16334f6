import type { Cause } from '#lib/cause.ts'
import { compareCauses } from '#lib/cause.ts'
import { ObstreamError } from '#lib/errors.ts'
import type { EventLog, PartitionOffsets, Progress } from '#lib/eventlog/port.ts'
import type { BatchRecord } from '#lib/eventlog/record-batch.ts'
import type { Instant } from '#lib/time.ts'
import type { TopicDefinition } from '#lib/topics.ts'
import { COMPACTION_LAG_MS } from '#lib/topics.ts'
import type { FoldInput, InputReader, ServiceDefinition } from './define-service.ts'
import { OutputTopic } from './output-topic.ts'
import { decodeOwn, lastRecord, readSet } from './own-records.ts'
import type { FoldDependencies } from './partition-fold.ts'
import { PartitionFold } from './partition-fold.ts'
import { causeOf, contentCrc, directInputOf } from './record-headers.ts'

/**
 * Takes a partition over (step 3 of the recipe): learns from the own output what has been said, checks that the input is
 * still the one it was said about, and gives the state back what it does not find in the inputs from the mark on.
 *
 * @param now the present instant, which tells what of a compacted topic may have been moved
 * @throws OBS_LOG_HISTORY_CHANGED
 */
export async function startPartition<State, Input extends FoldInput<unknown>>(
  definition: ServiceDefinition<State, Input>,
  read: InputReader<Input>,
  deps: FoldDependencies,
  taken: { readonly partition: number; readonly committed: Progress | null; readonly now: Instant },
): Promise<PartitionFold<State, Input>> {
  const { log } = deps
  const inputs = await log.offsets(definition.consumes.name)
  const input = inputs[taken.partition]!
  const committed = taken.committed && taken.committed.offset >= input.earliest ? taken.committed : null
  const outputs = new Map<TopicDefinition, OutputTopic>()
  for (const topic of definition.produces) {
    const last = await lastRecord(log, topic.name, taken.partition)
    if (last) await checkHistory(definition, deps, input, last)
    outputs.set(topic, new OutputTopic(log, topic.name, taken.partition, last ? (causeOf(last) ?? null) : null))
  }
  const from = committed?.offset ?? input.earliest
  const fold = new PartitionFold({
    definition,
    read,
    deps,
    partition: taken.partition,
    partitions: inputs.length,
    outputs,
    committed,
    from,
  })
  if (committed) await restoreFromOutput(definition, deps, taken.partition, fold.state, committed)
  if (definition.consumes.derived) await foldMovedStretch(definition, fold, log, { ...taken, from, end: input.end })
  return fold
}

async function checkHistory(
  definition: { readonly name: string; readonly consumes: TopicDefinition },
  deps: FoldDependencies,
  input: PartitionOffsets,
  last: BatchRecord,
): Promise<void> {
  const { log } = deps
  const direct = directInputOf(last)
  if (!direct || direct.offset < input.earliest) return
  const topic = definition.consumes.name
  const said = `${definition.name} said ${last.key.toString()} after offset ${direct.offset} of ${topic}/${input.partition}`
  if (direct.offset >= input.end && !(await grows(deps, topic, { ...input, end: direct.offset })))
    throw new ObstreamError(
      'OBS_LOG_HISTORY_CHANGED',
      `${said}, but that partition ends at ${input.end}: it was truncated or created anew`,
    )
  for await (const batch of log.read(topic, input.partition, direct.offset, direct.offset + 1))
    for (const record of batch.records())
      if (
        record.offset === direct.offset &&
        record.value &&
        contentCrc({ key: record.key, value: record.value }) !== direct.crc
      )
        throw new ObstreamError(
          'OBS_LOG_HISTORY_CHANGED',
          `${said}, but another record stands there now: the topic was created anew`,
        )
}

/** Whether the input turns out to reach beyond an offset after all: a broker may tell an end that is not the true one. */
async function grows(
  { log, clock, signal }: FoldDependencies,
  topic: string,
  { partition, end }: Pick<PartitionOffsets, 'partition' | 'end'>,
): Promise<boolean> {
  const untilMs = clock.monotonicMs() + log.endsLagMs
  while (clock.monotonicMs() < untilMs) {
    await clock.sleep(LOOK_AGAIN_MS, signal)
    signal.throwIfAborted()
    if ((await log.offsets(topic))[partition]!.end > end) return true
  }
  return false
}

/** While an end that is too early may be a wrong one. */
const LOOK_AGAIN_MS = 200

async function restoreFromOutput<State, Input extends FoldInput<unknown>>(
  definition: ServiceDefinition<State, Input>,
  deps: FoldDependencies,
  partition: number,
  state: State,
  committed: Progress,
): Promise<void> {
  const { restores, restore } = definition
  if (!restores || !restore) return
  const reachedAt = committed.reached ?? Number.NEGATIVE_INFINITY
  const before = (cause: Cause): boolean => compareCauses(cause, committed.position) < 0
  for (const topic of definition.produces) {
    const codec = deps.codecs.get(topic)!
    const wanted = await readSet(
      deps.log,
      topic.name,
      partition,
      (key, cause) => before(cause) && restores(key, reachedAt),
    )
    for (const record of wanted) restore(state, await decodeOwn(codec, record.value, deps.signal))
  }
}

/**
 * Beyond the compaction lag a copy may stand where the fact stood, so that stretch is read as a set; what is younger is
 * as it was written.
 */
async function foldMovedStretch<State, Input extends FoldInput<unknown>>(
  definition: ServiceDefinition<State, Input>,
  fold: PartitionFold<State, Input>,
  log: EventLog,
  stretch: { readonly partition: number; readonly from: number; readonly end: number; readonly now: Instant },
): Promise<void> {
  const topic = definition.consumes.name
  const place = (await log.offsets(topic, stretch.now - COMPACTION_LAG_MS))[stretch.partition]!
  if (place.atOrAfter <= stretch.from) return
  await fold.foldAsSet(log.read(topic, stretch.partition, stretch.from, stretch.end), stretch.end)
}
