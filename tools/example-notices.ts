import type { Alert, Evidence, Verdict } from '#lib/facts.ts'
import { gapKey, windowKey } from '#lib/keys.ts'
import { ENGINE, type Plan, type Rule } from '#lib/plan.ts'
import { HOUR_MS, type Instant, MINUTE_MS } from '#lib/time.ts'
import { whyTold } from '#services/alerter/courier/why.ts'
import type { AlertNotice, MessageContext, Notice } from '#services/alerter/messages/notice.ts'
import type { Locale } from '#services/alerter/messages/notice-line.ts'

/** One of each message, for the documentation: the night of the router that the README tells of. */
export interface Example {
  readonly title: string
  /** What it tells a person. */
  readonly what: string
  notice(locale: Locale): Notice
}

/** A desk in Tokyo; English, with the second time beside UTC. */
export const exampleReader: MessageContext = {
  env: 'staging',
  locale: 'en',
  displayTimeZone: 'Asia/Tokyo',
  publicUrl: 'https://obs.example',
  labelsOf: () => ({ desk: 'fx' }),
}

export const exampleRule: Rule = {
  id: 'latency_p95',
  match: '*',
  thresholdMs: 500,
  warningAfter: 2,
  criticalAfter: 3,
  minSamples: 3,
  errorRatio: 0.5,
  noDataAfterSlots: 2,
  maxInsufficient: 3,
  resolveAfter: 2,
  resolveBelow: 0.9,
  reminderMs: 4 * HOUR_MS,
}

const examplePlan: Plan = {
  engine: ENGINE,
  tickIntervalMs: MINUTE_MS,
  windowMs: HOUR_MS,
  graceMs: 10 * MINUTE_MS,
  latenessMs: 14 * 24 * HOUR_MS,
  calendar: { kind: 'always', holidays: [], tzdata: '' },
  sources: [],
  rules: [exampleRule],
  locale: 'en',
  week: 'iso-week',
  datasetRows: {},
}

const PLAN_SHA256 = 'c31f9e4f0b7d6a52'.repeat(4)
const WINDOW_SHA256 = '7d1a54127b222502'.repeat(4)

/** Of Saturday, 27 June 2026, and of the Sunday after it from 24 on. */
const at = (hour: number, minute = 0): Instant => Date.UTC(2026, 5, 27, hour, minute)

function windowAt(hour: number, verdict: Verdict, p95Ms: number, revision = 0): Evidence {
  const key = windowKey('router_demo', at(hour), revision)
  return { key, sha256: WINDOW_SHA256, verdict, count: 4, errorCount: 0, p95Ms }
}

const opened: Alert = {
  alertId: 'breach/latency_p95/router_demo/2026-06-27T20:00:00Z',
  sequence: 0,
  kind: 'opened',
  about: 'breach',
  severity: 'warning',
  ruleId: exampleRule.id,
  source: 'router_demo',
  decidedAt: at(22, 10),
  eventAt: at(22),
  openedAt: at(22, 10),
  reason: '2 windows in a row in breach, this one with p95 812 ms > 500 ms',
  streak: 2,
  thresholdMs: exampleRule.thresholdMs,
  plan: PLAN_SHA256,
  evidence: [windowAt(20, 'breach', 812), windowAt(21, 'breach', 812)],
}

const escalated: Alert = {
  ...opened,
  sequence: 1,
  kind: 'escalated',
  severity: 'critical',
  decidedAt: at(23, 10),
  eventAt: at(23),
  reason: '3 windows in a row in breach, this one with p95 812 ms > 500 ms',
  streak: 3,
  evidence: [...opened.evidence, windowAt(22, 'breach', 812)],
}

const reminded: Alert = {
  ...escalated,
  sequence: 2,
  kind: 'reminded',
  decidedAt: at(27, 10),
  eventAt: at(27),
  reason: 'open for 5 h; an ok window that is not below 0.9 × 500 ms: recovery starts again',
  streak: 0,
  evidence: [windowAt(26, 'ok', 450)],
}

const resolved: Alert = {
  ...escalated,
  sequence: 3,
  kind: 'resolved',
  decidedAt: at(29, 10),
  eventAt: at(29),
  reason: '2 windows in a row ok with p95 below 0.9 × 500 ms',
  streak: 2,
  evidence: [windowAt(27, 'ok', 449), windowAt(28, 'ok', 449)],
}

const annotated: Alert = {
  ...escalated,
  sequence: 2,
  kind: 'annotated',
  decidedAt: at(23, 30),
  eventAt: at(21),
  reason: 'window 2026-06-27T20:00:00Z was breach, is ok since late samples (r1): p95 450 ms, 4 samples',
  streak: 0,
  evidence: [windowAt(20, 'ok', 450, 1)],
}

const silent: Alert = {
  ...opened,
  alertId: 'no_data/latency_p95/router_demo/gap/2026-06-27T12:30:00Z',
  about: 'no_data',
  decidedAt: at(12, 55),
  eventAt: at(12, 30),
  openedAt: at(12, 55),
  reason: 'samples are missing: 2 expected slots without a sample since 2026-06-27T12:15:00Z',
  streak: 1,
  thresholdMs: null,
  evidence: [
    {
      key: gapKey('router_demo', at(12, 30)),
      sha256: WINDOW_SHA256,
      verdict: 'gap',
      count: 0,
      errorCount: 0,
      p95Ms: null,
    },
  ],
}

/** By name, so that a test can hold them to what the alerter decides. */
export const exampleAlerts = { opened, escalated, reminded, resolved, annotated, silent } satisfies Record<
  string,
  Alert
>

function transition(title: string, what: string, alert: Alert, parts: Partial<AlertNotice> = {}): Example {
  return {
    title,
    what,
    notice: (locale) => ({
      kind: 'alert',
      alert,
      why: whyTold(alert, examplePlan, locale),
      notifiedChannels: ['ops', 'pd', 'slack'],
      acknowledgedAfterS: null,
      resolvedAfterS: null,
      note: null,
      ...parts,
    }),
  }
}

const other = (title: string, what: string, notice: Notice): Example => ({ title, what, notice: () => notice })

/** In the order of the documentation. */
export const examples: readonly Example[] = [
  transition('`opened`', 'The second hour in breach.', opened),
  transition('`escalated`', 'The third.', escalated),
  transition('`reminded`', 'Nothing has changed for `reminder`, and somebody has acknowledged it.', reminded, {
    acknowledgedAfterS: 4_800,
  }),
  transition('`resolved`', 'The second good hour.', resolved, { acknowledgedAfterS: 4_800, resolvedAfterS: 25_200 }),
  transition('`annotated`', 'Late samples changed an hour that has been told.', annotated),
  transition('`opened`, no data', 'Two slots without a sample.', silent),
  other('A channel failed', 'Told on another channel.', {
    kind: 'channel_failed',
    channel: 'ops',
    reason: 'gone',
    status: 410,
    at: at(23, 11),
  }),
  other('Sampler silent', 'No clock tick for too long, by the clock of the courier.', {
    kind: 'sampler_silent',
    sinceAt: at(23, 15),
    at: at(23, 20),
  }),
  other('Sampler back', 'The next tick.', { kind: 'sampler_back', sinceAt: at(23, 15), at: at(23, 40) }),
  other('Test', 'From `obstream channels test ops`.', { kind: 'test', channel: 'ops', by: 'ann', at: at(24) }),
]
