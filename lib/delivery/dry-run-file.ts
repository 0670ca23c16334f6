import { canonicalJson } from '#lib/codec/canonical-json.ts'
import { ObstreamError } from '#lib/errors.ts'
import type { DeliveryDecision } from './facts.ts'

/** One request that a dry run did not make. */
export interface DryRunMessage {
  readonly channel: string
  readonly messageId: string
  /** E.g. `obs.alert.opened`. */
  readonly type: string
  /** The exact body; of PagerDuty without its routing key. */
  readonly body: string
}

/**
 * The text of a file of requests that were not made, `out/latency_alerts/<job_id>.json`: a JSON array of
 * `{channel, message_id, type, body}`, one a line, in the order in which they would have gone out. What is held back is not in
 * it, and no secret is: URLs, signatures and routing keys are added when something is sent.
 */
export function formatDryRun(decisions: Iterable<DeliveryDecision>): string {
  const lines = [...decisions].flatMap(({ channel, messageId, messageType, body, send }) =>
    send ? [canonicalJson({ channel, message_id: messageId, type: messageType, body })] : [],
  )
  return lines.length === 0 ? '[]\n' : `[\n${lines.join(',\n')}\n]\n`
}

/**
 * Reads what `formatDryRun` has written; other members of an entry are left alone.
 *
 * @param name of the file, for the message of an error
 * @throws OBS_INPUT_INVALID, which names the entry, from 1
 */
export function parseDryRun(text: string, name: string): readonly DryRunMessage[] {
  const entries = parseJson(text)
  if (!Array.isArray(entries)) throw invalid(name, 'it is no JSON array')
  return entries.map((entry, index) => {
    const fault = faultOf(entry)
    if (fault !== undefined) throw invalid(name, `entry ${index + 1} ${fault}`)
    const { channel, message_id: messageId, type, body } = entry
    return { channel, messageId, type, body }
  })
}

const MEMBERS = ['channel', 'message_id', 'type', 'body']

function faultOf(entry: unknown): string | undefined {
  const members = Object(entry) as Record<string, unknown>
  const missing = MEMBERS.find((name) => typeof members[name] !== 'string' || members[name] === '')
  if (missing !== undefined) return `has no ${missing}`
  if (!isMessageId(members['message_id'] as string)) return 'has a message_id that is none'
  const body = parseJson(members['body'] as string)
  return typeof body === 'object' && body !== null && !Array.isArray(body) ? undefined : 'has a body that is no message'
}

/** Whether a text has the form of a message id, `msg_` and 32 hexadecimal digits. */
export function isMessageId(text: string): boolean {
  return /^msg_[0-9a-f]{32}$/.test(text)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function invalid(name: string, problem: string): ObstreamError {
  return new ObstreamError(
    'OBS_INPUT_INVALID',
    `${name} is not the file of a dry run: ${problem}. One is an array of {channel, message_id, type, body}, as --dry-run-alert writes it`,
  )
}
