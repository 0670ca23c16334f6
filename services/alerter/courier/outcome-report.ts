import type { DeliveryDecision, DeliveryOutcome } from '#lib/delivery/facts.ts'
import type { RunLogger } from '#lib/runtime/run.ts'
import type { CourierCounters } from '../metrics.ts'

/** Where attempts are told of besides the ledger. */
export interface OutcomeReport {
  readonly logger: RunLogger
  readonly counters: CourierCounters
}

/** One line of the log, and one more in the metrics, for one attempt. */
export function reportOutcome(
  { logger, counters }: OutcomeReport,
  { subject, channel }: Pick<DeliveryDecision, 'subject' | 'channel'>,
  outcome: DeliveryOutcome,
): void {
  const { result, status, attempt, detail } = outcome
  counters.attempt(channel, outcome)
  const fields = { subject, channel, result, attempts: attempt, response_code: status }
  const said = result === 'unknown' ? 'may have' : 'has not taken'
  if (result === 'accepted') logger.info(fields, `${channel} has ${subject}`)
  else logger.warn(fields, `${channel} ${said} ${subject}: ${result}${detail === null ? '' : `, ${detail}`}`)
}
