import { toWireNames } from '#lib/codec/names.ts'
import { handWords } from '#lib/delivery/by-hand.ts'
import type { DeliveryIntent } from '#lib/delivery/facts.ts'
import type { LedgerMessage } from '#lib/delivery/ledger.ts'
import type { MessageState } from '#lib/delivery/message-state.ts'
import type { Alert, Evidence, Window } from '#lib/facts.ts'
import { formatDuration, formatInstant, type Instant } from '#lib/time.ts'
import { NO_CHANNEL } from '#services/alerter/courier/decide.ts'
import { nextAttemptWords, printable } from './answer-text.ts'
import type { Explained, Told, ToldMessage } from './explain.ts'

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

function messageJson({ decision, attempts, state }: ToldMessage): object {
  return {
    ...(toWireNames(decision) as object),
    state: state.kind,
    overtaken_by: state.kind === 'overtaken' ? state.by : null,
    attempts: attempts.map(({ intent, outcome }) => ({
      attempt: intent.attempt,
      at: formatInstant(intent.at),
      by_hand: handWords(intent) ?? null,
      outcome: outcome && toWireNames(outcome),
    })),
  }
}

/** For a person who was woken by it: how it is, why it was told and why not earlier, who was told what. */
export function explainedText(explained: Explained, now: Instant): readonly string[] {
  const { transitions, before } = explained
  return [
    transitions[0]!.alert.alertId,
    stateLine(transitions.map(({ alert }) => alert)),
    '',
    'What was decided, and from what',
    ...transitions.flatMap(({ alert }) => transitionLines(alert)),
    ...(before.length > 0 ? ['', 'Why not earlier', ...before.map(beforeLine)] : []),
    '',
    'What was sent to whom',
    ...toldInOrder(explained, now),
  ]
}

/** A correction leaves an alert as open, or as over, as it was. */
function stateLine(alerts: readonly Alert[]): string {
  const { kind, severity, openedAt, decidedAt } = alerts.findLast((alert) => alert.kind !== 'annotated') ?? alerts[0]!
  const length = lengthOf(decidedAt - openedAt)
  if (kind === 'resolved')
    return `resolved, ${severity}, since ${formatInstant(decidedAt)}; it had been open for ${length}, from ${formatInstant(openedAt)}`
  const newest = kind === 'opened' ? '' : `; ${kind} after ${length}`
  return `open, ${severity}, since ${formatInstant(openedAt)}${newest}`
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

/** By transition; that nobody acknowledged it stands before the first one that was decided about later. */
function toldInOrder({ transitions, unacknowledged }: Explained, now: Instant): readonly string[] {
  const alarm = unacknowledged.flatMap((message) => messageLines('unacknowledged', message, now))
  const since = unacknowledged[0]?.order ?? Number.POSITIVE_INFINITY
  const later = transitions.findIndex(({ messages }) => (messages[0]?.order ?? Number.POSITIVE_INFINITY) > since)
  const at = later < 0 ? transitions.length : later
  const told = (part: readonly Told[]): readonly string[] => part.flatMap((each) => toldLines(each, now))
  return [...told(transitions.slice(0, at)), ...alarm, ...told(transitions.slice(at))]
}

function toldLines({ alert, messages }: Told, now: Instant): readonly string[] {
  if (messages.length === 0) return [`  ${sequence(alert)} ${alert.kind}: the courier has not seen it yet`]
  return messages.flatMap((message) => messageLines(`${sequence(alert)} ${alert.kind}`, message, now))
}

function messageLines(subject: string, message: ToldMessage, now: Instant): readonly string[] {
  const { channel, reason, decidedAt, messageId } = message.decision
  if (channel === NO_CHANNEL) return [`  ${subject} → nobody: ${reason}`]
  if (message.state.kind === 'held_back') return [`  ${subject} → ${channel}: held back, ${reason}`]
  return [
    `  ${subject} → ${channel}: ${stateWords(message.state, now)}; ${reason} (decided ${formatInstant(decidedAt)}, ${messageId})`,
    ...message.attempts.map(
      ({ intent, outcome }) => `      attempt ${intent.attempt} ${byWords(intent)}${attemptWords(intent.at, outcome)}`,
    ),
  ]
}

function stateWords(state: Exclude<MessageState, { kind: 'held_back' }>, now: Instant): string {
  switch (state.kind) {
    case 'waiting':
      return 'waits'
    case 'under_way':
      return 'under way'
    case 'delivered':
      return 'delivered'
    case 'not_delivered':
      return `not delivered yet, ${nextAttemptWords(state.nextAttemptAt, now)}`
    case 'given_up':
      return state.behind === null ? 'given up' : `given up: ${state.behind} is told in its place`
    case 'overtaken':
      return `given up: ${state.by} is told instead`
  }
}

function byWords(intent: DeliveryIntent): string {
  const hand = handWords(intent)
  return hand === undefined ? '' : `by hand (${printable(hand)}) `
}

function attemptWords(at: Instant, outcome: LedgerMessage['attempts'][number]['outcome']): string {
  if (!outcome) return `at ${formatInstant(at)}: nothing is known of it yet, it may have arrived`
  const { result, status, detail, durationMs } = outcome
  const answer = status === null ? '' : ` (${status})`
  const why = detail === null || result === 'accepted' ? '' : `: ${printable(detail)}`
  return `at ${formatInstant(at)}: ${result}${answer} after ${durationMs} ms${why}`
}

const sequence = ({ sequence: number }: Alert): string => String(number).padStart(4, '0')

const lengthOf = (ms: number): string => formatDuration(Math.round(ms / 1_000) * 1_000)
