import { describe, expect, test } from '@jest/globals'
import { tzdataVersion } from '#lib/calendar.ts'
import { factSha256 } from '#lib/codec/fact-json.ts'
import { HOUR_MS, MINUTE_MS } from '#lib/time.ts'
import { alertsOf, at, gap, hours, inOrder, MONDAY, plan, rejected, rule, run, transitions, window } from './desk.ts'

describe('the policy, as a table of hours', () => {
  test.each([
    ['one breach says nothing', 'R R B R R', []],
    ['two breaches in a row warn', 'R B B', ['03:00 opened warning']],
    ['a third makes it critical', 'B B B', ['02:00 opened warning', '03:00 escalated critical']],
    ['a breach by errors counts like one by p95', 'E B E', ['02:00 opened warning', '03:00 escalated critical']],
    ['an ok hour between two breaches ends the streak', 'B R B R B O B', []],
    ['two good hours resolve', 'B B R R', ['02:00 opened warning', '04:00 resolved warning']],
    [
      'critical resolves as critical',
      'B B B R R',
      ['02:00 opened warning', '03:00 escalated critical', '05:00 resolved critical'],
    ],
    ['an ok hour at 0.9 of the threshold starts the recovery again', 'B B R O R', ['02:00 opened warning']],
    ['two good hours after that resolve', 'B B R O R R', ['02:00 opened warning', '06:00 resolved warning']],
    ['an ok hour ends the streak of an open alert', 'B B O B B', ['02:00 opened warning']],
    ['three breaches after an ok hour escalate', 'B B O B B B', ['02:00 opened warning', '06:00 escalated critical']],
    ['a breach starts the recovery again', 'B B R B R', ['02:00 opened warning']],
    ['an hour with too few samples is neutral to the streak', 'B I B', ['03:00 opened warning']],
    ['and to the recovery', 'B B R I R', ['02:00 opened warning', '05:00 resolved warning']],
    [
      'after the end the next streak opens a new alert',
      'B B R R B B',
      ['02:00 opened warning', '04:00 resolved warning', '06:00 opened warning'],
    ],
  ])('%s: %s', (_, series, expected) => {
    expect(transitions(hours(series))).toEqual(expected)
  })

  test('other counts of the rule are obeyed', () => {
    const strict = plan({ rules: [rule({ warningAfter: 1, criticalAfter: 4, resolveAfter: 1 })] })
    expect(transitions(hours('B B B B R', MONDAY, { plan: strict }))).toEqual([
      '01:00 opened warning',
      '04:00 escalated critical',
      '05:00 resolved critical',
    ])
  })

  test('recovery is below the share of the threshold, exactly, where floating point would be off', () => {
    const small = plan({ rules: [rule({ thresholdMs: 100, resolveBelow: 0.07, resolveAfter: 1 })] })
    const ok = (p95Ms: number, hour: number) => {
      const written = window('R', MONDAY + hour * HOUR_MS, { plan: small })
      return { ...written, value: { ...written.value, p95Ms } }
    }
    const opening = hours('B B', MONDAY, { plan: small })
    expect(transitions([...opening, ok(7, 2)])).toEqual(['02:00 opened warning'])
    expect(transitions([...opening, ok(6, 2)])).toEqual(['02:00 opened warning', '03:00 resolved warning'])
  })
})

describe('a transition', () => {
  test('names the windows it rests on by key and sha256, with their values, in order', () => {
    const facts = hours('R B I E')
    const [opened] = alertsOf(facts)
    expect(opened).toEqual({
      alertId: 'breach/latency_p95/router_demo/2026-06-22T01:00:00Z',
      sequence: 0,
      kind: 'opened',
      about: 'breach',
      severity: 'warning',
      ruleId: 'latency_p95',
      source: 'router_demo',
      decidedAt: at('04:10'),
      eventAt: at('04:00'),
      openedAt: at('04:10'),
      reason: '2 windows in a row in breach, this one with 3 errors in 4 samples',
      streak: 2,
      thresholdMs: 500,
      plan: JSON.stringify(plan()),
      evidence: [
        {
          key: 'router_demo/2026-06-22T01:00:00Z/r0',
          sha256: factSha256(facts[1]!.value),
          verdict: 'breach',
          count: 4,
          errorCount: 0,
          p95Ms: 812,
        },
        {
          key: 'router_demo/2026-06-22T03:00:00Z/r0',
          sha256: factSha256(facts[3]!.value),
          verdict: 'breach',
          count: 1,
          errorCount: 3,
          p95Ms: 100,
        },
      ],
    })
  })

  test('has a sequence of four digits in its key, and one id from opening to end', () => {
    expect(run(hours('B B B R R')).map(({ key }) => key)).toEqual([
      'breach/latency_p95/router_demo/2026-06-22T00:00:00Z/0000',
      'breach/latency_p95/router_demo/2026-06-22T00:00:00Z/0001',
      'breach/latency_p95/router_demo/2026-06-22T00:00:00Z/0002',
    ])
  })

  test('of a long streak names the newest 24 windows and tells how many there were', () => {
    const patient = plan({ rules: [rule({ warningAfter: 30, criticalAfter: 40 })] })
    const [opened] = alertsOf(hours(Array(30).fill('B').join(' '), MONDAY, { plan: patient }))
    expect(opened?.evidence).toHaveLength(24)
    expect(opened?.evidence.at(-1)?.key).toBe('router_demo/2026-06-23T05:00:00Z/r0')
    expect(opened?.streak).toBe(30)
    expect(opened?.reason).toBe(
      '30 windows in a row in breach, this one with p95 812 ms > 500 ms; evidence is the newest 24 of 30',
    )
  })
})

describe('reminders', () => {
  test('come with the first fact of the source four hours after the last word', () => {
    expect(transitions(hours('B B B B B B B B B B B'))).toEqual([
      '02:00 opened warning',
      '03:00 escalated critical',
      '07:00 reminded critical',
      '11:00 reminded critical',
    ])
  })

  test('come with ok windows and gaps, too, but say so', () => {
    const facts = inOrder(hours('B B O O O'), gap(at('05:45')))
    const reminder = alertsOf(facts).find(({ kind, about }) => kind === 'reminded' && about === 'breach')
    expect(reminder?.eventAt).toBe(at('05:45'))
    expect(reminder?.reason).toBe('open for 4 h; 2 expected slots without a sample since 2026-06-22T05:30:00Z')
  })

  test('do not come with a transition, an annotation, or a closed hour', () => {
    expect(transitions(hours('B B . . . . R R'))).toEqual([
      '02:00 opened warning',
      '07:00 reminded warning',
      '08:00 resolved warning',
    ])
    expect(transitions(hours('B B C C C C C C O'))).toEqual(['02:00 opened warning', '09:00 reminded warning'])
    const corrected = window('B', at('00:00'), { revision: 1, decidedAt: at('09:00') })
    expect(transitions([...hours('B B'), corrected])).toEqual(['02:00 opened warning', '01:00 annotated warning'])
  })
})

describe('trading sessions', () => {
  const fx = plan({ calendar: { kind: 'fx', holidays: [], tzdata: tzdataVersion } })
  const friday = Date.parse('2026-06-26T20:00:00Z') // the last hour before 17:00 in New York
  const sunday = Date.parse('2026-06-28T21:00:00Z')

  test('a breach before the weekend and one after do not make a streak', () => {
    const closed = Array(48).fill('C').join(' ')
    expect(transitions(hours(`B ${closed} B`, friday, { plan: fx }))).toEqual([])
    expect(transitions(hours(`B ${closed} B B`, friday, { plan: fx }))).toEqual(['23:00 opened warning'])
  })

  test('nor when the closed windows were never written', () => {
    expect(transitions([window('B', friday, { plan: fx }), window('B', sunday, { plan: fx })])).toEqual([])
  })

  test('an open alert keeps its streak over the weekend', () => {
    const facts = [...hours('B B', friday - HOUR_MS, { plan: fx }), ...hours('C B', sunday - HOUR_MS, { plan: fx })]
    expect(transitions(facts)).toEqual(['21:00 opened warning', '22:00 escalated critical'])
  })

  test('without a calendar the same two breaches are a streak', () => {
    expect(transitions([window('B', friday), window('B', sunday)])).toEqual(['22:00 opened warning'])
  })

  test('a breach is forgotten after fourteen days without another window that counts', () => {
    const later = (days: number) => [window('B', MONDAY), window('B', MONDAY + days * 24 * HOUR_MS)]
    expect(transitions(later(13))).toHaveLength(1)
    expect(transitions(later(15))).toEqual([])
  })

  test('also when a late revision would add the second one', () => {
    const thin = window('I', at('23:20', 13))
    const revised = (decidedAt: number) => window('B', at('23:20', 13), { revision: 1, decidedAt })
    expect(transitions([window('B', MONDAY), thin, revised(at('01:00', 14))])).toHaveLength(1)
    expect(transitions([window('B', MONDAY), thin, revised(at('01:10', 14))])).toEqual([])
  })
})

describe('a plan that changes', () => {
  test('a window judged by another rule ends the alert with that reason and counts for a new streak', () => {
    const other = plan({ rules: [rule({ id: 'strict', thresholdMs: 300 })] })
    const facts = [...hours('B B'), ...hours('B B', at('02:00'), { plan: other })]
    expect(transitions(facts)).toEqual(['02:00 opened warning', '03:00 resolved warning', '04:00 opened warning'])
    const [, resolved, opened] = alertsOf(facts)
    expect(resolved).toMatchObject({ reason: 'rule strict has taken the place of rule latency_p95', thresholdMs: 500 })
    expect(opened).toMatchObject({ alertId: 'breach/strict/router_demo/2026-06-22T02:00:00Z', thresholdMs: 300 })
  })

  test('a rule that no longer matches the source ends it, too', () => {
    const facts = [...hours('B B'), ...hours('B B B', at('02:00'), { plan: plan({ rules: [] }) })]
    expect(transitions(facts)).toEqual(['02:00 opened warning', '03:00 resolved warning'])
  })

  test('another threshold in the same rule ends nothing', () => {
    const facts = [...hours('B B'), ...hours('B', at('02:00'), { plan: plan({ rules: [rule({ thresholdMs: 700 })] }) })]
    expect(transitions(facts)).toEqual(['02:00 opened warning', '03:00 escalated critical'])
    expect(alertsOf(facts).map(({ thresholdMs }) => thresholdMs)).toEqual([500, 700])
  })

  test('a retired source ends its alerts and forgets its streak', () => {
    const facts = hours('B B X')
    expect(transitions(facts)).toEqual(['02:00 opened warning', '03:00 resolved warning'])
    expect(alertsOf(facts).at(-1)?.reason).toBe('the source is no longer in the plan')
    expect(transitions(hours('B X B'))).toEqual([])
  })

  test('a source without a rule says nothing', () => {
    expect(transitions(hours('B B B', MONDAY, { plan: plan({ rules: [rule({ match: 'other' })] }) }))).toEqual([])
    expect(transitions(hours('B B B', MONDAY, { source: 'job.weekly' }))).toEqual([])
  })
})

test('a rejected sample moves nothing, not even time', () => {
  const facts = [...hours('B'), rejected(MONDAY - 999 * HOUR_MS, at('12:00')), ...hours('B', at('01:00'))]
  expect(transitions(facts)).toEqual(['02:00 opened warning'])
})

describe('late revisions', () => {
  const late = (letter: string, clock: string, decided: string, revision = 1) =>
    window(letter, at(clock), { revision, decidedAt: at(decided) })

  test('open an alert when they make a breach of an hour that ended within the last one', () => {
    const facts = [...hours('B I'), late('B', '01:00', '02:50')]
    expect(transitions(facts)).toEqual(['02:00 opened warning'])
    expect(alertsOf(facts)[0]).toMatchObject({
      alertId: 'breach/latency_p95/router_demo/2026-06-22T00:00:00Z',
      reason:
        'window 2026-06-22T01:00:00Z was insufficient, is breach since late samples (r1): p95 812 ms, 4 samples; ' +
        '2 windows in a row in breach, this one with p95 812 ms > 500 ms',
    })
  })

  test('open at once as critical when they join so many breaches', () => {
    const quick = { lengthMs: 10 * MINUTE_MS, plan: plan({ windowMs: 10 * MINUTE_MS }) }
    const ten = (letter: string, minute: number, parts = {}) =>
      window(letter, MONDAY + minute * MINUTE_MS, { ...quick, ...parts })
    const facts = [ten('B', 0), ten('O', 10), ten('B', 20), ten('B', 10, { revision: 1, decidedAt: at('00:45') })]
    expect(alertsOf(facts).map(({ kind, streak }) => [kind, streak])).toEqual([
      ['opened', 3],
      ['escalated', 3],
    ])
  })

  test('never open one for an older hour, neither at once nor through the next breach', () => {
    expect(transitions([...hours('B I'), late('B', '01:00', '03:01')])).toEqual([])
    const facts = inOrder(hours('B O B'), late('B', '01:00', '03:05'))
    expect(transitions(facts)).toEqual([])
  })

  test('with a window longer than an hour, one window old is young enough', () => {
    const slow = { lengthMs: 3 * HOUR_MS, plan: plan({ windowMs: 3 * HOUR_MS }) }
    const facts = [window('B', at('00:00'), slow), window('I', at('03:00'), slow)]
    expect(
      transitions([...facts, window('B', at('03:00'), { ...slow, revision: 1, decidedAt: at('09:00') })]),
    ).toHaveLength(1)
    expect(transitions([...facts, window('B', at('03:00'), { ...slow, revision: 1, decidedAt: at('09:01') })])).toEqual(
      [],
    )
  })

  test('take a breach out of a streak whenever they come', () => {
    expect(transitions(inOrder(hours('B O'), late('R', '00:00', '02:30'), hours('B', at('02:00'))))).toEqual([])
    expect(transitions(inOrder(hours('B I I'), late('R', '00:00', '03:30'), hours('B', at('03:00'))))).toEqual([])
  })

  test('annotate an open alert once each, with the old verdict and the new', () => {
    const facts = [...hours('B B B'), late('O', '00:00', '03:30'), late('B', '00:00', '03:40', 2)]
    expect(transitions(facts).slice(2)).toEqual(['01:00 annotated critical', '01:00 annotated critical'])
    expect(
      alertsOf(facts)
        .slice(2)
        .map(({ reason }) => reason),
    ).toEqual([
      'window 2026-06-22T00:00:00Z was breach, is ok since late samples (r1): p95 450 ms, 4 samples',
      'window 2026-06-22T00:00:00Z was ok, is breach since late samples (r2): p95 812 ms, 4 samples',
    ])
    expect(alertsOf(facts)[3]?.evidence[0]?.key).toBe('router_demo/2026-06-22T00:00:00Z/r2')
  })

  test('end an alert when there never was a streak', () => {
    const facts = [...hours('B B'), late('O', '01:00', '03:30')]
    expect(transitions(facts)).toEqual(['02:00 opened warning', '02:00 resolved warning'])
    expect(alertsOf(facts)[1]?.reason).toBe(
      'window 2026-06-22T01:00:00Z was breach, is ok since late samples (r1): p95 450 ms, 4 samples; ' +
        'so there were never 2 windows in a row in breach',
    )
  })

  test('end an alert when they complete a recovery', () => {
    const facts = [...hours('B B R I'), late('R', '03:00', '04:30')]
    expect(transitions(facts)).toEqual(['02:00 opened warning', '04:00 resolved warning'])
    expect(alertsOf(facts)[1]).toMatchObject({
      streak: 2,
      evidence: [{ verdict: 'ok' }, { key: 'router_demo/2026-06-22T03:00:00Z/r1' }],
    })
  })

  test('escalate when a young window makes the third breach, and only note it when it is old', () => {
    expect(transitions([...hours('B B I'), late('B', '02:00', '03:50')]).at(-1)).toBe('03:00 escalated critical')
    expect(transitions([...hours('B B I'), late('B', '02:00', '04:50')]).at(-1)).toBe('03:00 annotated warning')
    expect(transitions(inOrder(hours('B B I O'), late('B', '02:00', '04:50'))).slice(1)).toEqual([
      '03:00 annotated warning',
    ])
  })

  test('annotate an alert that has ended, for as long as the window may be revised', () => {
    const ended = hours('B B R R')
    const revised = (days: number) => window('O', at('01:00'), { revision: 1, decidedAt: at('02:00', days) })
    expect(transitions([...ended, revised(14)]).at(-1)).toBe('02:00 annotated warning')
    const tooLate = { ...revised(14), value: { ...revised(14).value, decidedAt: at('02:01', 14) } }
    expect(transitions([...ended, tooLate])).toHaveLength(2)
    const meanwhile = Array.from({ length: 14 }, (_, day) => window('R', at('23:00', day), { source: 'broker' }))
    expect(transitions(inOrder(ended, meanwhile, revised(14))).at(-1)).toBe('02:00 annotated warning')
  })

  test('that revive a streak whose alert has ended give the new alert an id of its own', () => {
    const facts = [...hours('B B'), late('O', '01:00', '02:20'), late('B', '01:00', '02:30', 2)]
    expect(alertsOf(facts).map(({ kind, alertId }) => [kind, alertId.slice(-20)])).toEqual([
      ['opened', '2026-06-22T00:00:00Z'],
      ['resolved', '2026-06-22T00:00:00Z'],
      ['annotated', '2026-06-22T00:00:00Z'],
      ['opened', '2026-06-22T01:00:00Z'],
    ])
  })

  test('that flip the only window of a streak again and again open nothing twice by that window', () => {
    const eager = plan({ rules: [rule({ warningAfter: 1 })] })
    const first = (letter: string, decided: string, revision: number) =>
      window(letter, at('00:00'), { plan: eager, revision, decidedAt: at(decided) })
    const flips = [first('B', '01:10', 0), first('O', '01:20', 1), first('B', '01:30', 2)]
    expect(alertsOf(flips).map(({ kind }) => kind)).toEqual(['opened', 'resolved', 'annotated'])
    const next = alertsOf([...flips, window('B', at('01:00'), { plan: eager })]).at(-1)
    expect(next).toMatchObject({
      kind: 'opened',
      alertId: 'breach/latency_p95/router_demo/2026-06-22T01:00:00Z',
      streak: 2,
    })
  })

  test('of closed windows, of unknown ones, and windows first decided late, open nothing', () => {
    const lateFirst = window('B', at('01:00'), { late: true, decidedAt: at('02:30') })
    expect(transitions([...hours('B'), lateFirst, ...hours('R', at('02:00'))])).toEqual([])
    expect(transitions([...hours('B C'), late('C', '01:00', '02:30')])).toEqual([])
    expect(transitions([late('B', '00:00', '01:30'), late('B', '01:00', '02:30')])).toEqual([])
  })

  test('judged by a rule that is no longer in force only annotate', () => {
    const other = plan({ rules: [rule({ id: 'strict' })] })
    const facts = [...hours('B B'), ...hours('B', at('02:00'), { plan: other }), late('O', '01:00', '03:30')]
    expect(transitions(facts)).toEqual(['02:00 opened warning', '03:00 resolved warning', '02:00 annotated warning'])
  })
})
