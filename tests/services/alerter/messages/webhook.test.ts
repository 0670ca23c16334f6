import { readFileSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import canonicalize from 'canonicalize'
import { compose } from '#services/alerter/messages/compose.ts'
import type { MessageContext, Notice } from '#services/alerter/messages/notice.ts'
import { textOf } from '#services/alerter/messages/notice.ts'
import { at } from '../desk.ts'
import { everyNotice, inEnglish, inJapan, others, tellOf, transitions } from './told.ts'

const schema = JSON.parse(
  readFileSync(new URL('../../../../schemas/webhook_message.schema.json', import.meta.url), 'utf8'),
)
const ajv = new Ajv2020({ allErrors: true, strict: true, strictTypes: false })
formats.default(ajv)
const validate = ajv.compile(schema)

const bodyFor = (notice: Notice, context: MessageContext = inEnglish): string =>
  compose({ kind: 'webhook' }, notice, context)!.body

const readBack = (notice: Notice, context?: MessageContext) => JSON.parse(bodyFor(notice, context))

const BREACH_AT_20 = 'breach/latency_p95/router_demo/2026-06-22T20:00:00Z'
const BREACH_AT_0 = 'breach/latency_p95/router_demo/2026-06-22T00:00:00Z'
const GAP_AT_12_30 = 'no_data/latency_p95/router_demo/gap/2026-06-22T12:30:00Z'
const GAP_AT_0_30 = 'no_data/latency_p95/router_demo/gap/2026-06-22T00:30:00Z'

test('a body to the byte: RFC 8785, members in order, no white space', () => {
  const link = 'https://obs.example/alerts/breach%2Flatency_p95%2Frouter_demo%2F2026-06-22T20%3A00%3A00Z'
  expect(bodyFor(tellOf(transitions.escalated))).toBe(
    `{"data":{"alerts":[{"acknowledged_after_s":null,"evidence_url":"${link}","id":"${BREACH_AT_20}",` +
      '"message":"CRITICAL router_demo: p95 812 ms > 500 ms, 3rd hour running (20:00–23:00 UTC), n = 4/4/4. ' +
      `Why sent: 3 of 3. ${link}","notified_channels":["ops","pd"],"resolved_after_s":null,"rule":"latency_p95",` +
      '"severity":"critical"}],"schema_version":"1.0.0","week_start":"2026-06-22"},' +
      '"timestamp":"2026-06-22T23:00:00Z","type":"obs.alert.escalated"}',
  )
})

describe('a transition', () => {
  test.each([
    ['opened', 'obs.alert.opened', '2026-06-22T22:00:00Z', BREACH_AT_20, 'warning', null],
    ['escalated', 'obs.alert.escalated', '2026-06-22T23:00:00Z', BREACH_AT_20, 'critical', null],
    ['reminded', 'obs.alert.reminded', '2026-06-22T07:00:00Z', BREACH_AT_0, 'critical', null],
    ['resolved', 'obs.alert.resolved', '2026-06-22T04:00:00Z', BREACH_AT_0, 'warning', 7_200],
    ['annotated', 'obs.alert.annotated', '2026-06-22T01:00:00Z', BREACH_AT_0, 'critical', null],
    ['silent', 'obs.alert.opened', '2026-06-22T12:30:00Z', GAP_AT_12_30, 'warning', null],
    ['silent again', 'obs.alert.escalated', '2026-06-22T13:00:00Z', GAP_AT_12_30, 'critical', null],
    ['samples again', 'obs.alert.resolved', '2026-06-22T02:00:00Z', GAP_AT_0_30, 'warning', 4_500],
  ] as const)('%s', (name, type, timestamp, id, severity, resolvedAfterS) => {
    for (const context of [inEnglish, inJapan]) {
      const notice = tellOf(transitions[name], context.locale)
      expect(readBack(notice, context)).toEqual({
        type,
        timestamp,
        data: {
          schema_version: '1.0.0',
          week_start: '2026-06-22',
          alerts: [
            {
              id,
              rule: 'latency_p95',
              severity,
              message: textOf(notice, context),
              evidence_url: `https://obs.example/alerts/${encodeURIComponent(id)}`,
              notified_channels: ['ops', 'pd'],
              acknowledged_after_s: null,
              resolved_after_s: resolvedAfterS,
            },
          ],
        },
      })
    }
  })

  test('tells after how many seconds somebody acknowledged it', () => {
    const notice = tellOf(transitions.reminded, 'en', { acknowledgedAfterS: 95 })
    expect(readBack(notice).data.alerts[0].acknowledged_after_s).toBe(95)
  })

  test('without a public address has a link to nowhere: null', () => {
    const body = readBack(tellOf(transitions.opened), { ...inEnglish, publicUrl: null })
    expect(body.data.alerts[0]).toMatchObject({ evidence_url: null, message: expect.not.stringContaining('http') })
  })

  test.each([
    ['of the first moment of a Monday', at('00:00'), '2026-06-22'],
    ['of the last second of a Sunday', at('00:00') - 1_000, '2026-06-15'],
    ['of the Monday of the epoch', Date.parse('1970-01-05T00:00:00Z'), '1970-01-05'],
    ['of the Thursday of the epoch', 0, '1969-12-29'],
  ])('stands in the week %s', (_, eventAt, monday) => {
    expect(readBack(tellOf({ ...transitions.opened, eventAt })).data.week_start).toBe(monday)
  })
})

describe('what is no transition', () => {
  test.each([
    ['gone', 'obs.channel.failed', '2026-06-22T23:10:00Z', { channel: 'ops', reason: 'gone', response_code: 410 }],
    [
      'unauthorized',
      'obs.channel.failed',
      '2026-06-22T23:10:00Z',
      { channel: 'ops', reason: 'unauthorized', response_code: 401 },
    ],
    ['sampler_silent', 'obs.sampler.silent', '2026-06-22T23:10:00Z', { last_tick_at: '2026-06-22T22:55:00.000Z' }],
    ['sampler_back', 'obs.sampler.back', '2026-06-22T23:20:00Z', { last_tick_at: '2026-06-22T22:55:00.000Z' }],
    ['test', 'obs.test', '2026-06-22T23:10:00Z', { channel: 'ops', by: 'ann' }],
  ] as const)('%s', (name, type, timestamp, more) => {
    for (const context of [inEnglish, inJapan])
      expect(readBack(others[name], context)).toEqual({
        type,
        timestamp,
        data: { schema_version: '1.0.0', env: 'staging', message: textOf(others[name], context), ...more },
      })
  })
})

describe('every body', () => {
  const contexts = [inEnglish, inJapan, { ...inEnglish, publicUrl: null }]
  const all = contexts.flatMap((context) => everyNotice(context.locale).map(([, notice]) => ({ notice, context })))

  test('is canonical JSON, of the type that its composer names', () => {
    for (const { notice, context } of all) {
      const { body, type, cut } = compose({ kind: 'webhook' }, notice, context)!
      expect(canonicalize(JSON.parse(body))).toBe(body)
      expect(JSON.parse(body).type).toBe(type)
      expect(cut).toBeNull()
    }
  })

  test('fits schemas/webhook_message.schema.json', () => {
    for (const { notice, context } of all)
      expect(validate(readBack(notice, context)) ? [] : validate.errors).toEqual([])
  })

  test('that has a member more, or one less, does not', () => {
    const body = readBack(tellOf(transitions.opened))
    expect(validate({ ...body, env: 'staging' })).toBe(false)
    expect(validate({ ...body, timestamp: 'yesterday' })).toBe(false)
    expect(validate({ type: body.type, data: body.data })).toBe(false)
    for (const notice of Object.values(others)) {
      const { data, ...rest } = readBack(notice)
      for (const name of Object.keys(data))
        expect(validate({ ...rest, data: { ...data, [name]: undefined } })).toBe(false)
      expect(validate({ ...rest, data: { ...data, more: 1 } })).toBe(false)
    }
  })
})
