import type { Cause } from '#lib/cause.ts'
import type { Gap, SampleFact, WindowFact } from '#lib/facts.ts'
import { alertId, alertKey, gapKey } from '#lib/keys.ts'
import { defineService, type FoldInput, type FoldOutput } from '#lib/runtime/define-service.ts'
import { topics } from '#lib/topics.ts'

/** Two small folds that need everything the runtime gives: marks, own output, causes of derived topics. */

interface Tally {
  now: number | null
  tick: Cause | null
  readonly open: Map<string, { readonly ids: Set<string>; readonly since: Cause }>
}

/** Counts samples per source; each tick says how many, and how many it had said the time before (asked back by key). */
export const tally = defineService<Tally, FoldInput<SampleFact>>({
  name: 'tally',
  consumes: topics.sample,
  produces: [topics.window],
  initial: () => ({ now: null, tick: null, open: new Map() }),
  recalls: (state, { value }) =>
    value.type === 'tick' && isNews(state, value.at)
      ? [...state.open.keys()].map((source) => ({ topic: topics.window, name: `${source}/gap` }))
      : [],
  step(state, { key, cause, value }, { recalled }): readonly FoldOutput[] {
    if (value.type === 'probe') {
      const open = state.open.get(key) ?? { ids: new Set(), since: cause }
      state.open.set(key, open)
      open.ids.add(`${value.scheduledAt}.${value.ordinal}`)
      return []
    }
    if (!isNews(state, value.at)) return []
    const said = [...state.open].map(([source, { ids }]) => {
      const before = recalled.get(`${source}/gap`) as Gap | undefined
      const fact: Gap = {
        type: 'gap',
        source,
        firstSlotAt: before?.missingCount ?? 0,
        slotAt: value.at,
        missingCount: ids.size,
        decidedAt: value.at,
        ruleId: null,
        plan: value.plan,
      }
      return { topic: topics.window, key: gapKey(source, value.at), value: fact }
    })
    state.open.clear()
    state.now = value.at
    state.tick = cause
    return said
  },
  mark: (state) => [state.tick, ...[...state.open.values()].map(({ since }) => since)].reduce(older, null),
  reached: (state) => state.now,
})

const isNews = (state: Tally, at: number): boolean => state.now === null || at > state.now

interface Sums {
  now: number | null
  running: { sum: number; sequence: number; readonly since: Cause } | null
}

/** Opens an alert when counts have summed up to two, ends at three: most of the time it needs no input any more. */
export const sums = defineService<Sums, FoldInput<WindowFact>>({
  name: 'sums',
  consumes: topics.window,
  produces: [topics.alert],
  initial: () => ({ now: null, running: null }),
  step(state, { cause, value }): readonly FoldOutput[] {
    if (value.type !== 'gap') return []
    state.now = value.decidedAt
    state.running ??= { sum: 0, sequence: 0, since: cause }
    const { running } = state
    running.sum += value.missingCount
    if (running.sum >= 3) state.running = null
    if (running.sum < 2) return []
    const id = alertId('no_data', 'toy', gapKey(value.source, value.slotAt))
    const alert = {
      alertId: id,
      sequence: running.sequence,
      kind: running.sequence === 0 ? 'opened' : 'reminded',
      about: 'no_data',
      severity: 'info',
      ruleId: 'toy',
      source: value.source,
      decidedAt: value.decidedAt,
      eventAt: value.slotAt,
      openedAt: value.decidedAt,
      reason: `sum ${running.sum}`,
      streak: running.sum,
      thresholdMs: null,
      plan: value.plan,
      evidence: [],
    }
    return [{ topic: topics.alert, key: alertKey(id, running.sequence++), value: alert }]
  },
  mark: (state) => state.running?.since ?? null,
  reached: (state) => state.now,
})

function older(a: Cause | null, b: Cause | null): Cause | null {
  if (a === null || b === null) return a ?? b
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i]! < b[i]! ? a : b
  return a
}
