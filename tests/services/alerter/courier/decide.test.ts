import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { Said, Silence } from '#lib/commands/standing.ts'
import type { Alert, AlertKind } from '#lib/facts.ts'
import {
  avoidingGone,
  decide,
  decideFallback,
  decideUnacknowledged,
  NO_CHANNEL,
  type Question,
  type Verdict,
} from '#services/alerter/courier/decide.ts'

const alert = (kind: AlertKind, severity: Alert['severity'] = 'warning'): Alert => ({
  alertId: 'breach/latency_p95/router_demo/2026-06-27T20:00:00Z',
  sequence: 1,
  kind,
  about: 'breach',
  severity,
  ruleId: 'latency_p95',
  source: 'router_demo',
  decidedAt: 0,
  eventAt: 0,
  openedAt: 0,
  reason: '2 windows in a row in breach',
  streak: 2,
  thresholdMs: 500,
  plan: 'p',
  evidence: [],
})

const silence: Silence = {
  id: 'c1',
  matchers: [{ name: 'source', op: 'equal', value: 'router-a' }],
  startsAt: Date.parse('2026-06-27T00:00:00Z'),
  endsAt: Date.parse('2026-06-28T00:00:00Z'),
  said: { commandId: 'c1', at: Date.parse('2026-06-27T00:00:00Z'), by: 'ann', reason: 'maintenance' },
  ended: null,
}
const acknowledgement: Said = { commandId: 'c2', at: Date.parse('2026-06-27T00:00:00Z'), by: 'bob', reason: 'on it' }
const calm = { changes: 1, limit: 4, withinWords: '12h', noticed: [] }

const ask = (kind: AlertKind, more: Partial<Question> = {}): Question => ({
  alert: alert(kind),
  routed: ['ops', 'pd'],
  told: [],
  silences: [],
  acknowledgement: null,
  isSuperseded: false,
  flapping: calm,
  ...more,
})

/** `ops routed, -pd silenced`: a minus for what is held back. */
const words = (question: Question): string =>
  decide(question)
    .map(({ channel, send, code }) => `${send ? '' : '-'}${channel} ${code}`)
    .join(', ')

const flapping = { ...calm, changes: 5, noticed: ['ops', 'pd'] }
const justFlapping = { ...calm, changes: 4 }

describe('whether a transition is told, and on which channels', () => {
  test.each<[string, Question, string]>([
    ['an opening goes to the route of its severity', ask('opened'), 'ops routed, pd routed'],
    ['so does an escalation', ask('escalated', { told: ['ops'] }), 'ops routed, pd routed'],
    [
      'and a reminder, to who was told before, too',
      ask('reminded', { told: ['slack'] }),
      'ops routed, pd routed, slack routed',
    ],
    [
      'a resolve goes to who was told',
      ask('resolved', { told: ['ops', 'slack'] }),
      'ops told_before, slack told_before',
    ],
    ['an annotation, too', ask('annotated', { told: ['ops'] }), 'ops told_before'],
    ['a resolve of what nobody was told is accounted for', ask('resolved'), `-${NO_CHANNEL} nothing_told`],
    ['an opening without a route is accounted for', ask('opened', { routed: [] }), `-${NO_CHANNEL} no_route`],

    ['a silence holds an opening', ask('opened', { silences: [silence] }), '-ops silenced, -pd silenced'],
    ['… an escalation', ask('escalated', { silences: [silence] }), '-ops silenced, -pd silenced'],
    ['… a reminder', ask('reminded', { silences: [silence] }), '-ops silenced, -pd silenced'],
    ['… and not a resolve', ask('resolved', { silences: [silence], told: ['ops'] }), 'ops told_before'],
    ['… nor a correction', ask('annotated', { silences: [silence], told: ['ops'] }), 'ops told_before'],

    [
      'an acknowledgement holds a reminder',
      ask('reminded', { acknowledgement }),
      '-ops acknowledged, -pd acknowledged',
    ],
    ['… and not an escalation', ask('escalated', { acknowledgement }), 'ops routed, pd routed'],
    ['… nor a resolve', ask('resolved', { acknowledgement, told: ['ops'] }), 'ops told_before'],

    [
      'flapping is told once, by an opening …',
      ask('opened', { flapping: justFlapping }),
      'ops flapping_notice, pd flapping_notice',
    ],
    [
      '… or the first one that is told at all',
      ask('opened', { flapping: { ...flapping, noticed: ['pd'] } }),
      'ops flapping_notice, -pd flapping',
    ],
    [
      '… nor again when it goes on just as often',
      ask('opened', { flapping: { ...justFlapping, noticed: ['ops'] } }),
      '-ops flapping, pd flapping_notice',
    ],
    ['… and holds further openings', ask('opened', { flapping }), '-ops flapping, -pd flapping'],
    ['… not an escalation', ask('escalated', { flapping }), 'ops routed, pd routed'],
    ['… nor the resolve of what was told', ask('resolved', { flapping, told: ['pd'] }), 'pd told_before'],

    ['what is found late is no news', ask('opened', { isSuperseded: true }), '-ops superseded, -pd superseded'],
    ['… nor is a correction', ask('annotated', { isSuperseded: true, told: ['ops'] }), '-ops superseded'],
    ['… but an end is', ask('resolved', { isSuperseded: true, told: ['ops'] }), 'ops told_before'],
  ])('%s', (_, question, expected) => {
    expect(words(question)).toBe(expected)
  })

  test('the notice of flapping says so, and what happens next', () => {
    for (const kind of ['opened', 'resolved'] as const) {
      const [verdict] = decide(ask(kind, { flapping: justFlapping, told: ['ops'] }))
      expect(verdict).toMatchObject({ send: true, note: { kind: 'flapping', changes: 4, withinWords: '12h' } })
      expect(verdict!.reason).toContain('it opened and ended 4 times within 12h, and further openings are held back')
    }
  })

  test('and nothing else says so: no other transition meanwhile, and no end after the notice', () => {
    const notes = (kind: AlertKind, view: Question['flapping']) =>
      decide(ask(kind, { flapping: view, told: ['ops', 'pd'] })).map(({ send, note }) => [send, note])
    for (const kind of ['escalated', 'reminded', 'annotated'] as const)
      expect(notes(kind, justFlapping)).toEqual([
        [true, null],
        [true, null],
      ])
    expect(notes('resolved', flapping)).toEqual([
      [true, null],
      [true, null],
    ])
  })

  test('a reason names the command, its author and its words; every silence that fits is named', () => {
    expect(decide(ask('opened', { silences: [silence, { ...silence, id: 'c3' }] }))[0]).toMatchObject({
      reason: 'silenced by ann until 2026-06-28T00:00:00Z: maintenance',
      commands: ['c1', 'c3'],
    })
    expect(decide(ask('reminded', { acknowledgement }))[0]).toMatchObject({
      reason: 'acknowledged by bob: on it',
      commands: ['c2'],
    })
  })

  test('the reason of a reminder says whether the channel knows of the alert', () => {
    expect(decide(ask('reminded', { told: ['ops'] })).map(({ reason }) => reason)).toEqual([
      'it is still open',
      'it is still open, and this channel was not told yet',
    ])
  })

  test('a critical alert that nobody acknowledges is told to the route for that', () => {
    expect(decideUnacknowledged(['slack'], '30m')).toMatchObject([
      { channel: 'slack', send: true, code: 'unacknowledged', reason: 'nobody acknowledged it within 30m' },
    ])
  })

  test('the fallback is told what operators do not hold back', () => {
    const failure = { channel: 'ops', attempts: 2, fallback: 'slack' }
    expect(decideFallback(ask('opened'), failure)).toMatchObject({ channel: 'slack', send: true, code: 'fallback' })
    for (const held of [ask('opened', { silences: [silence] }), ask('reminded', { acknowledgement })])
      expect(decideFallback(held, failure)).toMatchObject({ channel: 'slack', send: false })
    expect(decideFallback(ask('resolved', { silences: [silence] }), failure)).toMatchObject({ send: true })
  })
})

describe('when a channel is gone', () => {
  const GONE_AT = Date.parse('2026-06-27T12:00:00Z')
  const goneSince =
    (...gone: readonly string[]) =>
    (channel: string) =>
      gone.includes(channel) ? GONE_AT : null
  /** As `words`, of verdicts that are there already. */
  const wordsOf = (verdicts: readonly Verdict[]): string =>
    verdicts.map(({ channel, send, code }) => `${send ? '' : '-'}${channel} ${code}`).join(', ')
  const avoid = (question: Question, gone: readonly string[], fallback: string | null = 'slack'): string =>
    wordsOf(avoidingGone({ verdicts: decide(question), question }, goneSince(...gone), fallback))

  test('the fallback is told in its place', () => {
    expect(avoid(ask('opened'), ['ops'])).toBe('-ops channel_gone, pd routed, slack fallback')
    expect(avoid(ask('opened'), ['ops', 'pd'])).toBe('-ops channel_gone, -pd channel_gone, slack fallback')
    const verdicts = avoidingGone({ verdicts: decide(ask('opened')) }, goneSince('ops'), 'slack')
    expect(verdicts[0]!.reason).toBe(
      'it is gone since 2026-06-27T12:00:00Z, until its configuration changes or a test of it succeeds; the route warning names this channel',
    )
    expect(verdicts.at(-1)).toMatchObject({ reason: 'ops is gone', note: { kind: 'gone', channel: 'ops' } })
  })

  test('the fallback is not told twice, nor when there is none or it is gone itself', () => {
    expect(avoid(ask('opened'), ['ops'], 'pd')).toBe('-ops channel_gone, pd routed')
    expect(avoid(ask('opened'), ['ops'], null)).toBe('-ops channel_gone, pd routed')
    expect(avoid(ask('opened'), ['ops', 'slack'])).toBe('-ops channel_gone, pd routed')
  })

  test('what was held back before is still held back for the reason that it was, and nobody is told instead', () => {
    expect(avoid(ask('opened', { silences: [silence] }), ['ops', 'pd'])).toBe('-ops silenced, -pd silenced')
  })
})

test('whatever is asked: each transition is accounted for, no channel twice, and an end reaches who was told', () => {
  const channels = fc.uniqueArray(fc.constantFrom('ops', 'pd', 'slack'))
  const questions = fc.record({
    kind: fc.constantFrom<AlertKind>('opened', 'escalated', 'reminded', 'resolved', 'annotated'),
    routed: channels,
    told: channels,
    silences: fc.constantFrom([], [silence]),
    acknowledgement: fc.constantFrom(null, acknowledgement),
    isSuperseded: fc.boolean(),
    changes: fc.integer({ min: 1, max: 8 }),
  })
  fc.assert(
    fc.property(questions, ({ kind, changes, ...more }) => {
      const verdicts = decide(ask(kind, { ...more, flapping: { ...calm, changes } }))
      expect(verdicts.length).toBeGreaterThan(0)
      expect(new Set(verdicts.map(({ channel }) => channel)).size).toBe(verdicts.length)
      for (const { reason } of verdicts) expect(reason).not.toBe('')
      if (kind === 'resolved')
        expect(verdicts.filter(({ send }) => send).map(({ channel }) => channel)).toEqual(more.told)
    }),
  )
})
