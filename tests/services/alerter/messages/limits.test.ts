import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { Alert, Evidence } from '#lib/facts.ts'
import { compose } from '#services/alerter/messages/compose.ts'
import type { MessageContext, Notice } from '#services/alerter/messages/notice.ts'
import { at, MONDAY } from '../desk.ts'
import { inEnglish, transitions } from './told.ts'

/** The limits that PagerDuty and Slack name, against names that no configuration would let pass. */

const unit = fc.constantFrom(
  'a',
  ' ',
  '🚨',
  '\ud83d',
  '\udea8',
  '\n',
  '\u0000',
  '"',
  '\\',
  '&',
  '<',
  '>',
  '`',
  '重',
  '/',
  '\u2028',
)

/** Short and long, and some that repeat to 100 KB, so that every limit is met from both sides. */
const name: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit, maxLength: 40 }),
  fc.string({ unit, minLength: 1_000, maxLength: 3_200 }),
  fc
    .tuple(fc.string({ unit, minLength: 1, maxLength: 5 }), fc.constantFrom(250, 1_020, 2_995, 100_000))
    .map(([text, length]) => text.repeat(Math.ceil(length / text.length))),
  fc.constantFrom('<!channel>', '<@U1|x>', '```', '__proto__', '@here', '\u202e', `${'x'.repeat(1_022)}🚨x`),
)

const labels = fc.dictionary(name, name, { maxKeys: 6 })

const context: fc.Arbitrary<MessageContext> = fc.record({
  env: name,
  locale: fc.constantFrom('en', 'ja'),
  displayTimeZone: fc.constantFrom('UTC', 'Asia/Tokyo'),
  publicUrl: fc.constantFrom(null, 'https://obs.example'),
  labelsOf: labels.map((all) => () => all),
})

const evidence: fc.Arbitrary<Evidence[]> = fc.array(
  fc.record({
    key: name.map((source) => `${source}/2026-06-22T20:00:00Z/r0`),
    sha256: fc.constant('b'.repeat(64)),
    verdict: fc.constantFrom('ok', 'breach', 'insufficient', 'gap'),
    count: fc.nat(),
    errorCount: fc.nat(),
    p95Ms: fc.option(fc.nat()),
  }),
  { maxLength: 8 },
)

const alert: fc.Arbitrary<Alert> = fc
  .record({
    base: fc.constantFrom(...Object.values(transitions)),
    evidence,
    texts: fc.record({ alertId: name, source: name, ruleId: name, reason: name }),
  })
  .map(({ base, texts, ...rest }) => ({ ...base, ...texts, evidence: rest.evidence }))

const instant = fc.integer({ min: MONDAY, max: at('00:00', 400) })

const notice: fc.Arbitrary<Notice> = fc.oneof(
  fc.record({
    kind: fc.constant('alert' as const),
    alert,
    why: name,
    notifiedChannels: fc.array(name, { maxLength: 4 }),
    acknowledgedAfterS: fc.option(fc.nat()),
    resolvedAfterS: fc.option(fc.nat()),
    note: fc.option(name),
  }),
  fc.record({
    kind: fc.constant('channel_failed' as const),
    channel: name,
    reason: fc.constantFrom('gone', 'unauthorized'),
    status: fc.option(fc.nat(599)),
    at: instant,
  }),
  fc.record({ kind: fc.constantFrom('sampler_silent', 'sampler_back'), sinceAt: instant, at: instant }),
  fc.record({ kind: fc.constant('test' as const), channel: name, by: name, at: instant }),
)

/** Names of 100 KB take minutes to make smaller: what fails is shown as small as it is by then. */
const runs = { numRuns: 300, interruptAfterTimeLimit: 10_000 }

/** Everything that is text in a message, names of members included. */
function textsIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null) return []
  return [...(Array.isArray(value) ? [] : Object.keys(value)), ...Object.values(value).flatMap(textsIn)]
}

test('a generic webhook gets every notice whole, as JSON with UTF-8', () => {
  fc.assert(
    fc.property(notice, context, (told, to) => {
      const { body, cut } = compose({ kind: 'webhook' }, told, to)!
      expect(cut).toBeNull()
      expect(body.isWellFormed()).toBe(true)
      expect(JSON.parse(body)).toMatchObject({ type: expect.stringMatching(/^obs\./) })
    }),
    runs,
  )
})

describe('PagerDuty', () => {
  test('takes every event: its lengths, its words, its size, whatever the names are', () => {
    fc.assert(
      fc.property(notice, context, (told, to) => {
        const composed = compose({ kind: 'pagerduty' }, told, to)
        if (composed === null) return expect(told).toMatchObject({ kind: 'alert', alert: { kind: 'annotated' } })
        const event = JSON.parse(composed.body)
        expect(composed.body.isWellFormed()).toBe(true)
        expect(Buffer.byteLength(composed.body) + '"routing_key":"",'.length + 32).toBeLessThanOrEqual(512_000)
        expect(event.dedup_key.length).toBeGreaterThan(0)
        expect(event.dedup_key.length).toBeLessThanOrEqual(255)
        if (event.event_action === 'resolve') return expect(Object.keys(event)).toEqual(['dedup_key', 'event_action'])
        expect(event.event_action).toBe('trigger')
        expectPayload(event.payload)
        for (const { href } of event.links) expect(URL.canParse(href)).toBe(true)
      }),
      runs,
    )
  })

  function expectPayload(payload: Readonly<Record<string, string>>): void {
    expect(payload['summary']!.length).toBeGreaterThan(0)
    expect(payload['summary']!.length).toBeLessThanOrEqual(1_024)
    expect(['critical', 'error', 'warning', 'info']).toContain(payload['severity'])
    expect(payload['timestamp']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    for (const field of ['source', 'component', 'group', 'class']) expect(typeof payload[field]).toBe('string')
  }

  test('is told of a cut in the event, and the ledger in the reason; nothing is cut in silence', () => {
    fc.assert(
      fc.property(notice, context, (told, to) => {
        const composed = compose({ kind: 'pagerduty' }, told, to)
        const payload = JSON.parse(composed?.body ?? '{}').payload
        if (!composed || !payload) return
        expect(payload.custom_details.cut ?? null).toBe(composed.cut)
        if (payload.summary.length === 1_024 && payload.summary.endsWith('…')) expect(composed.cut).toContain('summary')
        if (told.kind === 'alert' && composed.cut === null)
          expect(payload.custom_details).toMatchObject({ evidence: Array(told.alert.evidence.length).fill({}) })
      }),
      runs,
    )
  })
})

describe('Slack', () => {
  const MENTION = /<(?!https:\/\/obs\.example\/alerts\/[^<>|]*\|evidence>)/

  test('takes every message: its lengths, its blocks, its size, and nobody is mentioned', () => {
    fc.assert(
      fc.property(notice, context, (told, to) => {
        const { body } = compose({ kind: 'slack' }, told, to)!
        const { text, blocks } = JSON.parse(body)
        expect(body.isWellFormed()).toBe(true)
        expect(body.length).toBeLessThan(12_000)
        expect(blocks.length).toBeLessThanOrEqual(50)
        for (const { elements = [] } of blocks) expect(elements.length).toBeLessThanOrEqual(10)
        for (const shown of [text, ...shownIn(blocks)]) {
          expect(shown.length).toBeGreaterThan(0)
          expect(shown.length).toBeLessThanOrEqual(3_000)
          expect(shown).not.toMatch(MENTION)
          expect(shown).not.toMatch(/&(?!amp;|lt;|gt;)/)
        }
      }),
      runs,
    )
  })

  const shownIn = (blocks: readonly { text?: { text: string }; elements?: { text: string }[] }[]): string[] =>
    blocks.flatMap(({ text, elements = [] }) => [...(text ? [text.text] : []), ...elements.map((one) => one.text)])

  test('is told of a cut in the message, and the ledger in the reason; nothing is cut in silence', () => {
    fc.assert(
      fc.property(notice, context, (told, to) => {
        const { body, cut } = compose({ kind: 'slack' }, told, to)!
        const { text, blocks } = JSON.parse(body)
        expect(textsIn(blocks).includes('the text was cut: Slack takes no more')).toBe(cut !== null)
        const hasMark = [text, ...shownIn(blocks)].some((shown) => /…(```)?$|…\]$|… · /.test(shown))
        if (hasMark) expect(cut).not.toBeNull()
        if (told.kind === 'alert') expect(text).toMatch(/ \[[^\n]*\]$/)
      }),
      runs,
    )
  })
})

test('a label of 100 KB, and names of another kind, reach the people of a small desk', () => {
  const to = { ...inEnglish, labelsOf: () => ({ desk: '🚨'.repeat(25_000), ['__proto__']: '\ud83d' }) }
  const told: Notice = {
    kind: 'alert',
    alert: transitions.opened,
    why: '2 of 2',
    notifiedChannels: [],
    acknowledgedAfterS: null,
    resolvedAfterS: null,
    note: null,
  }
  const { body, cut } = compose({ kind: 'pagerduty' }, told, to)!
  expect(cut).toBeNull()
  expect(JSON.parse(body).payload.custom_details.labels.desk).toHaveLength(50_000)
  expect(body).toContain('"__proto__":"\ufffd"')
})
