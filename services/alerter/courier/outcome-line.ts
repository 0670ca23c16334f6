import type { DeliveryDecision, DeliveryOutcome } from '#lib/delivery/facts.ts'
import type { RunLogger } from '#lib/runtime/run.ts'

/** One line of the log for one attempt. */
export function logOutcome(
  logger: RunLogger,
  { subject, channel }: Pick<DeliveryDecision, 'subject' | 'channel'>,
  { result, status, attempt, detail }: DeliveryOutcome,
): void {
  const fields = { subject, channel, result, attempts: attempt, response_code: status }
  if (result === 'accepted') logger.info(fields, `${channel} has ${subject}`)
  else logger.warn(fields, `${channel} has not taken ${subject}: ${result}${detail === null ? '' : `, ${detail}`}`)
}
