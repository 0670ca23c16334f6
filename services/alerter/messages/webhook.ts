import { DAY_MS, formatInstant, formatInstantMs, type Instant, utcDay } from '#lib/time.ts'
import type { Composed } from './compose.ts'
import { messageJson } from './message-json.ts'
import { type AlertNotice, evidenceUrl, type MessageContext, type Notice, textOf } from './notice.ts'

const SCHEMA_VERSION = '1.0.0'

/**
 * The body for a generic webhook, RFC 8785: `{type, timestamp, data}` as Standard Webhooks proposes, in the form of
 * `schemas/webhook_message.schema.json`. An alert stands in `data.alerts`, so that who reads one can read a list of them.
 */
export function composeWebhook(notice: Notice, context: MessageContext): Composed {
  const type = typeOf(notice)
  const data = notice.kind === 'alert' ? alertData(notice, context) : otherData(notice, context)
  return { type, body: messageJson({ type, timestamp: formatInstant(timeOf(notice)), data }), cut: null }
}

export function typeOf(notice: Notice): string {
  switch (notice.kind) {
    case 'alert':
      return `obs.alert.${notice.alert.kind}`
    case 'channel_failed':
      return 'obs.channel.failed'
    case 'sampler_silent':
      return 'obs.sampler.silent'
    case 'sampler_back':
      return 'obs.sampler.back'
    case 'test':
      return 'obs.test'
  }
}

/** When what is told happened: of an alert, the end of the deciding window. */
export function timeOf(notice: Notice): Instant {
  return notice.kind === 'alert' ? notice.alert.eventAt : notice.at
}

function alertData(notice: AlertNotice, context: MessageContext): object {
  const { alert } = notice
  return {
    schema_version: SCHEMA_VERSION,
    week_start: utcDay(mondayOf(alert.eventAt)),
    alerts: [
      {
        id: alert.alertId,
        rule: alert.ruleId,
        severity: alert.severity,
        message: textOf(notice, context),
        evidence_url: evidenceUrl(alert.alertId, context),
        notified_channels: notice.notifiedChannels,
        acknowledged_after_s: notice.acknowledgedAfterS,
        resolved_after_s: notice.resolvedAfterS,
      },
    ],
  }
}

function otherData(notice: Exclude<Notice, AlertNotice>, context: MessageContext): object {
  const common = { schema_version: SCHEMA_VERSION, env: context.env, message: textOf(notice, context) }
  switch (notice.kind) {
    case 'channel_failed':
      return { ...common, channel: notice.channel, reason: notice.reason, response_code: notice.status }
    case 'sampler_silent':
    case 'sampler_back':
      return { ...common, last_tick_at: formatInstantMs(notice.sinceAt) }
    case 'test':
      return { ...common, channel: notice.channel, by: notice.by }
  }
}

/** 1970-01-01 was a Thursday. */
const MONDAY_BEFORE_EPOCH_MS = -3 * DAY_MS
const WEEK_MS = 7 * DAY_MS

function mondayOf(at: Instant): Instant {
  return Math.floor((at - MONDAY_BEFORE_EPOCH_MS) / WEEK_MS) * WEEK_MS + MONDAY_BEFORE_EPOCH_MS
}
