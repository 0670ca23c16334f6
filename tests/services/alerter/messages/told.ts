import type { Alert } from '#lib/facts.ts'
import { whyTold } from '#services/alerter/courier/why.ts'
import type { AlertNotice, MessageContext, Notice } from '#services/alerter/messages/notice.ts'
import type { Locale } from '#services/alerter/messages/notice-line.ts'
import { alertsOf, at, gap, hours, inOrder, MONDAY, plan, type Written, window } from '../desk.ts'

/** What the tests of messages tell: transitions as the fold decides them, with the reasons that the courier gives. */

export const PLAN_SHA256 = 'a'.repeat(64)
export const WINDOW_SHA256 = 'b'.repeat(64)

export const inEnglish: MessageContext = {
  env: 'staging',
  locale: 'en',
  displayTimeZone: 'UTC',
  publicUrl: 'https://obs.example',
  labelsOf: () => ({ desk: 'fx' }),
}

export const inJapan: MessageContext = { ...inEnglish, locale: 'ja', displayTimeZone: 'Asia/Tokyo' }

/** The newest transition that the facts lead to; hashes are put in place of the real ones. */
export function newestOf(facts: readonly Written[]): Alert {
  const alert = alertsOf(facts).at(-1)!
  const evidence = alert.evidence.map((window) => ({ ...window, sha256: WINDOW_SHA256 }))
  return { ...alert, plan: PLAN_SHA256, evidence }
}

export function tellOf(alert: Alert, locale: Locale = 'en', changes: Partial<AlertNotice> = {}): AlertNotice {
  return {
    kind: 'alert',
    alert,
    why: whyTold(alert, plan(), locale),
    notifiedChannels: ['ops', 'pd'],
    acknowledgedAfterS: null,
    resolvedAfterS: alert.kind === 'resolved' ? (alert.decidedAt - alert.openedAt) / 1_000 : null,
    note: null,
    ...changes,
  }
}

export const transitions = {
  opened: newestOf(hours('B B', at('20:00'))),
  escalated: newestOf(hours('B B B', at('20:00'))),
  reminded: newestOf(hours('B B B O O O O')),
  resolved: newestOf(hours('B B R R')),
  annotated: newestOf([...hours('B B B'), window('O', MONDAY, { revision: 1, decidedAt: at('03:30') })]),
  silent: newestOf([gap(at('12:30'))]),
  'silent again': newestOf([gap(at('12:30')), gap(at('13:00'))]),
  'samples again': newestOf(inOrder(gap(at('00:30')), hours('. R'))),
} satisfies Record<string, Alert>

export type TransitionName = keyof typeof transitions

export const others = {
  gone: { kind: 'channel_failed', channel: 'ops', reason: 'gone', status: 410, at: at('23:10') },
  unauthorized: { kind: 'channel_failed', channel: 'ops', reason: 'unauthorized', status: 401, at: at('23:10') },
  sampler_silent: { kind: 'sampler_silent', sinceAt: at('22:55'), at: at('23:10') },
  sampler_back: { kind: 'sampler_back', sinceAt: at('22:55'), at: at('23:20') },
  test: { kind: 'test', channel: 'ops', by: 'ann', at: at('23:10') + 125 },
} satisfies Record<string, Notice>

export type OtherName = keyof typeof others

/** Each notice there is, by its name, as readers of the locale are told of it. */
export function everyNotice(locale: Locale): readonly (readonly [string, Notice])[] {
  const alerts = Object.entries(transitions).map(([name, alert]) => [name, tellOf(alert, locale)] as const)
  return [...alerts, ...Object.entries(others)]
}
