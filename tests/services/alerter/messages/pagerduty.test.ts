import { describe, expect, test } from '@jest/globals'
import canonicalize from 'canonicalize'
import { sha256Hex } from '#lib/codec/sha256.ts'
import { compose } from '#services/alerter/messages/compose.ts'
import { type MessageContext, type Notice, textOf } from '#services/alerter/messages/notice.ts'
import { everyNotice, inEnglish, inJapan, others, PLAN_SHA256, tellOf, transitions, WINDOW_SHA256 } from './told.ts'

const composed = (notice: Notice, context: MessageContext = inEnglish) =>
  compose({ kind: 'pagerduty' }, notice, context)

const eventOf = (notice: Notice, context?: MessageContext) => JSON.parse(composed(notice, context)!.body)

const BREACH_AT_20 = 'breach/latency_p95/router_demo/2026-06-22T20:00:00Z'
const GAP_AT_12_30 = 'no_data/latency_p95/router_demo/gap/2026-06-22T12:30:00Z'

const windowAt = (key: string, p95: number | null, verdict: string, count = 4): object => ({
  key,
  verdict,
  count,
  error_count: 0,
  p95_ms: p95,
  sha256: WINDOW_SHA256,
})

describe('a trigger', () => {
  test('of a breach', () => {
    const notice = tellOf(transitions.escalated)
    expect(eventOf(notice)).toEqual({
      event_action: 'trigger',
      dedup_key: `obs:staging:${BREACH_AT_20}`,
      client: 'obstream',
      client_url: 'https://obs.example',
      links: [{ href: `https://obs.example/alerts/${encodeURIComponent(BREACH_AT_20)}`, text: 'evidence' }],
      payload: {
        summary: textOf(notice, inEnglish),
        timestamp: '2026-06-22T23:00:00.000Z',
        source: 'router_demo',
        severity: 'critical',
        component: 'latency_p95',
        group: 'staging',
        class: 'breach',
        custom_details: {
          reason: '3 windows in a row in breach, this one with p95 812 ms > 500 ms',
          why: '3 of 3',
          note: null,
          labels: { desk: 'fx' },
          threshold_ms: 500,
          plan: PLAN_SHA256,
          evidence: [20, 21, 22].map((hour) => windowAt(`router_demo/2026-06-22T${hour}:00:00Z/r0`, 812, 'breach')),
        },
      },
    })
  })

  test('of silence, in Japanese, without a public address', () => {
    const context = { ...inJapan, publicUrl: null }
    const notice = tellOf(transitions.silent, 'ja', { note: 'nobody has acknowledged it' })
    expect(eventOf(notice, context)).toEqual({
      event_action: 'trigger',
      dedup_key: `obs:staging:${GAP_AT_12_30}`,
      client: 'obstream',
      links: [],
      payload: {
        summary:
          '警告 router_demo: データなし、欠測 1 回目(JST 21:30 まで)。通知理由: 欠測。nobody has acknowledged it。',
        timestamp: '2026-06-22T12:30:00.000Z',
        source: 'router_demo',
        severity: 'warning',
        component: 'latency_p95',
        group: 'staging',
        class: 'no_data',
        custom_details: {
          reason: 'samples are missing: 2 expected slots without a sample since 2026-06-22T12:15:00Z',
          why: '欠測',
          note: 'nobody has acknowledged it',
          labels: { desk: 'fx' },
          threshold_ms: null,
          plan: PLAN_SHA256,
          evidence: [windowAt('router_demo/gap/2026-06-22T12:30:00Z', null, 'gap', 0)],
        },
      },
    })
  })

  test.each([
    ['gone', 'critical', 'channel_failed', 'channel/ops/gone', '2026-06-22T23:10:00.000Z'],
    ['unauthorized', 'critical', 'channel_failed', 'channel/ops/unauthorized', '2026-06-22T23:10:00.000Z'],
    ['sampler_silent', 'critical', 'sampler_silent', 'sampler_silent/1782168900000', '2026-06-22T23:10:00.000Z'],
    ['test', 'info', 'test', 'test/ops/1782169800125', '2026-06-22T23:10:00.125Z'],
  ] as const)('of %s', (name, severity, kind, incident, timestamp) => {
    for (const context of [inEnglish, inJapan])
      expect(eventOf(others[name], context)).toEqual({
        event_action: 'trigger',
        dedup_key: `obs:staging:${incident}`,
        client: 'obstream',
        client_url: 'https://obs.example',
        links: [],
        payload: {
          summary: textOf(others[name], context),
          timestamp,
          source: 'obstream',
          severity,
          component: 'obstream',
          group: 'staging',
          class: kind,
          custom_details: {},
        },
      })
  })
})

test.each([
  ['resolved', tellOf(transitions.resolved), 'breach/latency_p95/router_demo/2026-06-22T00:00:00Z'],
  ['samples again', tellOf(transitions['samples again']), 'no_data/latency_p95/router_demo/gap/2026-06-22T00:30:00Z'],
  ['sampler_back', others.sampler_back, 'sampler_silent/1782168900000'],
] as const)('the end of an incident is its key and nothing else: %s', (_, notice, incident) => {
  for (const context of [inEnglish, inJapan])
    expect(composed(notice, context)).toMatchObject({
      body: `{"dedup_key":"obs:staging:${incident}","event_action":"resolve"}`,
      cut: null,
    })
})

test('a correction has no event', () => {
  expect(composed(tellOf(transitions.annotated))).toBeNull()
})

describe('one incident for each episode', () => {
  const keyOf = (notice: Notice, context?: MessageContext): string => eventOf(notice, context).dedup_key

  test('that an escalation and a reminder go on with, and another episode or installation does not share', () => {
    expect(keyOf(tellOf(transitions.opened))).toBe(keyOf(tellOf(transitions.escalated)))
    expect(keyOf(tellOf(transitions.reminded))).toBe(keyOf(tellOf(transitions.resolved)))
    expect(keyOf(tellOf(transitions.opened))).not.toBe(keyOf(tellOf(transitions.reminded)))
    expect(keyOf(tellOf(transitions.opened))).not.toBe(
      keyOf(tellOf(transitions.opened), { ...inEnglish, env: 'production' }),
    )
    expect(keyOf(others.sampler_back)).toBe(keyOf(others.sampler_silent))
  })

  test('with a key of up to 255 characters; beyond, its sha256', () => {
    const withId = (length: number): Notice => tellOf({ ...transitions.opened, alertId: 'x'.repeat(length) })
    const room = 255 - 'obs:staging:'.length
    expect(keyOf(withId(room))).toBe(`obs:staging:${'x'.repeat(room)}`)
    expect(keyOf(withId(room + 1))).toBe(sha256Hex(`obs:staging:${'x'.repeat(room + 1)}`))
  })
})

describe('what is too long', () => {
  const long = tellOf({ ...transitions.silent, reason: 'y'.repeat(2_000) })

  test('a summary beyond 1,024 characters is cut, and the event says so', () => {
    const { summary, custom_details } = eventOf(long).payload
    expect(summary).toHaveLength(1_024)
    expect(summary.endsWith('y…')).toBe(true)
    expect(custom_details).toMatchObject({ why: 'silent', cut: 'the summary was cut: PagerDuty takes no more' })
    expect(composed(long)!.cut).toBe('the summary was cut: PagerDuty takes no more')
  })

  test('details that make the event too large are left out, and the event says so', () => {
    const desk = { ...inEnglish, labelsOf: () => ({ desk: 'z'.repeat(512_000) }) }
    const { custom_details } = eventOf(tellOf(transitions.opened), desk).payload
    expect(custom_details).toEqual({ cut: 'the details were left out: PagerDuty takes no more' })
    expect(composed(long, desk)!.cut).toBe('the summary was cut and the details were left out: PagerDuty takes no more')
  })

  test('512 KB are counted in bytes, with room for the routing key', () => {
    const withLabel = (text: string) =>
      composed(tellOf(transitions.opened), { ...inEnglish, labelsOf: () => ({ text }) })!
    const overhead = Buffer.byteLength(withLabel('').body)
    const room = Math.floor((512_000 - 64 - overhead) / 3)
    expect(withLabel('重'.repeat(room)).cut).toBeNull()
    expect(withLabel('重'.repeat(room + 1)).cut).not.toBeNull()
  })

  test('a link of up to 2,048 characters is kept', () => {
    const linksWith = (length: number) => {
      const alertId = 'x'.repeat(length - 'https://obs.example/alerts/'.length)
      return eventOf(tellOf({ ...transitions.opened, alertId })).links.map(({ href }: { href: string }) => href.length)
    }
    expect([linksWith(2_048), linksWith(2_049)]).toEqual([[2_048], []])
  })

  test('a name is cut, a link is left out', () => {
    const name = 's'.repeat(3_000)
    const event = eventOf(tellOf({ ...transitions.opened, source: name, alertId: name }))
    expect(event.payload.source).toBe(`${'s'.repeat(1_023)}…`)
    expect(event.links).toEqual([])
    expect(event.payload.custom_details.cut).toBe(
      'the summary was cut and the source was cut and the link was left out: PagerDuty takes no more',
    )
  })
})

test('every body is canonical JSON and holds no routing key', () => {
  for (const context of [inEnglish, inJapan])
    for (const [, notice] of everyNotice(context.locale)) {
      const body = composed(notice, context)?.body
      if (body === undefined) continue
      expect(canonicalize(JSON.parse(body))).toBe(body)
      expect(body).not.toContain('routing_key')
    }
})
