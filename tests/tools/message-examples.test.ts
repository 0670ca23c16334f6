import { readFileSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import type { Alert } from '#lib/facts.ts'
import { compose } from '#services/alerter/messages/compose.ts'
import { exampleAlerts, exampleReader, exampleRule, examples } from '#tools/example-notices.ts'
import { alertsOf, at, gap, hours, latencyRule, type Written, window } from '../services/alerter/desk.ts'

const SATURDAY = 5

const night = hours('B B B O O O O R R', at('20:00', SATURDAY))
const late = window('O', at('20:00', SATURDAY), { revision: 1, decidedAt: at('23:30', SATURDAY) })

/** Without the hashes, which in the examples are made up. */
const told = ({ plan: _, evidence, ...alert }: Alert): object => ({
  ...alert,
  evidence: evidence.map(({ sha256: _, ...window }) => window),
})

const decided = (facts: readonly Written[]): readonly object[] => alertsOf(facts).map(told)

test('the alerts of the documentation are what the alerter decides on such a night', () => {
  const { opened, escalated, reminded, resolved, annotated, silent } = exampleAlerts
  expect(exampleRule).toEqual(latencyRule)
  expect([opened, escalated, reminded, resolved].map(told)).toEqual(decided(night))
  expect(told(annotated)).toEqual(decided([...night.slice(0, 3), late]).at(-1))
  expect(told(silent)).toEqual(decided([gap(at('12:30', SATURDAY))]).at(-1))
})

test('the documentation shows each body of each channel as it is composed', () => {
  const page = readFileSync(new URL('../../docs/notifications.md', import.meta.url), 'utf8')
  const shown = [...page.matchAll(/```json\n([\s\S]*?)\n```/g)].map(([, body]) => JSON.parse(body!))
  const composed = examples.flatMap(({ notice }) =>
    (['webhook', 'pagerduty', 'slack'] as const).flatMap((kind) => {
      const body = compose({ kind }, notice('en'), exampleReader)?.body
      return body === undefined ? [] : [JSON.parse(body)]
    }),
  )
  expect(shown).toEqual(composed)
  expect(new Set(composed.map(({ type }) => type).filter(Boolean))).toEqual(
    new Set([
      'obs.alert.opened',
      'obs.alert.escalated',
      'obs.alert.reminded',
      'obs.alert.resolved',
      'obs.alert.annotated',
      'obs.channel.failed',
      'obs.sampler.silent',
      'obs.sampler.back',
      'obs.test',
    ]),
  )
})
