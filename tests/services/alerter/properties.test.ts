import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { tzdataVersion } from '#lib/calendar.ts'
import { compareCauses } from '#lib/cause.ts'
import type { Plan } from '#lib/plan.ts'
import { HOUR_MS, type Instant, MINUTE_MS } from '#lib/time.ts'
import { alerter } from '#services/alerter/service.ts'
import {
  foldOne,
  gap,
  inOrder,
  latencyRule,
  MONDAY,
  plan,
  rejected,
  rule,
  run,
  type Said,
  type Written,
  window,
} from './desk.ts'

const SOURCES = ['router_demo', 'broker', '口座_α'] as const
/** Verdicts a late revision may turn another into: samples are only ever added. */
const REVISED: Record<string, string> = { B: 'BEOR', E: 'BEOR', O: 'BEOR', R: 'BEOR', I: 'BEORI', C: 'C', X: 'X' }

interface Step {
  readonly letter: string
  readonly late: boolean
  readonly revisions: readonly { readonly afterMinutes: number; readonly pick: number }[]
  readonly gapSlot: number | null
  readonly planPick: number
}

/** Windows of ten minutes make many of them young enough for a revision to count. */
interface World {
  readonly lengthMs: number
  readonly plans: readonly Plan[]
}

function worldOf(lengthMs: number, latenessHours: number): World {
  const common = { windowMs: lengthMs, latenessMs: latenessHours * HOUR_MS }
  const fx = { kind: 'fx', holidays: ['2026-06-24'], tzdata: tzdataVersion } as const
  const eager = rule({ warningAfter: 1, criticalAfter: 3, maxInsufficient: 1, resolveAfter: 1, reminderMs: HOUR_MS })
  const plans = [
    plan(common),
    plan(common),
    plan({ ...common, rules: [eager] }),
    plan({ ...common, rules: [rule({ id: 'strict', resolveAfter: 3, reminderMs: 2 * HOUR_MS })] }),
    plan({ ...common, calendar: fx }),
    plan({ ...common, rules: [rule({ id: 'other', match: 'broker' }), { ...latencyRule, match: 'router_demo' }] }),
  ]
  return { lengthMs, plans }
}

/** Stormy histories have alerts most of the time; in calm ones the mark moves on between them. */
const stormy = fc.constantFrom(...'BBBBBEOORRRRIIIC', 'X')
const calm = fc.constantFrom(...'BBBORRRRRRRRRI')
const thin = fc.constantFrom(...'IIIIR')
const step = (letter: fc.Arbitrary<string>): fc.Arbitrary<Step> =>
  fc.record({
    letter,
    late: fc.nat(19).map((n) => n === 0),
    revisions: fc.array(fc.record({ afterMinutes: fc.nat(400), pick: fc.nat(4) }), { maxLength: 2 }),
    gapSlot: fc.nat(29).map((n) => (n < 3 ? n : null)),
    planPick: fc.nat(40),
  })

/** The facts of one source: windows without a hole, their revisions, gaps. The plan changes now and then. */
function factsOf(source: string, steps: readonly Step[], { lengthMs, plans }: World): Written[] {
  let judgedBy = plans[0]!
  return steps.flatMap(({ letter, late, revisions, gapSlot, planPick }, index) => {
    judgedBy = plans[planPick] ?? judgedBy
    const startAt = MONDAY + 18 * HOUR_MS + index * lengthMs
    const decidedAt = startAt + lengthMs + (late ? 45 : 10) * MINUTE_MS
    const facts = [window(letter, startAt, { source, plan: judgedBy, lengthMs, late, decidedAt })]
    let now: string = letter
    let revisedAt: Instant = decidedAt
    revisions.forEach(({ afterMinutes, pick }, number) => {
      now = REVISED[now]![pick % REVISED[now]!.length]!
      revisedAt += (afterMinutes + 1) * MINUTE_MS
      const parts = { source, plan: judgedBy, lengthMs, late: true, decidedAt: revisedAt, revision: number + 1 }
      facts.push(window(now, startAt, parts))
    })
    if (gapSlot !== null) {
      const slotAt = startAt + gapSlot * (lengthMs / 4)
      facts.push(
        gap(slotAt, { source, plan: judgedBy, decidedAt: Math.max(decidedAt - lengthMs, slotAt + 5 * MINUTE_MS) }),
      )
    }
    return facts
  })
}

const world = fc.constantFrom(
  worldOf(HOUR_MS, 3),
  worldOf(10 * MINUTE_MS, 1),
  worldOf(10 * MINUTE_MS, 6),
  worldOf(HOUR_MS, 0),
)
const histories = (maxLength: number) =>
  fc
    .tuple(
      world,
      ...SOURCES.map((_, index) => {
        const steps = (letter: fc.Arbitrary<string>) => fc.array(step(letter), { maxLength, size: 'max' })
        return fc.oneof(
          steps(calm),
          steps(stormy),
          steps(thin),
          ...(index === 0 ? [] : [fc.constant([]), fc.constant([])]),
        )
      }),
    )
    .map(([made, ...steps]) => ({
      bySource: SOURCES.map((source, index) => factsOf(source, steps[index] as Step[], made)),
    }))

const lines = (said: readonly Said[]) => said.map(({ key, alert }) => `${key} ${JSON.stringify(alert)}`)

describe('whatever the history', () => {
  test('an alert opens first, is numbered without a hole, never gets milder, and ends at most once, with only notes after', () => {
    fc.assert(
      fc.property(histories(40), ({ bySource }) => {
        const said = run(inOrder(...bySource))
        expect(new Set(said.map(({ key }) => key)).size).toBe(said.length)
        for (const alerts of Map.groupBy(
          said.map(({ alert }) => alert),
          ({ alertId }) => alertId,
        ).values()) {
          const kinds = alerts.map(({ kind }) => kind)
          expect(alerts.map(({ sequence }) => sequence)).toEqual(alerts.map((_, index) => index))
          expect(kinds.indexOf('opened')).toBe(0)
          expect(kinds.lastIndexOf('opened')).toBe(0)
          const end = kinds.indexOf('resolved')
          if (end >= 0) expect(kinds.slice(end + 1).every((kind) => kind === 'annotated')).toBe(true)
          const escalation = kinds.indexOf('escalated')
          expect(kinds.filter((kind) => kind === 'escalated').length).toBeLessThanOrEqual(1)
          const severities = alerts.map((_, index) => (escalation >= 0 && index >= escalation ? 'critical' : 'warning'))
          expect(alerts.map(({ severity }) => severity)).toEqual(severities)
          expect(
            new Set(alerts.map(({ openedAt, source, ruleId, about }) => [openedAt, source, ruleId, about].join())).size,
          ).toBe(1)
          for (const { evidence, reason } of alerts) {
            expect(evidence.length).toBeGreaterThan(0)
            expect(evidence.length).toBeLessThanOrEqual(24)
            expect(reason).not.toMatch(/undefined|null|NaN/)
          }
        }
      }),
      { numRuns: 120 },
    )
  })

  test('at most one alert of a kind is open for a source', () => {
    fc.assert(
      fc.property(histories(40), ({ bySource }) => {
        const open = new Map<string, string>()
        // What one fact brings is numbered by key: when the rule changes, the new alert may stand before the old one's end.
        const endsFirst = (a: Said, b: Said) =>
          a.cause[0]! - b.cause[0]! || Number(b.alert.kind === 'resolved') - Number(a.alert.kind === 'resolved')
        for (const { alert } of run(inOrder(...bySource)).toSorted(endsFirst)) {
          const slot = `${alert.about} ${alert.source}`
          if (alert.kind === 'opened') {
            expect(open.has(slot)).toBe(false)
            open.set(slot, alert.alertId)
          } else if (alert.kind === 'resolved') {
            expect(open.get(slot)).toBe(alert.alertId)
            open.delete(slot)
          } else if (alert.kind !== 'annotated') expect(open.get(slot)).toBe(alert.alertId)
        }
      }),
      { numRuns: 120 },
    )
  })

  test('a late revision opens or worsens nothing for a window that ended more than an hour ago', () => {
    fc.assert(
      fc.property(histories(40), ({ bySource }) => {
        const facts = inOrder(...bySource)
        for (const { cause, alert } of run(facts)) {
          const { value } = facts[cause[0]!]!
          if (value.type !== 'window' || (value.revision === 0 && !value.late)) continue
          expect(alert.kind).not.toBe('reminded')
          if (alert.kind === 'opened' || alert.kind === 'escalated')
            expect(alert.decidedAt - value.endAt).toBeLessThanOrEqual(Math.max(HOUR_MS, value.endAt - value.startAt))
        }
      }),
      { numRuns: 120 },
    )
  })

  test('what one source says does not depend on the others, nor on how their facts lie between', () => {
    fc.assert(
      fc.property(histories(30), ({ bySource }) => {
        const together = run(inOrder(...bySource))
        SOURCES.forEach((source, index) => {
          const own = lines(together.filter(({ alert }) => alert.source === source))
          expect(own).toEqual(lines(run(inOrder(bySource[index]!))))
        })
      }),
      { numRuns: 80 },
    )
  })

  test('a copy of any record changes nothing, since a reader drops what is not newer than the newest cause', () => {
    const copies = fc.array(fc.tuple(fc.nat(), fc.nat()), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(histories(20), copies, ({ bySource }, places) => {
        const facts = inOrder(...bySource).map((fact, offset) => ({ fact, offset }))
        if (facts.length === 0) return
        const log = [...facts]
        for (const [of, to] of places) {
          const original = facts[of % facts.length]!
          const after = log.indexOf(original) + 1
          log.splice(after + (to % (log.length - after + 1)), 0, original)
        }
        const board = alerter.initial()
        let newest = -1
        const said = log.flatMap(({ fact, offset }) => {
          if (offset <= newest) return []
          newest = offset
          return foldOne(board, fact, offset)
        })
        expect(lines(said)).toEqual(lines(run(facts.map(({ fact }) => fact))))
      }),
      { numRuns: 60 },
    )
  })

  test('rejected samples between the facts change nothing', () => {
    fc.assert(
      fc.property(histories(20), fc.array(fc.nat(), { maxLength: 5 }), ({ bySource }, places) => {
        const facts = inOrder(...bySource)
        const log = [...facts]
        for (const place of places) log.splice(place % (log.length + 1), 0, rejected(MONDAY, MONDAY + place * HOUR_MS))
        expect(lines(run(log))).toEqual(lines(run(facts)))
      }),
      { numRuns: 50 },
    )
  })
})

describe('the resume law', () => {
  /** Folds `facts` anew from the mark of the first `count`, and gives what is said from there on. */
  function resume(facts: readonly Written[], marks: readonly (readonly number[] | null)[], count: number): Said[] {
    const mark = marks[count] ?? [count, 0]
    const board = alerter.initial()
    const said: Said[] = []
    facts.forEach((fact, offset) => {
      if (compareCauses([offset, 0], mark) < 0) return
      const outputs = foldOne(board, fact, offset)
      if (offset >= count) said.push(...outputs)
    })
    return said
  }

  function marksOf(facts: readonly Written[]): (readonly number[] | null)[] {
    const board = alerter.initial()
    const marks = [alerter.mark(board)]
    facts.forEach((fact, offset) => {
      foldOne(board, fact, offset)
      marks.push(alerter.mark(board))
    })
    return marks
  }

  test('at every prefix, folding on from the mark says what folding from the start says', () => {
    let restartsAfterTheStart = 0
    fc.assert(
      fc.property(histories(25), ({ bySource }) => {
        const facts = inOrder(...bySource)
        const all = run(facts)
        const marks = marksOf(facts)
        for (let count = 0; count <= facts.length; count++) {
          if (compareCauses(marks[count] ?? [0, 0], [0, 0]) > 0) restartsAfterTheStart++
          const rest = lines(all.filter(({ cause }) => cause[0]! >= count))
          expect(lines(resume(facts, marks, count))).toEqual(rest)
        }
      }),
      { numRuns: 40 },
    )
    expect(restartsAfterTheStart).toBeGreaterThan(100)
  })

  test('the mark never lies behind the input at hand and never before the oldest retained one', () => {
    fc.assert(
      fc.property(histories(20), ({ bySource }) => {
        marksOf(inOrder(...bySource)).forEach((mark, count) => {
          if (count === 0) expect(mark).toBeNull()
          else expect(compareCauses(mark!, [count - 1, 0])).toBeLessThanOrEqual(0)
        })
      }),
      { numRuns: 50 },
    )
  })

  test('reached is the newest deciding tick', () => {
    const board = alerter.initial()
    expect(alerter.reached(board)).toBeNull()
    foldOne(board, window('R', MONDAY), 0)
    expect(alerter.reached(board)).toBe(MONDAY + HOUR_MS + 10 * MINUTE_MS)
  })
})
