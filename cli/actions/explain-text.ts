import { toWireNames } from '#lib/codec/names.ts'
import { handWords } from '#lib/delivery/by-hand.ts'
import type { DeliveryIntent } from '#lib/delivery/facts.ts'
import type { LedgerMessage } from '#lib/delivery/ledger.ts'
import { isAccepted } from '#lib/delivery/next-step.ts'
import type { Alert, Evidence, Window } from '#lib/facts.ts'
import { formatDuration, formatInstant, type Instant } from '#lib/time.ts'
import { printable } from './answer-text.ts'
import type { Explained, Told } from './explain.ts'

export function explainedJson({ transitions, unacknowledged, before }: Explained): object {
  return {
    alert_id: transitions[0]!.alert.alertId,
    transitions: transitions.map(({ alert, messages }) => ({
      ...(toWireNames(alert) as object),
      messages: messages.map(messageJson),
    })),
    unacknowledged: unacknowledged.map(messageJson),
    before: before.map(({ window, reason }) => ({
      start_at: formatInstant(window.startAt),
      verdict: window.verdict,
      p95_ms: window.p95Ms,
      reason,
    })),
  }
}

function messageJson({ decision, attempts }: LedgerMessage): object {
  return {
    ...(toWireNames(decision) as object),
    attempts: attempts.map(({ intent, outcome }) => ({
      attempt: intent.attempt,
      at: formatInstant(intent.at),
      by_hand: handWords(intent) ?? null,
      outcome: outcome && toWireNames(outcome),
    })),
  }
}

/** For a person who was woken by it: how it is, why it was told and why not earlier, who was told what. */
export function explainedText({ transitions, unacknowledged, before }: Explained): readonly string[] {
  const newest = transitions.at(-1)!.alert
  const state = newest.kind === 'resolved' ? 'resolved' : 'open'
  return [
    `${newest.alertId}`,
    `${state}, ${newest.severity}, since ${formatInstant(newest.openedAt)}; ${lengthOf(newest.decidedAt - newest.openedAt)} to its newest transition`,
    '',
    'What was decided, and from what',
    ...transitions.flatMap(({ alert }) => transitionLines(alert)),
    ...(before.length > 0 ? ['', 'Why not earlier', ...before.map(beforeLine)] : []),
    '',
    'What was sent to whom',
    ...transitions.flatMap(toldLines),
    ...unacknowledged.flatMap((message) => messageLines('unacknowledged', message)),
  ]
}

function transitionLines(alert: Alert): readonly string[] {
  const head = `  ${formatInstant(alert.decidedAt)}  ${sequence(alert)} ${alert.kind} ${alert.severity}: ${alert.reason}`
  return [head, ...alert.evidence.map((evidence) => `      ${evidenceLine(evidence)}`)]
}

function evidenceLine({ key, verdict, count, errorCount, p95Ms, sha256 }: Evidence): string {
  const values = verdict === 'gap' ? '' : `  p95 ${p95Ms ?? '–'} ms  n ${count}  errors ${errorCount}`
  return `${key}  ${verdict}${values}  sha256 ${sha256.slice(0, 16)}…`
}

function beforeLine({ window, reason }: { readonly window: Window; readonly reason: string }): string {
  const { startAt, endAt, verdict, p95Ms, count } = window
  const span = `${formatInstant(startAt)} – ${formatInstant(endAt).slice(11)}`
  return `  ${span}  ${verdict}  p95 ${p95Ms ?? '–'} ms  n ${count}: ${reason}`
}

function toldLines({ alert, messages }: Told): readonly string[] {
  if (messages.length === 0) return [`  ${sequence(alert)} ${alert.kind}: the courier has not seen it yet`]
  return messages.flatMap((message) => messageLines(`${sequence(alert)} ${alert.kind}`, message))
}

function messageLines(subject: string, message: LedgerMessage): readonly string[] {
  const { channel, send, reason, decidedAt, messageId } = message.decision
  if (!send) return [`  ${subject} → ${channel}: held back, ${reason}`]
  const state = isAccepted(message) ? 'delivered' : message.attempts.length === 0 ? 'waits' : 'not delivered'
  return [
    `  ${subject} → ${channel}: ${state}; ${reason} (decided ${formatInstant(decidedAt)}, ${messageId})`,
    ...message.attempts.map(
      ({ intent, outcome }) => `      attempt ${intent.attempt} ${byWords(intent)}${attemptWords(intent.at, outcome)}`,
    ),
  ]
}

function byWords(intent: DeliveryIntent): string {
  const hand = handWords(intent)
  return hand === undefined ? '' : `by hand (${printable(hand)}) `
}

function attemptWords(at: Instant, outcome: LedgerMessage['attempts'][number]['outcome']): string {
  if (!outcome) return `at ${formatInstant(at)}: nothing is known of it yet, it may have arrived`
  const { result, status, detail, durationMs, nextAttemptAt } = outcome
  const answer = status === null ? '' : ` (${status})`
  const why = detail === null || result === 'accepted' ? '' : `: ${printable(detail)}`
  const next = nextAttemptAt === null ? '' : `; next at ${formatInstant(nextAttemptAt)}`
  return `at ${formatInstant(at)}: ${result}${answer} after ${durationMs} ms${why}${next}`
}

const sequence = ({ sequence: number }: Alert): string => String(number).padStart(4, '0')

const lengthOf = (ms: number): string => formatDuration(Math.round(ms / 1_000) * 1_000)
