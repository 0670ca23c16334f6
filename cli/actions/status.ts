import { compareCauses } from '#lib/cause.ts'
import type { Said, Silence, Standing } from '#lib/commands/standing.ts'
import { type Delivery, readLastDeliveries } from '#lib/delivery/last-deliveries.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import type { Alert, JobFact, SampleFact } from '#lib/facts.ts'
import { readFacts } from '#lib/jobs/read-facts.ts'
import { codecOf, type Environment } from '#lib/runtime/environment.ts'
import { causeOf } from '#lib/runtime/record-headers.ts'
import type { Instant } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import type { CommandRun } from '../program.ts'
import type { StatusFlags } from '../status.ts'
import { closedChannels } from './closed-channels.ts'
import { atDesk, type OperatorDesk } from './operator.ts'
import { statusJson, statusText } from './status-text.ts'

/** `obstream status`: everything it tells is read from the log, so it works beside running services. */
export const status: CommandRun<readonly [StatusFlags]> = (session, flags) =>
  atDesk(session, 'status', flags, async (desk) => {
    const found = await look(desk, flags.deliveries)
    if (session.terminal.json) session.terminal.summary(statusJson(found))
    else for (const line of statusText(found, desk.env.clock.now())) session.terminal.print(line)
    return undefined
  })

/** What there is to tell. */
export interface Found {
  readonly lastTickAt: Instant | null
  readonly sources: readonly { readonly source: string; readonly scheduledAt: Instant; readonly text: string }[]
  /** Samples that rollup, and facts that the alerter, has not folded yet. */
  readonly behind: Readonly<Record<string, number>>
  readonly openAlerts: readonly OpenAlert[]
  /** By name, each since when. */
  readonly closedChannels: ReadonlyMap<string, Instant>
  /** The newest first; `null`: nobody asked for them. */
  readonly lastDeliveries: readonly Delivery[] | null
  readonly lastJob: (JobFact & { type: 'finished' }) | null
  readonly deadLetters: number
}

/** An open alert, and why nobody may hear of it. */
export interface OpenAlert {
  readonly alert: Alert
  readonly acknowledged: Said | null
  /** Those that hold it back now. */
  readonly silences: readonly Silence[]
}

async function look(desk: OperatorDesk, count: number): Promise<Found> {
  const { env } = desk
  const standing = await desk.commands.standing()
  const [deadLetters] = await env.log.offsets(topics.deadLetter.name)
  return {
    ...(await lookAtSamples(env)),
    behind: {
      rollup: await rollupLag(env.log),
      alerter: await alerterLag(env.log),
    },
    openAlerts: await openAlertsWith(desk, standing),
    closedChannels: await closedChannels(env, standing),
    lastDeliveries: count === 0 ? null : await lastDeliveries(env, count),
    lastJob: await lastJob(env),
    deadLetters: deadLetters!.end - deadLetters!.earliest,
  }
}

async function openAlertsWith(desk: OperatorDesk, standing: Standing): Promise<readonly OpenAlert[]> {
  const now = desk.env.clock.now()
  return (await desk.openAlerts()).map((alert) => ({
    alert,
    acknowledged: standing.acknowledgementOf(alert.alertId),
    silences: standing.silencesFor(desk.labelsOf(alert), now),
  }))
}

function lastDeliveries({ log, codecs, clock, config }: Environment, count: number): Promise<readonly Delivery[]> {
  const fastAttempts = 1 + config.delivery.maxRetries
  return readLastDeliveries(log, codecOf({ codecs }, topics.delivery), { now: clock.now(), count, fastAttempts })
}

async function lookAtSamples(env: Environment): Promise<Pick<Found, 'lastTickAt' | 'sources'>> {
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
  return {
    lastTickAt,
    sources: [...sources]
      .map(([source, probe]) => ({ source, scheduledAt: probe.scheduledAt, text: textOf(probe) }))
      .toSorted((a, b) => (a.source < b.source ? -1 : 1)),
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
