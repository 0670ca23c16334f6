import { describe, expect, test } from '@jest/globals'
import { tzdataVersion } from '#lib/calendar.ts'
import { alertsOf, at, gap, hours, inOrder, plan, rule, transitions, window } from './desk.ts'

const late = (letter: string, clock: string, decided: string) =>
  window(letter, at(clock), { revision: 1, decidedAt: at(decided) })

describe('a silence told by gaps', () => {
  test('warns at the first gap and is critical at the second', () => {
    expect(transitions([gap(at('12:30')), gap(at('13:00')), gap(at('13:30'))])).toEqual([
      '12:30 opened warning no_data',
      '13:00 escalated critical no_data',
    ])
  })

  test('names the gaps as evidence and the slot in its id', () => {
    const [opened, escalated] = alertsOf([gap(at('12:30')), gap(at('13:00'), { missingCount: 4 })])
    expect(opened).toMatchObject({
      alertId: 'no_data/latency_p95/router_demo/gap/2026-06-22T12:30:00Z',
      reason: 'samples are missing: 2 expected slots without a sample since 2026-06-22T12:15:00Z',
      thresholdMs: null,
      evidence: [{ key: 'router_demo/gap/2026-06-22T12:30:00Z', verdict: 'gap', count: 0, p95Ms: null }],
    })
    expect(escalated).toMatchObject({
      streak: 2,
      evidence: [{ verdict: 'gap' }, { key: 'router_demo/gap/2026-06-22T13:00:00Z' }],
    })
  })

  test.each(['B', 'E', 'O', 'R'])(
    'ends with the first window that has enough samples, whatever its verdict: %s',
    (letter) => {
      const facts = inOrder(gap(at('12:30')), hours(`I ${letter}`, at('12:00')))
      expect(transitions(facts)).toEqual(['12:30 opened warning no_data', '14:00 resolved warning no_data'])
    },
  )

  test('does not end with a window that was over before the newest missing slot', () => {
    const facts = inOrder(
      hours('R R', at('12:00')),
      gap(at('12:50'), { decidedAt: at('13:05') }),
      gap(at('13:02'), { decidedAt: at('13:09') }),
    )
    expect(transitions(facts)).toEqual([
      '12:50 opened warning no_data',
      '13:02 escalated critical no_data',
      '14:00 resolved critical no_data',
    ])
  })

  test('neither ends an alert about breaches nor is ended by its end', () => {
    const facts = inOrder(hours('B B I R R', at('10:00')), gap(at('12:30')), gap(at('13:00')))
    expect(transitions(facts)).toEqual([
      '12:00 opened warning',
      '12:30 opened warning no_data',
      '13:00 escalated critical no_data',
      '14:00 resolved critical no_data',
      '15:00 resolved warning',
    ])
  })

  test('is reminded of', () => {
    const facts = [12, 13, 14, 15, 16, 17].map((hour) => gap(at(`${hour}:00`)))
    expect(transitions(facts)).toEqual([
      '12:00 opened warning no_data',
      '13:00 escalated critical no_data',
      '17:00 reminded critical no_data',
    ])
  })

  test('ends when the rule changes, and goes on under the new one', () => {
    const other = plan({ rules: [rule({ id: 'strict' })] })
    expect(transitions([gap(at('12:30')), gap(at('13:00'), { plan: other })])).toEqual([
      '12:30 opened warning no_data',
      '13:00 resolved warning no_data',
      '13:00 opened warning no_data',
    ])
  })

  test('ends when the source leaves the plan', () => {
    expect(transitions([gap(at('12:30')), window('X', at('12:00'))])).toEqual([
      '12:30 opened warning no_data',
      '13:00 resolved warning no_data',
    ])
  })

  test('ends with late samples of an hour that ended after the newest missing slot, not of an earlier one', () => {
    const silent = inOrder(hours('I I', at('11:00')), gap(at('12:30')))
    expect(transitions([...silent, late('B', '11:00', '13:20')])).toEqual(['12:30 opened warning no_data'])
    expect(transitions([...silent, late('R', '12:00', '13:20')]).at(-1)).toBe('13:00 resolved warning no_data')
  })

  test('of a source without a rule says nothing', () => {
    expect(transitions([gap(at('12:30'), { plan: plan({ rules: [] }) })])).toEqual([])
  })
})

describe('a silence told by thin windows', () => {
  test('is another alert than one told by the gap in its first window, which a change of rules ended and took back', () => {
    const other = plan({ rules: [rule({ id: 'other' })] })
    const facts = [gap(at('12:00')), gap(at('12:30'), { plan: other }), ...hours('I I I I', at('12:00'))]
    expect(alertsOf(facts).flatMap(({ kind, alertId }) => (kind === 'opened' ? [alertId] : []))).toEqual([
      'no_data/latency_p95/router_demo/gap/2026-06-22T12:00:00Z',
      'no_data/other/router_demo/gap/2026-06-22T12:30:00Z',
      'no_data/latency_p95/router_demo/2026-06-22T12:00:00Z',
    ])
  })

  test('opens with more than three in a row, and stays a warning', () => {
    expect(transitions(hours('I I I'))).toEqual([])
    expect(transitions(hours('I I I I I I I'))).toEqual(['04:00 opened warning no_data'])
  })

  test('names the windows, of which the first gives the id', () => {
    const [opened] = alertsOf(hours('R I I I I'))
    expect(opened).toMatchObject({
      alertId: 'no_data/latency_p95/router_demo/2026-06-22T01:00:00Z',
      streak: 4,
      reason: '4 windows in a row with too few samples, up to 3 are let pass',
    })
    expect(opened?.evidence.map(({ key }) => key.slice(12, 28))).toEqual([
      '2026-06-22T01:00',
      '2026-06-22T02:00',
      '2026-06-22T03:00',
      '2026-06-22T04:00',
    ])
  })

  test('is critical at the second gap', () => {
    const facts = inOrder(hours('I I I I'), gap(at('04:30')), gap(at('05:00')))
    expect(transitions(facts)).toEqual(['04:00 opened warning no_data', '05:00 escalated critical no_data'])
  })

  test('begins anew after a window with enough samples', () => {
    expect(transitions(hours('I I I B I I I'))).toEqual([])
  })

  test('begins anew when a session opens', () => {
    const fx = plan({ calendar: { kind: 'fx', holidays: [], tzdata: tzdataVersion } })
    const friday = Date.parse('2026-06-26T19:00:00Z')
    const sunday = Date.parse('2026-06-28T21:00:00Z')
    const facts = [...hours('I I', friday, { plan: fx }), ...hours('I I', sunday, { plan: fx })]
    expect(transitions(facts)).toEqual([])
    expect(transitions([...hours('I I C', friday, { plan: fx }), ...hours('I I', sunday, { plan: fx })])).toEqual([])
    expect(transitions([...hours('I I', friday), ...hours('I I', sunday)])).toHaveLength(1)
  })

  test('is shortened by late samples, and noted or ended by them once open', () => {
    expect(transitions(inOrder(hours('I I I I'), late('R', '01:00', '03:30')))).toEqual([])
    expect(transitions([...hours('I I I I'), late('R', '01:00', '04:30')]).at(-1)).toBe(
      '02:00 annotated warning no_data',
    )
    expect(transitions([...hours('I I I I'), late('I', '01:00', '04:30')]).at(-1)).toBe(
      '02:00 annotated warning no_data',
    )
    expect(transitions([...hours('I I I I'), late('B', '03:00', '04:30')])).toContain('04:00 resolved warning no_data')
  })

  test('is not opened by late windows', () => {
    const lateFirst = window('I', at('03:00'), { late: true, decidedAt: at('05:00') })
    expect(transitions([...hours('I I I'), lateFirst])).toEqual([])
  })

  test('closed hours neither open, nor remind, nor end it', () => {
    expect(transitions(hours('C C C C C C'))).toEqual([])
    expect(transitions(hours('I I I I C C C C C C'))).toEqual(['04:00 opened warning no_data'])
  })
})
