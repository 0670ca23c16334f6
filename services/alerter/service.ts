import { ObstreamError } from '#lib/errors.ts'
import type { WindowFact } from '#lib/facts.ts'
import type { FoldInput } from '#lib/runtime/define-service.ts'
import { defineService } from '#lib/runtime/define-service.ts'
import { topics } from '#lib/topics.ts'
import type { AlertBoard } from './alerts.ts'
import { emptyBoard, foldFact, oldestNeeded } from './alerts.ts'

/** Windows and gaps in, transitions of alerts out. A sample that rollup refused moves nothing here. */
export const alerter = defineService<AlertBoard, FoldInput<WindowFact>>({
  name: 'alerter',
  consumes: topics.window,
  produces: [topics.alert],
  initial: emptyBoard,
  planOf: ({ value }) => (value.type === 'rejected' ? undefined : value.plan),
  step(board, { cause, key, value }, { plan }) {
    if (value.type === 'rejected') return []
    if (plan) return foldFact(board, { cause, key, fact: value }, plan)
    throw new ObstreamError(
      'OBS_RUNTIME_UNEXPECTED',
      `the plan ${value.plan} of ${key} was not resolved before its step`,
    )
  },
  mark: oldestNeeded,
  reached: (board) => board.nowAt,
})
