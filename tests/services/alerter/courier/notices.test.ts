import { describe, expect, test } from '@jest/globals'
import type { Alert } from '#lib/facts.ts'
import { HOUR_MS } from '#lib/time.ts'
import type { Verdict } from '#services/alerter/courier/decide.ts'
import { contextOf, noticeOf } from '#services/alerter/courier/notices.ts'
import { whyTold } from '#services/alerter/courier/why.ts'
import type { AlertNotice } from '#services/alerter/messages/notice.ts'
import { configOf } from '#tests/services/sampler/desk.ts'
import { alertsOf, at, gap, hours, inOrder, plan, rule } from '../desk.ts'

const newestOf = (story: string): Alert => alertsOf(hours(story)).at(-1)!
const said = (alert: Alert, by = plan()) => [whyTold(alert, by, 'en'), whyTold(alert, by, 'ja')]

describe('why something is told: the count that its rule asks for', () => {
  /** Each count of this rule is another one. */
  const patient = plan({ rules: [rule({ warningAfter: 2, criticalAfter: 4, resolveAfter: 3 })] })
  const patiently = (story: string) => said(alertsOf(hours(story, undefined, { plan: patient })).at(-1)!, patient)

  test('of breaches, and of good windows', () => {
    expect(patiently('B B')).toEqual(['2 of 2', '連続2回'])
    expect(patiently('B B B B')).toEqual(['4 of 4', '連続4回'])
    expect(patiently('B B R R R')).toEqual(['3 of 3', '正常連続3回'])
  })

  test('an end that no good windows led to is its end', () => {
    expect(said(newestOf('B B X'))).toEqual(['its end', '終了'])
    expect(said({ ...newestOf('B B X'), ruleId: 'a rule before' })).toEqual(['its end', '終了'])
    expect(said(alertsOf(inOrder(gap(at('00:30')), hours('. R'))).at(-1)!)).toEqual(['its end', '終了'])
  })

  test('a source that has no rule any more', () => {
    expect(said(newestOf('B B'), plan({ rules: [] }))).toEqual([
      'the source has no rule any more',
      '適用されるルールがなくなりました',
    ])
  })
})

describe('a transition as a channel is told of it', () => {
  const verdict: Verdict = { channel: 'ops', send: true, code: 'routed', reason: 'why', commands: [], note: null }
  const tell = (alert: Alert, more: Partial<Verdict> = {}, ackedAfterMs: number | null = null) => {
    const transition = { key: 'k', cause: [0, 0], alert }
    const acknowledgement =
      ackedAfterMs === null ? null : { commandId: 'c', by: 'ann', reason: 'r', at: alert.openedAt + ackedAfterMs }
    const parts = { plan: plan(), locale: 'ja', acknowledgement, notifiedChannels: ['ops', 'chat'] } as const
    return noticeOf(transition, { ...verdict, ...more }, parts) as AlertNotice
  }

  test('names the channels that are told, and says why', () => {
    expect(tell(newestOf('B B'))).toMatchObject({ notifiedChannels: ['ops', 'chat'], why: '連続2回', note: null })
  })

  test('has a note only when there is something besides', () => {
    const note = { kind: 'failed', channel: 'pd', attempts: 1 } as const
    expect(tell(newestOf('B B'), { note }).note).toBe('チャネル pd への送信が1回失敗しました')
  })

  test('counts whole seconds from the opening, never less than none', () => {
    expect(tell(newestOf('B B B'))).toMatchObject({ acknowledgedAfterS: null, resolvedAfterS: null })
    expect(tell(newestOf('B B R R'))).toMatchObject({ resolvedAfterS: (2 * HOUR_MS) / 1_000 })
    const after = (ms: number) => tell(newestOf('B B B'), {}, ms).acknowledgedAfterS
    expect([95_400, 95_500, 0, -5_000].map(after)).toEqual([95, 96, 0, 0])
  })

  test('an end counts to when it was decided, not to the end of its window', () => {
    const alert = newestOf('B B R R')
    expect(tell({ ...alert, eventAt: alert.eventAt - HOUR_MS })).toMatchObject({ resolvedAfterS: 7_200 })
  })

  test('goes with the labels of its source, by the plan that judged it', () => {
    const source = { id: 'router_demo', intervalMs: HOUR_MS, phaseMs: 0, labels: { desk: 'fx' } }
    const { labelsOf } = contextOf(configOf([]), plan({ sources: [source] }))
    expect([labelsOf('router_demo'), labelsOf('another')]).toEqual([{ desk: 'fx' }, {}])
  })
})
