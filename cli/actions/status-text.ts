import { DELIVERIES_SINCE_MS, type Delivery } from '#lib/delivery/last-deliveries.ts'
import { formatDuration, formatInstant, type Instant } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { nextAttemptWords, printable } from './answer-text.ts'
import { closedWords } from './closed-channels.ts'
import type { Found, OpenAlert } from './status.ts'

export function statusJson(found: Found): object {
  const { lastTickAt, sources, behind, openAlerts, closedChannels, lastDeliveries, lastJob, deadLetters } = found
  return {
    last_tick_at: lastTickAt === null ? null : formatInstant(lastTickAt),
    sources: sources.map(({ source, scheduledAt, text }) => ({
      source,
      scheduled_at: formatInstant(scheduledAt),
      last: text,
    })),
    behind,
    open_alerts: openAlerts.map(openAlertJson),
    closed_channels: [...closedChannels].map(([channel, at]) => ({ channel, closed_at: formatInstant(at) })),
    last_deliveries: (lastDeliveries ?? []).map(deliveryJson),
    last_job: lastJob && { job_id: lastJob.jobId, status: lastJob.status, error_code: lastJob.errorCode },
    dead_letters: deadLetters,
  }
}

function openAlertJson({ alert, acknowledged, silences }: OpenAlert): object {
  return {
    id: alert.alertId,
    severity: alert.severity,
    opened_at: formatInstant(alert.openedAt),
    reason: alert.reason,
    acknowledged: acknowledged && {
      by: acknowledged.by,
      at: formatInstant(acknowledged.at),
      reason: acknowledged.reason,
      command_id: acknowledged.commandId,
    },
    silences: silences.map(({ id, said, endsAt }) => ({
      id,
      by: said.by,
      reason: said.reason,
      ends_at: formatInstant(endsAt),
    })),
  }
}

function deliveryJson(delivery: Delivery): object {
  const { at, channel, subject, messageId, messageType, result, status: code, attempts } = delivery
  const { nextAttemptAt, overtakenBy } = delivery
  return {
    at: formatInstant(at),
    channel,
    subject,
    message_type: messageType,
    message_id: messageId,
    result,
    response_code: code,
    attempts,
    next_attempt_at: nextAttemptAt === null ? null : formatInstant(nextAttemptAt),
    overtaken_by: overtakenBy,
  }
}

export function statusText(found: Found, now: Instant): readonly string[] {
  const { lastTickAt, sources, behind, openAlerts, closedChannels, lastDeliveries, lastJob, deadLetters } = found
  const age =
    lastTickAt === null
      ? 'never'
      : `${formatInstant(lastTickAt)}, ${formatDuration(Math.round((now - lastTickAt) / 1_000) * 1_000)} ago`
  return [
    `last tick   ${age}`,
    ...sources.map(({ source, scheduledAt, text }) => `source      ${source}  ${formatInstant(scheduledAt)}  ${text}`),
    `behind      rollup ${behind['rollup']} samples, alerter ${behind['alerter']} facts`,
    ...(openAlerts.length === 0 ? ['alerts      none is open'] : openAlerts.flatMap(openAlertLines)),
    ...[...closedChannels].map(([channel, at]) => `channel     ${channel} is ${closedWords(channel, at)}`),
    ...deliveryLines(lastDeliveries, now),
    `last job    ${lastJob ? `${lastJob.jobId} ${lastJob.status}${lastJob.errorMessage ? `: ${lastJob.errorMessage}` : ''}` : 'none'}`,
    `unreadable  ${deadLetters} records in ${topics.deadLetter.name}`,
  ]
}

/** Why nobody hears of it stands below an alert. */
function openAlertLines({ alert, acknowledged, silences }: OpenAlert): readonly string[] {
  const held = [
    ...(acknowledged ? [`acknowledged by ${acknowledged.by}: ${acknowledged.reason}`] : []),
    ...silences.map(
      ({ id, said, endsAt }) => `silenced until ${formatInstant(endsAt)} by ${said.by}: ${said.reason} (${id})`,
    ),
  ]
  return [
    `alert       ${alert.severity.toUpperCase()}  ${alert.alertId}  ${alert.reason}`,
    ...held.map((line) => `              ${printable(line)}`),
  ]
}

function deliveryLines(deliveries: Found['lastDeliveries'], now: Instant): readonly string[] {
  if (deliveries?.length === 0) return [`deliveries  none in ${formatDuration(DELIVERIES_SINCE_MS)}`]
  return (deliveries ?? []).map((delivery) => `delivery    ${deliveryText(delivery, now)}`)
}

function deliveryText(delivery: Delivery, now: Instant): string {
  const { at, channel, subject, messageId, messageType, attempts } = delivery
  const tries = `${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}`
  return `${formatInstant(at)}  ${channel}  ${messageType} ${subject}  ${resultWords(delivery)}, ${tries}${nextWords(delivery, now)}  ${messageId}`
}

function resultWords({ result, status, overtakenBy }: Delivery): string {
  if (overtakenBy !== null) return `given up: ${overtakenBy} is told instead`
  return `${result.replace('_', ' ')}${status === null ? '' : ` (${status})`}`
}

/** Only what may pass is tried again, or else given up; of all other results everybody knows that they are the last. */
function nextWords({ result, nextAttemptAt }: Delivery, now: Instant): string {
  if (nextAttemptAt === null) return result === 'retry' || result === 'unknown' ? ', given up' : ''
  return `, ${nextAttemptWords(nextAttemptAt, now)}`
}
