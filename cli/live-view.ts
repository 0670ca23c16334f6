import { type Cause, compareCauses } from '#lib/cause.ts'
import type { Alert, SampleFact, WindowFact } from '#lib/facts.ts'
import type { Environment } from '#lib/runtime/environment.ts'
import { decodeOwn } from '#lib/runtime/own-records.ts'
import { causeOf } from '#lib/runtime/record-headers.ts'
import { formatInstant, type Instant } from '#lib/time.ts'
import { type TopicDefinition, topics } from '#lib/topics.ts'
import { noticeLine } from '#services/alerter/messages/notice-line.ts'

/** Lines for a person who watches: what arrives, what closes, what is decided. */
export const sampleLine = (
  source: string,
  { scheduledAt, outcome, latencyMs, errorCode }: SampleFact & { type: 'probe' },
): string =>
  `${clockOf(scheduledAt)}  sample  ${source}  ${outcome === 'ok' ? `${latencyMs} ms` : [outcome, errorCode].filter(Boolean).join(' ')}`

export function windowLine(fact: WindowFact): string | null {
  if (fact.type === 'rejected')
    return `${clockOf(fact.decidedAt)}  refused ${fact.source}  sample of ${formatInstant(fact.scheduledAt)}: ${fact.reason}`
  if (fact.type === 'gap')
    return `${clockOf(fact.decidedAt)}  gap     ${fact.source}  ${fact.missingCount} slots without a sample since ${clockOf(fact.firstSlotAt)}`
  const { p50Ms, p95Ms, thresholdMs, count, expectedCount, verdict, reason, revision } = fact
  const verdictText =
    verdict === 'breach' ? `BREACH (${reason === 'errors' ? 'errors' : `p95 > ${thresholdMs} ms`})` : verdict
  const figures = `p50 ${p50Ms ?? '–'} ms  p95 ${p95Ms ?? '–'} ms  n ${count}/${expectedCount}`
  return `${clockOf(fact.decidedAt)}  window  ${fact.source}  ${clockOf(fact.startAt)}–${clockOf(fact.endAt)}  ${figures}  ${verdictText}${revision > 0 ? ` (revision ${revision})` : ''}`
}

const clockOf = (at: Instant): string => formatInstant(at).slice(11, 19)

/**
 * Writes a line for everything that comes to the log from now on, until `signal` aborts.
 *
 * @param onAlert hears of each transition after its line
 */
export async function watchLog(
  env: Environment,
  write: (line: string) => void,
  onAlert: (alert: Alert) => void,
  signal: AbortSignal,
): Promise<void> {
  const reader = { locale: env.config.locale, timeZone: env.config.displayTimeZone }
  await Promise.all([
    followFacts<SampleFact>(env, topics.sample, signal, (key, fact) => {
      if (fact.type === 'probe') write(sampleLine(key, fact))
    }),
    followFacts<WindowFact>(env, topics.window, signal, (_key, fact) => {
      const line = windowLine(fact)
      if (line) write(line)
    }),
    followFacts<Alert>(env, topics.alert, signal, (_key, alert) => {
      write(`${clockOf(alert.decidedAt)}  ALERT   ${noticeLine(alert, reader)}`)
      onAlert(alert)
    }),
  ])
}

/** Every fact once: copies are dropped by their cause, as every reader of a derived topic must. */
async function followFacts<Fact>(
  env: Environment,
  topic: TopicDefinition,
  signal: AbortSignal,
  take: (key: string, fact: Fact) => void,
): Promise<void> {
  const codec = env.codecs.get(topic)!
  await Promise.all(
    (await env.log.offsets(topic.name)).map(async ({ partition, end }) => {
      let newest: Cause | null = null
      for await (const batch of env.log.follow(topic.name, partition, end, signal))
        for (const record of batch.records()) {
          const cause = topic.derived ? causeOf(record) : [record.offset]
          if (!cause || !record.value || record.offset < end || (newest && compareCauses(cause, newest) <= 0)) continue
          newest = cause
          take(record.key.toString(), (await decodeOwn(codec, record.value)) as Fact)
        }
    }),
  )
}
