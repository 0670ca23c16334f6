import { canonicalJson } from '#lib/codec/canonical-json.ts'
import { sha256Hex } from '#lib/codec/sha256.ts'
import type { Alert, Evidence } from '#lib/facts.ts'
import { formatInstantMs } from '#lib/time.ts'
import type { Composed } from './compose.ts'
import { cutText } from './cut.ts'
import { type AlertNotice, evidenceUrl, type MessageContext, type Notice, textOf } from './notice.ts'
import { timeOf, typeOf } from './webhook.ts'

const MAX_DEDUP_KEY = 255
const MAX_SUMMARY = 1_024
const MAX_EVENT_BYTES = 512 * 1_024
/** Room for the routing key, which is filled in when the event is sent. */
const ROUTING_KEY_BYTES = 64

/**
 * An event of PagerDuty's Events API v2, without its `routing_key`, RFC 8785. One dedup key for each episode, so that the end
 * of one can never close the next.
 *
 * @returns `null` for what PagerDuty has no event for: a correction
 */
export function composePagerDuty(notice: Notice, context: MessageContext): Composed | null {
  if (notice.kind === 'alert' && notice.alert.kind === 'annotated') return null
  const type = typeOf(notice)
  if (isEnd(notice)) return composePagerDutyEnd(notice, context)
  const summary = cutText(textOf(notice, context), MAX_SUMMARY)
  const event = {
    event_action: 'trigger',
    dedup_key: dedupKeyOf(notice, context),
    client: 'obstream',
    ...(context.publicUrl === null ? {} : { client_url: context.publicUrl }),
    links: linksOf(notice, context),
    payload: { summary: summary.text, timestamp: formatInstantMs(timeOf(notice)), ...payloadOf(notice, context) },
  }
  const whole = canonicalJson(event)
  const isTooLarge = Buffer.byteLength(whole) + ROUTING_KEY_BYTES > MAX_EVENT_BYTES
  const { custom_details: _, ...payload } = event.payload
  const cuts = [...(summary.isCut ? ['the summary was cut'] : []), ...(isTooLarge ? ['the details were left out'] : [])]
  return {
    type,
    body: isTooLarge ? canonicalJson({ ...event, payload }) : whole,
    cut: cuts.length === 0 ? null : `${cuts.join(' and ')}: PagerDuty takes no more`,
  }
}

/** Resolves the incident that a notice has opened, or that it tells the end of. */
export function composePagerDutyEnd(notice: Notice, context: MessageContext): Composed {
  const body = canonicalJson({ event_action: 'resolve', dedup_key: dedupKeyOf(notice, context) })
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

function linksOf(notice: Notice, context: MessageContext): readonly object[] {
  const href = notice.kind === 'alert' ? evidenceUrl(notice.alert.alertId, context) : null
  return href === null ? [] : [{ href, text: 'evidence' }]
}

function payloadOf(notice: Notice, { env, labelsOf }: MessageContext) {
  if (notice.kind !== 'alert') {
    const severity = notice.kind === 'test' ? 'info' : 'critical'
    return { source: 'obstream', severity, component: 'obstream', group: env, class: notice.kind, custom_details: {} }
  }
  const { source, severity, ruleId, about } = notice.alert
  const details = detailsOf(notice, labelsOf(source))
  return { source, severity, component: ruleId, group: env, class: about, custom_details: details }
}

function detailsOf({ alert, why, note }: AlertNotice, labels: Readonly<Record<string, string>>): object {
  return {
    reason: alert.reason,
    why,
    note,
    labels,
    threshold_ms: alert.thresholdMs,
    plan: alert.plan,
    evidence: evidenceOf(alert),
  }
}

function evidenceOf({ evidence }: Alert): readonly object[] {
  return evidence.map(({ key, verdict, count, errorCount, p95Ms, sha256 }: Evidence) => ({
    key,
    verdict,
    count,
    error_count: errorCount,
    p95_ms: p95Ms,
    sha256,
  }))
}
