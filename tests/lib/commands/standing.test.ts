import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { Standing, stateOf } from '#lib/commands/standing.ts'
import type { CommandFact, Matcher } from '#lib/facts.ts'

type Said = readonly [id: string, fact: CommandFact]

const by = (name: string, at: number) => ({ by: name, reason: `${name} says so`, at })
const router: Matcher = { name: 'source', op: 'regex', value: 'router.*' }

const ack = (id: string, alertId: string, name: string, at: number): Said => [
  id,
  { type: 'ack', alertId, ...by(name, at) },
]
const silence = (id: string, startsAt: number, endsAt: number, matchers: readonly Matcher[] = [router]): Said => [
  id,
  { type: 'silence', matchers, startsAt, endsAt, ...by('ann', 0) },
]
const unsilence = (id: string, silenceId: string, name: string, at: number): Said => [
  id,
  { type: 'unsilence', silenceId, ...by(name, at) },
]
const channelTest = (id: string, channelConfig: string, accepted: boolean, at: number): Said => [
  id,
  { type: 'channel_test', channel: 'ops', channelConfig, accepted, ...by('ann', at) },
]

function standingOf(...said: readonly Said[]): Standing {
  const standing = new Standing()
  for (const [id, fact] of said) standing.take(id, fact)
  return standing
}

const LABELS = { source: 'router_demo' }
const idsAt = (standing: Standing, at: number): readonly string[] =>
  standing.silencesFor(LABELS, at).map(({ id }) => id)

describe('an acknowledgement', () => {
  test('is about one episode, and the first one counts', () => {
    const standing = standingOf(ack('1', 'a', 'ann', 20), ack('2', 'a', 'ben', 10))
    expect(standing.acknowledgementOf('a')).toEqual({ commandId: '1', at: 20, by: 'ann', reason: 'ann says so' })
    expect(standing.acknowledgementOf('b')).toBeNull()
  })
})

describe('a silence', () => {
  test('holds from its start up to its end, which it excludes', () => {
    const standing = standingOf(silence('s', 10, 20))
    expect([9, 10, 19, 20].map((at) => idsAt(standing, at).length)).toEqual([0, 1, 1, 0])
    expect([9, 10, 19, 20].map((at) => standing.silences(at)[0]!.state)).toEqual([
      'pending',
      'active',
      'active',
      'expired',
    ])
  })

  test('holds back what matches only', () => {
    const standing = standingOf(silence('s', 0, 100), silence('t', 0, 100, [router, { ...router, name: 'desk' }]))
    expect(idsAt(standing, 5)).toEqual(['s'])
    expect(standing.silencesFor({ source: 'other' }, 5)).toEqual([])
    expect(standing.silencesFor({ source: 'router', desk: 'router' }, 5)).toHaveLength(2)
  })

  test('ends when somebody ends it, and says who', () => {
    const standing = standingOf(silence('s', 10, 100), unsilence('u', 's', 'ben', 40))
    expect([39, 40].map((at) => idsAt(standing, at).length)).toEqual([1, 0])
    expect(standing.silences(50)).toEqual([
      {
        id: 's',
        matchers: [router],
        startsAt: 10,
        endsAt: 40,
        said: { commandId: 's', at: 0, by: 'ann', reason: 'ann says so' },
        ended: { commandId: 'u', at: 40, by: 'ben', reason: 'ben says so' },
        state: 'expired',
      },
    ])
  })

  test('that is ended before it begins never holds', () => {
    const standing = standingOf(silence('s', 10, 20), unsilence('u', 's', 'ben', 5))
    expect([4, 5, 12].map((at) => standing.silences(at)[0]!.state)).toEqual(['pending', 'expired', 'expired'])
    expect(idsAt(standing, 12)).toEqual([])
  })

  test('is ended by the earliest of several; one after its end changes nothing', () => {
    const ends = [unsilence('u', 's', 'ben', 60), unsilence('v', 's', 'cat', 50), unsilence('w', 's', 'dan', 500)]
    expect(standingOf(silence('s', 0, 100), ...ends).silences(0)[0]).toMatchObject({ endsAt: 50, ended: { by: 'cat' } })
    expect(standingOf(silence('s', 0, 100), ends[2]!).silences(0)[0]).toMatchObject({ endsAt: 100, ended: null })
  })

  test('of nobody knows which alert, or an end of no silence, is harmless', () => {
    expect(standingOf(unsilence('u', 's', 'ben', 5)).silences(0)).toEqual([])
    expect(standingOf(silence('s', 20, 10)).silences(15)[0]!.state).toBe('expired')
  })
})

test('a test of a channel counts when it was accepted, for the configuration that was tested, and the newest', () => {
  const standing = standingOf(
    channelTest('1', 'x', true, 1),
    channelTest('2', 'x', true, 2),
    channelTest('3', 'x', false, 3),
    channelTest('4', 'y', false, 4),
  )
  expect(standing.acceptedTestOf('ops', 'x')).toMatchObject({ commandId: '2', at: 2 })
  expect(standing.acceptedTestOf('ops', 'y')).toBeNull()
  expect(standing.acceptedTestOf('pd', 'x')).toBeNull()
})

test('take tells what is new', () => {
  const standing = new Standing()
  const [id, fact] = ack('1', 'a', 'ann', 1)
  expect([standing.take(id, fact), standing.take(id, fact)]).toEqual([true, false])
})

describe('properties', () => {
  const instant = fc.integer({ min: 0, max: 30 })
  const names = fc.constantFrom('a', 'b', 'c')
  const who = fc.constantFrom('ann', 'ben')
  const fact: fc.Arbitrary<CommandFact> = fc.oneof(
    fc.record({ alertId: names, at: instant, name: who }).map((it) => ack('', it.alertId, it.name, it.at)[1]),
    fc.record({ from: instant, to: instant }).map(({ from, to }) => silence('', from, to)[1]),
    fc
      .record({ id: fc.nat(9).map(String), at: instant, name: who })
      .map((it) => unsilence('', it.id, it.name, it.at)[1]),
    fc.record({ config: names, accepted: fc.boolean(), at: instant }).map((it) => {
      return channelTest('', it.config, it.accepted, it.at)[1]
    }),
  )
  const logs = fc.array(fact, { maxLength: 10 }).map((facts) => facts.map((said, i): Said => [String(i), said]))

  const everything = (standing: Standing): unknown => ({
    acks: ['a', 'b', 'c'].map((id) => standing.acknowledgementOf(id)),
    tests: ['a', 'b', 'c'].map((config) => standing.acceptedTestOf('ops', config)),
    silences: Array.from({ length: 32 }, (_, at) => [standing.silences(at), standing.silencesFor(LABELS, at)]),
  })

  test('copies of any key, whatever they say, anywhere behind the first, change nothing', () => {
    const copies = fc.array(fc.record({ of: fc.nat(), says: fact, behind: fc.nat() }), { maxLength: 6 })
    fc.assert(
      fc.property(logs, copies, (log, wanted) => {
        fc.pre(log.length > 0)
        const copied = [...log]
        for (const { of, says, behind } of wanted) {
          const id = String(of % log.length)
          const first = copied.findIndex(([known]) => known === id)
          copied.splice(first + 1 + (behind % (copied.length - first)), 0, [id, says])
        }
        expect(everything(standingOf(...copied))).toEqual(everything(standingOf(...log)))
      }),
    )
  })

  test('whichever end of a silence comes first in the log, the same holds at every instant', () => {
    fc.assert(
      fc.property(logs, (log) => {
        const isEnd = ([, { type }]: Said): boolean => type === 'unsilence'
        const endsFirst = [...log.filter(isEnd), ...log.filter((said) => !isEnd(said))]
        for (let at = 0; at < 32; at++)
          expect(idsAt(standingOf(...endsFirst), at)).toEqual(idsAt(standingOf(...log), at))
      }),
    )
  })

  test('a silence holds exactly where its state says active', () => {
    fc.assert(
      fc.property(logs, instant, (log, at) => {
        const all = standingOf(...log).silences(at)
        expect(idsAt(standingOf(...log), at)).toEqual(all.filter((one) => one.state === 'active').map(({ id }) => id))
        for (const one of all) expect(one.state).toBe(stateOf(one, at))
      }),
    )
  })
})
