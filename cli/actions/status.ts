import { readOpenAlerts } from '#lib/alerts/open-alerts.ts'
import { compareCauses } from '#lib/cause.ts'
import { DELIVERIES_SINCE_MS, type Delivery, readLastDeliveries } from '#lib/delivery/last-deliveries.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import type { Alert, JobFact, SampleFact } from '#lib/facts.ts'
import { readFacts } from '#lib/jobs/read-facts.ts'
import { codecOf, type Environment } from '#lib/runtime/environment.ts'
import { causeOf } from '#lib/runtime/record-headers.ts'
import { formatDuration, formatInstant, type Instant } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import type { CommandRun } from '../program.ts'
import type { StatusFlags } from '../status.ts'
import { openExistingDesk } from './desk.ts'

/** `obstream status`: everything it tells is read from the log, so it works beside running services. */
export const status: CommandRun<readonly [StatusFlags]> = async (session, flags) => {
  const env = await openExistingDesk(session, 'status', flags)
  try {
    const found = await look(env, flags.deliveries)
    if (session.terminal.json) session.terminal.summary(asJson(found))
    else for (const line of asText(found, env.clock.now())) session.terminal.print(line)
  } finally {
    await env.close()
  }
  return undefined
}

interface Found {
  readonly lastTickAt: Instant | null
  readonly sources: readonly { readonly source: string; readonly scheduledAt: Instant; readonly text: string }[]
  /** Samples that rollup, and facts that the alerter, has not folded yet. */
  readonly behind: Readonly<Record<string, number>>
  readonly openAlerts: readonly Alert[]
  /** The newest first. */
  readonly lastDeliveries: readonly Delivery[]
  readonly lastJob: (JobFact & { type: 'finished' }) | null
  readonly deadLetters: number
}

async function look(env: Environment, count: number): Promise<Found> {
  const sources = new Map<string, SampleFact & { type: 'probe' }>()
  let lastTickAt: Instant | null = null
  const sampleCodec = codecOf(env, topics.sample)
  for (const { partition, end } of await env.log.offsets(topics.sample.name)) {
    const from = Math.max(0, end - RECENT_SAMPLES)
    for await (const { key, value } of readFacts(env.log, sampleCodec, {
      partition,
      from: await firstKept(env.log, partition, from),
      to: end,
    }))
      if (value.type === 'tick') lastTickAt = Math.max(lastTickAt ?? 0, value.at)
      else if (value.scheduledAt >= (sources.get(key)?.scheduledAt ?? 0)) sources.set(key, value)
  }
  const [deadLetters] = await env.log.offsets(topics.deadLetter.name)
  return {
    lastTickAt,
    sources: [...sources]
      .map(([source, probe]) => ({ source, scheduledAt: probe.scheduledAt, text: textOf(probe) }))
      .toSorted((a, b) => (a.source < b.source ? -1 : 1)),
    behind: {
      rollup: await rollupLag(env.log),
      alerter: await alerterLag(env.log),
    },
    openAlerts: await readOpenAlerts(env.log, codecOf(env, topics.alert)),
    lastDeliveries: await readLastDeliveries(env.log, codecOf(env, topics.delivery), { now: env.clock.now(), count }),
    lastJob: await lastJob(env),
    deadLetters: deadLetters!.end - deadLetters!.earliest,
  }
}

/** Enough to meet every source of a large desk; the rest of the log is not read. */
const RECENT_SAMPLES = 20_000

async function firstKept(log: EventLog, partition: number, from: number): Promise<number> {
  return Math.max(from, (await log.offsets(topics.sample.name))[partition]!.earliest)
}

const textOf = ({ outcome, latencyMs, errorCode }: SampleFact & { type: 'probe' }): string =>
  outcome === 'ok' ? `${latencyMs} ms` : [outcome, errorCode].filter(Boolean).join(' ')

/** Samples that rollup has not folded. */
async function rollupLag(log: EventLog): Promise<number> {
  const commits = await log.committed('rollup', topics.sample.name)
  return (await log.offsets(topics.sample.name)).reduce((sum, { partition, earliest, end }) => {
    const next = commits.find((commit) => commit.partition === partition)?.position[0] ?? earliest
    return sum + Math.max(0, end - next)
  }, 0)
}

/** Facts that the alerter has not folded; copies of earlier ones do not count. */
async function alerterLag(log: EventLog): Promise<number> {
  const commits = await log.committed('alerter', topics.window.name)
  let behind = 0
  for (const { partition, earliest, end } of await log.offsets(topics.window.name)) {
    const commit = commits.find((candidate) => candidate.partition === partition)
    const from = Math.max(earliest, commit?.offset ?? earliest)
    for await (const batch of log.read(topics.window.name, partition, from, end))
      for (const record of batch.records()) {
        const cause = record.offset >= from && record.offset < end ? causeOf(record) : undefined
        if (cause && (!commit || compareCauses(cause, commit.position) >= 0)) behind++
      }
  }
  return behind
}

async function lastJob(env: Environment): Promise<Found['lastJob']> {
  const [place] = await env.log.offsets(topics.job.name)
  let last: Found['lastJob'] = null
  for await (const { value } of readFacts(env.log, codecOf(env, topics.job), {
    partition: 0,
    from: place!.earliest,
    to: place!.end,
  }))
    if (value.type === 'finished') last = value
  return last
}

function asJson({ lastTickAt, sources, behind, openAlerts, lastDeliveries, lastJob, deadLetters }: Found): object {
  return {
    last_tick_at: lastTickAt === null ? null : formatInstant(lastTickAt),
    sources: sources.map(({ source, scheduledAt, text }) => ({
      source,
      scheduled_at: formatInstant(scheduledAt),
      last: text,
    })),
    behind,
    open_alerts: openAlerts.map(({ alertId, severity, openedAt, reason }) => ({
      id: alertId,
      severity,
      opened_at: formatInstant(openedAt),
      reason,
    })),
    last_deliveries: lastDeliveries.map(deliveryJson),
    last_job: lastJob && { job_id: lastJob.jobId, status: lastJob.status, error_code: lastJob.errorCode },
    dead_letters: deadLetters,
  }
}

function deliveryJson(delivery: Delivery): object {
  const { at, channel, subject, messageId, messageType, result, status: code, attempts, nextAttemptAt } = delivery
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
  }
}

function asText(found: Found, now: Instant): readonly string[] {
  const { lastTickAt, sources, behind, openAlerts, lastDeliveries, lastJob, deadLetters } = found
  const age =
    lastTickAt === null
      ? 'never'
      : `${formatInstant(lastTickAt)}, ${formatDuration(Math.round((now - lastTickAt) / 1_000) * 1_000)} ago`
  return [
    `last tick   ${age}`,
    ...sources.map(({ source, scheduledAt, text }) => `source      ${source}  ${formatInstant(scheduledAt)}  ${text}`),
    `behind      rollup ${behind['rollup']} samples, alerter ${behind['alerter']} facts`,
    ...(openAlerts.length === 0
      ? ['alerts      none is open']
      : openAlerts.map(
          ({ severity, alertId, reason }) => `alert       ${severity.toUpperCase()}  ${alertId}  ${reason}`,
        )),
    ...(lastDeliveries.length === 0
      ? [`deliveries  none in ${formatDuration(DELIVERIES_SINCE_MS)}`]
      : lastDeliveries.map((delivery) => `delivery    ${deliveryText(delivery)}`)),
    `last job    ${lastJob ? `${lastJob.jobId} ${lastJob.status}${lastJob.errorMessage ? `: ${lastJob.errorMessage}` : ''}` : 'none'}`,
    `unreadable  ${deadLetters} records in ${topics.deadLetter.name}`,
  ]
}

function deliveryText(delivery: Delivery): string {
  const { at, channel, subject, messageId, messageType, result, status: code, attempts, nextAttemptAt } = delivery
  const how = `${result.replace('_', ' ')}${code === null ? '' : ` (${code})`}`
  const tries = `${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}`
  const next = nextAttemptAt === null ? '' : `, next at ${formatInstant(nextAttemptAt)}`
  return `${formatInstant(at)}  ${channel}  ${messageType} ${subject}  ${how}, ${tries}${next}  ${messageId}`
}
