import type { TopicCodec } from '#lib/codec/avro.ts'
import type { Gap, Rejected, SampleFact } from '#lib/facts.ts'
import { defineService, type FoldOutput, type Recall, type ServiceDefinition } from '#lib/runtime/define-service.ts'
import { topics } from '#lib/topics.ts'
import { type Board, emptyBoard, oldestInputNeeded, sourceBoard } from './board.ts'
import { countSample } from './counting.ts'
import { plansOfRecalled, recallsForWaiting } from './late.ts'
import { movesTime, passTime } from './passing-time.ts'
import type { SampleInput } from './sample-input.ts'
import { sampleReader } from './sample-reader.ts'

const NOTHING: readonly FoldOutput[] & readonly Recall[] = []

/** Counts samples in windows, source by source. */
export const rollup = defineService<Board, SampleInput>({
  name: 'rollup',
  consumes: topics.sample,
  produces: [topics.window, topics.breach],
  initial: emptyBoard,
  /** Samples are counted; only a tick moves time, closes windows and tells of gaps and refusals. */
  step(board, input, context) {
    const { value } = input
    if (value.type === 'tick') return movesTime(board, value) ? passTime(board, value, input.cause, context) : NOTHING
    countSample(board, input, value)
    return NOTHING
  },
  mark: oldestInputNeeded,
  reached: (board) => board.now?.tickAt ?? null,
  planOf: ({ value }) => (value.type === 'tick' ? value.plan : undefined),
  /** Late samples are decided by the next tick, with what was said about their windows and about themselves. */
  recalls: (board, { value }) =>
    value.type === 'tick' && movesTime(board, value) ? recallsForWaiting(board) : NOTHING,
  plansOf: plansOfRecalled,
  /** A running gap's count and base stand in its record; a sample that came too early is refused for ever. */
  restores: (key) => RESTORED.has(key.split('/')[1]!),
  restore(board, value) {
    const fact = value as Gap | Rejected
    if (fact.type === 'gap') board.restoredGaps.set(fact.source, fact)
    else if (fact.reason === 'too_early') sourceBoard(board, fact.source).refuseForever(fact)
  },
})

const RESTORED: ReadonlySet<string> = new Set(['gap', 'rejected'])

/** The same, reading records of today's schema without an object each. */
export function rollupReading(
  codec: Pick<TopicCodec<SampleFact>, 'schemaId' | 'decode'>,
): ServiceDefinition<Board, SampleInput> {
  return { ...rollup, read: sampleReader(codec) }
}
