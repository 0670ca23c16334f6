import { describe, expect, test } from '@jest/globals'
import { Standing } from '#lib/commands/standing.ts'
import type { Matcher } from '#lib/facts.ts'
import { HOUR_MS, type Instant } from '#lib/time.ts'
import type { Claims } from '#services/alerter/courier/claims.ts'
import { emptyBook, type Transition, take } from '#services/alerter/courier/episode-book.ts'
import { questionAbout } from '#services/alerter/courier/question.ts'
import { configOf, withoutChannels } from '#tests/services/sampler/desk.ts'
import { ManualClock } from '#tests/support/manual-clock.ts'
import { hours, MONDAY, plan, run } from '../desk.ts'

const SOURCE = { id: 'router_demo', intervalMs: HOUR_MS, phaseMs: 0, labels: { desk: 'fx', region: 'tokyo' } }
const labelled = plan({ sources: [SOURCE] })

/** What is asked about each transition of a story, `lateMs` after it was decided. */
async function questions(story: string, { lateMs = 0, standing = new Standing() } = {}) {
  const book = emptyBook()
  const transitions: Transition[] = run(hours(story)).map(({ key, alert }, i) => ({ key, alert, cause: [i, 0] }))
  for (const { key, alert, cause } of transitions) take(book, { offset: cause[0]!, key, cause, value: alert })
  const routes = { ...withoutChannels.routes, warning: ['ops'], critical: ['pd'] }
  const config = { ...configOf([]), routes }
  return Promise.all(
    transitions.map((transition) => {
      const deps = { config: () => config, clock: new ManualClock(transition.alert.decidedAt + lateMs) }
      const nothing = { ledger: { about: () => [] }, toldOf: () => [] }
      const claims = { ...nothing, book, deps, planOf: async () => labelled } as unknown as Claims
      return questionAbout(transition, claims, standing)
    }),
  )
}

describe('what is found late', () => {
  const superseded = async (lateMs: number) =>
    (await questions('B B B', { lateMs })).map(({ isSuperseded }) => isSuperseded)

  test('is no news when it is older than an hour and something newer of its alert is known', async () => {
    expect(await superseded(HOUR_MS)).toEqual([false, false])
    expect(await superseded(HOUR_MS + 1)).toEqual([true, false])
  })
})

test('a transition goes to the route of its own severity', async () => {
  expect((await questions('B B B')).map(({ routed }) => routed)).toEqual([['ops'], ['pd']])
})

describe('a silence', () => {
  const OPENED_AT: Instant = MONDAY + 2 * HOUR_MS + 10 * 60_000
  async function silencesOf(matchers: readonly Matcher[], lateMs = 0, endsAt = OPENED_AT + HOUR_MS) {
    const standing = new Standing()
    standing.take('c1', {
      type: 'silence',
      ...{ by: 'ann', reason: 'release', at: MONDAY, startsAt: MONDAY },
      matchers,
      endsAt,
    })
    return (await questions('B B', { lateMs, standing }))[0]!.silences.map(({ id }) => id)
  }

  test.each([
    ['the labels of the source', { name: 'desk', op: 'equal', value: 'fx' }],
    ['its rule', { name: 'rule', op: 'equal', value: 'latency_p95' }],
    ['its severity', { name: 'severity', op: 'equal', value: 'warning' }],
    ['what it is about', { name: 'about', op: 'equal', value: 'breach' }],
  ] as const)('is found by %s', async (_, matcher) => {
    expect(await silencesOf([matcher])).toEqual(['c1'])
    expect(await silencesOf([{ ...matcher, value: 'another' }])).toEqual([])
  })

  test('holds what is decided while it lasts, whenever the transition came', async () => {
    const matcher = { name: 'source', op: 'equal', value: 'router_demo' } as const
    expect(await silencesOf([matcher], HOUR_MS - 1)).toEqual(['c1'])
    expect(await silencesOf([matcher], HOUR_MS)).toEqual([])
  })
})
