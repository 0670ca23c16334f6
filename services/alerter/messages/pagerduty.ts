import { sha256Hex } from '#lib/codec/sha256.ts'
import type { Evidence } from '#lib/facts.ts'
import { formatInstantMs } from '#lib/time.ts'
import type { Composed } from './compose.ts'
import { cutText } from './cut.ts'
import { messageJson } from './message-json.ts'
import { evidenceUrl, type MessageContext, type Notice, textOf } from './notice.ts'
import { timeOf, typeOf } from './webhook.ts'

const MAX_DEDUP_KEY = 255
const MAX_SUMMARY = 1_024
/** PagerDuty names no limit for these; ours keeps the event below the one for its size. */
const MAX_NAME = 1_024
const MAX_URL = 2_048
/** 512 KB, in the sense that is smaller. */
const MAX_EVENT_BYTES = 512_000
/** Room for the routing key, which is filled in when the event is sent. */
const ROUTING_KEY_BYTES = 64

/**
 * An event of PagerDuty's Events API v2, without its `routing_key`, RFC 8785. One dedup key for each episode, so that the end
 * of one can never close the next. What is too long for PagerDuty is cut or left out, and `custom_details.cut` says so.
 *
 * @returns `null` for what PagerDuty has no event for: a correction
 */
export function composePagerDuty(notice: Notice, context: MessageContext): Composed | null {
  if (notice.kind === 'alert' && notice.alert.kind === 'annotated') return null
  const type = typeOf(notice)
  if (isEnd(notice)) return composePagerDutyEnd(notice, context)
  const dedupKey = dedupKeyOf(notice, context)
  const { event, cuts } = triggerOf(notice, context)
  const whole = bodyOf(event, detailsOf(notice, context), dedupKey, cuts)
  if (Buffer.byteLength(whole) + ROUTING_KEY_BYTES <= MAX_EVENT_BYTES) return { type, body: whole, cut: cutWords(cuts) }
  const allCuts = [...cuts, 'the details were left out']
  return { type, body: bodyOf(event, {}, dedupKey, allCuts), cut: cutWords(allCuts) }
}

function cutWords(cuts: readonly string[]): string | null {
  return cuts.length === 0 ? null : `${cuts.join(' and ')}: PagerDuty takes no more`
}

type Trigger = ReturnType<typeof triggerOf>['event']

function bodyOf(event: Trigger, details: object, dedupKey: string, cuts: readonly string[]): string {
  const cut = cutWords(cuts)
  const custom_details = cut === null ? details : { ...details, cut }
  return messageJson({ ...event, dedup_key: dedupKey, payload: { ...event.payload, custom_details } })
}

/** A trigger without its details, and what of it had to be cut. */
function triggerOf(notice: Notice, context: MessageContext) {
  const summary = cutText(textOf(notice, context), MAX_SUMMARY)
  const { severity, ...names } = namesOf(notice, context)
  const cutNames = Object.entries(names).map(([field, name]) => ({ field, ...cutText(name, MAX_NAME) }))
  const { links, isLinkTooLong } = linksOf(notice, context)
  const event = {
    event_action: 'trigger',
    client: 'obstream',
    ...(context.publicUrl === null ? {} : { client_url: context.publicUrl }),
    links,
    payload: {
      summary: summary.text,
      timestamp: formatInstantMs(timeOf(notice)),
      severity,
      ...Object.fromEntries(cutNames.map(({ field, text }) => [field, text])),
    },
  }
  const cuts = [
    ...(summary.isCut ? ['the summary was cut'] : []),
    ...cutNames.filter(({ isCut }) => isCut).map(({ field }) => `the ${field} was cut`),
    ...(isLinkTooLong ? ['the link was left out'] : []),
  ]
  return { event, cuts }
}

/** Resolves the incident that a notice has opened, or that it tells the end of. */
export function composePagerDutyEnd(notice: Notice, context: MessageContext): Composed {
  const body = messageJson({ event_action: 'resolve', dedup_key: dedupKeyOf(notice, context) })
  return { type: typeOf(notice), body, cut: null }
}

function isEnd(notice: Notice): boolean {
  return notice.kind === 'sampler_back' || (notice.kind === 'alert' && notice.alert.kind === 'resolved')
}

/** `obs:<env>:<alert id>`; beyond 255 characters its sha256. */
function dedupKeyOf(notice: Notice, { env }: MessageContext): string {
  const key = `obs:${env}:${incidentOf(notice)}`
  return key.length <= MAX_DEDUP_KEY ? key : sha256Hex(key)
}

function incidentOf(notice: Notice): string {
  switch (notice.kind) {
    case 'alert':
      return notice.alert.alertId
    case 'channel_failed':
      return `channel/${notice.channel}/${notice.reason}`
    case 'sampler_silent':
    case 'sampler_back':
      return `sampler_silent/${notice.sinceAt}`
    case 'test':
      return `test/${notice.channel}/${notice.at}`
  }
}

function linksOf(notice: Notice, context: MessageContext) {
  const href = notice.kind === 'alert' ? evidenceUrl(notice.alert.alertId, context) : null
  const isLinkTooLong = href !== null && href.length > MAX_URL
  return { links: href === null || isLinkTooLong ? [] : [{ href, text: 'evidence' }], isLinkTooLong }
}

/** What is affected, in the fields of PagerDuty's common event format. */
function namesOf(notice: Notice, { env }: MessageContext) {
  if (notice.kind !== 'alert') {
    const severity = notice.kind === 'test' ? 'info' : 'critical'
    return { severity, source: 'obstream', component: 'obstream', group: env, class: notice.kind }
  }
  const { source, severity, ruleId, about } = notice.alert
  return { severity, source, component: ruleId, group: env, class: about }
}

function detailsOf(notice: Notice, { labelsOf }: MessageContext): object {
  if (notice.kind !== 'alert') return {}
  const { alert, why, note } = notice
  return {
    reason: alert.reason,
    why,
    note,
    labels: labelsOf(alert.source),
    threshold_ms: alert.thresholdMs,
    plan: alert.plan,
    evidence: alert.evidence.map(evidenceOf),
  }
}

function evidenceOf({ key, verdict, count, errorCount, p95Ms, sha256 }: Evidence): object {
  return { key, verdict, count, error_count: errorCount, p95_ms: p95Ms, sha256 }
}
