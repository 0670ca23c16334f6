import { Ledger, type LedgerMessage } from '#lib/delivery/ledger.ts'
import { type MessageState, stateOf } from '#lib/delivery/message-state.ts'
import { ObstreamError } from '#lib/errors.ts'
import type { Alert, Window } from '#lib/facts.ts'
import { readFactSet } from '#lib/jobs/read-facts.ts'
import { alertKey } from '#lib/keys.ts'
import { partitionOf } from '#lib/partitioner.ts'
import { ruleFor } from '#lib/plan.ts'
import { codecOf, type Environment } from '#lib/runtime/environment.ts'
import { topics } from '#lib/topics.ts'
import { unacknowledgedSubject } from '#services/alerter/courier/subjects.ts'
import { addToTally, decide, emptyTally, signalOf } from '#services/alerter/escalation.ts'
import { alertIdIn } from '../alert-name.ts'
import type { ExplainFlags } from '../explain.ts'
import type { CommandRun } from '../program.ts'
import { openExistingDesk } from './desk.ts'
import { explainedJson, explainedText } from './explain-text.ts'

/** One alert, and everything that was said about it. */
export interface Explained {
  readonly transitions: readonly Told[]
  /** That nobody acknowledged it, if that was told. */
  readonly unacknowledged: readonly ToldMessage[]
  /** The windows that led to it, from the last good one on, with what each was not enough for. */
  readonly before: readonly { readonly window: Window; readonly reason: string }[]
}

export interface Told {
  readonly alert: Alert
  /** What was decided about it, channel by channel; empty: the courier has not seen it yet. */
  readonly messages: readonly ToldMessage[]
}

/** A message, and how it stands with it. */
export interface ToldMessage extends LedgerMessage {
  readonly state: MessageState
}

/** `obstream explain`: from the log alone, so it works beside running services and on a copy. */
export const explain: CommandRun<readonly [string, ExplainFlags]> = async (session, name, flags) => {
  const env = await openExistingDesk(session, 'explain', flags)
  try {
    const explained = await lookUp(env, alertIdIn(name))
    if (session.terminal.json) session.terminal.summary(explainedJson(explained))
    else for (const line of explainedText(explained, env.clock.now())) session.terminal.print(line)
  } finally {
    await env.close()
  }
  return undefined
}

async function lookUp(env: Environment, alertId: string): Promise<Explained> {
  const alerts = (await readFactSet(env.log, codecOf(env, topics.alert))).map(({ value }) => value)
  const transitions = alerts.filter((alert) => alert.alertId === alertId).sort((a, b) => a.sequence - b.sequence)
  const [first] = transitions
  if (!first) throw unknownAlert(alertId, alerts)
  const partitions = (await env.log.offsets(topics.delivery.name)).length
  const partition = partitionOf(first.source, partitions)
  const ledger = await Ledger.open(env.log, codecOf(env, topics.delivery), { partition, sinceAt: first.decidedAt })
  const circumstances = { ledger, fastAttempts: 1 + env.config.delivery.maxRetries, now: env.clock.now() }
  const about = (subject: string): readonly ToldMessage[] =>
    ledger.about(subject).map((message) => ({ ...message, state: stateOf(message, circumstances) }))
  return {
    transitions: transitions.map((alert) => ({ alert, messages: about(alertKey(alertId, alert.sequence)) })),
    unacknowledged: about(unacknowledgedSubject(alertId)),
    before: first.about === 'breach' ? await windowsBefore(env, first) : [],
  }
}

/** The windows that were closed before the first transition, from the last one on that ended every streak. */
async function windowsBefore(env: Environment, first: Alert): Promise<Explained['before']> {
  const plan = await env.plans.wait(first.plan, AbortSignal.timeout(PLAN_WAIT_MS))
  const rule = plan && ruleFor(plan, first.source)
  if (!rule) return []
  const facts = await readFactSet(env.log, codecOf(env, topics.window))
  const windows = facts
    .flatMap(({ value }) => (value.type === 'window' && value.source === first.source ? [value] : []))
    .filter((window) => window.revision === 0 && !window.late && window.decidedAt < first.decidedAt)
    .sort((a, b) => a.startAt - b.startAt)
  const from = windows.findLastIndex(({ verdict }) => verdict === 'ok' || verdict === 'closed')
  let tally = emptyTally
  return windows.slice(Math.max(from, 0)).flatMap((window) => {
    if (window.verdict === 'retired') return []
    const signal = signalOf(window, rule)
    tally = addToTally(tally, { signal, evidence: null })
    return [{ window, reason: decide.quiet[signal](tally, rule).reason }]
  })
}

/** A plan stands in the log before the tick that names it. */
const PLAN_WAIT_MS = 10_000

function unknownAlert(alertId: string, alerts: readonly Alert[]): ObstreamError {
  const newest = [...new Set(alerts.map((alert) => alert.alertId))].slice(-5)
  const known = newest.length === 0 ? 'there has been none yet' : `the newest are:\n  ${newest.join('\n  ')}`
  return new ObstreamError('OBS_ALERT_UNKNOWN', `there is no alert ${alertId}; ${known}`)
}
