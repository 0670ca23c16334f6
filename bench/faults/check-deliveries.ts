import { Ledger, type LedgerMessage } from '#lib/delivery/ledger.ts'
import { laneOf } from '#lib/delivery/message-name.ts'
import { isAccepted, obsoleteBy } from '#lib/delivery/next-step.ts'
import type { Alert } from '#lib/facts.ts'
import { readFactSet } from '#lib/jobs/read-facts.ts'
import { codecOf, type Environment } from '#lib/runtime/environment.ts'
import type { Instant } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { alertIdOf } from '#services/alerter/courier/subjects.ts'
import type { Fault } from './fault.ts'
import { incidentsAfter, triggers } from './incidents.ts'
import type { Arrival } from './receivers.ts'

/** What the receivers can tell. */
export interface Told {
  readonly arrivals: readonly Arrival[]
  /** What was decided up to then must have arrived: couriers and receivers were well, and had the time. */
  readonly untilAt: Instant
}

/**
 * Proves from the ledger and from what receivers wrote down that each transition was decided about, each message that was
 * decided arrived as it was decided, nothing else did, in its order, and the pager shows what obstream holds.
 */
export async function checkDeliveries(env: Environment, told: Told): Promise<readonly Fault[]> {
  const transitions = await transitionsIn(env)
  const messages = await messagesIn(env)
  return [
    ...undecided(transitions, messages, told),
    ...unheard(messages, told),
    ...unsaid(messages, told.arrivals),
    ...unended(transitions, messages, told),
    ...disordered(messages, told.arrivals),
    ...misleading(messages, told.arrivals),
  ]
}

/** How many messages were decided to be sent. */
export async function countMessages(env: Environment): Promise<number> {
  return (await messagesIn(env)).filter(({ decision }) => decision.send).length
}

/** When the newest transition that is in the log was decided. */
export async function newestTransitionAt(env: Environment): Promise<Instant> {
  return Math.max(Number.NEGATIVE_INFINITY, ...(await transitionsIn(env)).map(({ alert }) => alert.decidedAt))
}

interface Transition {
  readonly key: string
  readonly alert: Alert
}

async function transitionsIn(env: Environment): Promise<readonly Transition[]> {
  const facts = await readFactSet(env.log, codecOf(env, topics.alert))
  return facts.map(({ key, value }) => ({ key, alert: value }))
}

async function messagesIn(env: Environment): Promise<readonly LedgerMessage[]> {
  const messages: LedgerMessage[] = []
  for (const { partition } of await env.log.offsets(topics.delivery.name)) {
    const ledger = await Ledger.open(env.log, codecOf(env, topics.delivery), { partition, sinceAt: 0 })
    messages.push(...ledger.messages())
  }
  return messages
}

function undecided(
  transitions: readonly Transition[],
  messages: readonly LedgerMessage[],
  { untilAt }: Told,
): readonly Fault[] {
  const subjects = new Set(messages.map(({ decision }) => decision.subject))
  return transitions
    .filter(({ key, alert }) => alert.decidedAt <= untilAt && !subjects.has(key))
    .map(({ key }) => ({ kind: 'message_lost', about: `nobody has decided whether ${key} is told` }))
}

/** Messages that no receiver has taken, byte for byte: those that the ledger calls accepted, and what nothing made obsolete. */
function unheard(messages: readonly LedgerMessage[], { arrivals, untilAt }: Told): readonly Fault[] {
  const lanes = Map.groupBy(messages, ({ decision }) => laneOf(decision))
  const taken = new Set(arrivals.filter((arrival) => arrival.taken).map(({ channel, body }) => nameOf(channel, body)))
  return messages
    .filter(({ decision }) => decision.send && decision.decidedAt <= untilAt)
    .filter((message) => isAccepted(message) || !obsoleteBy(message, lanes.get(laneOf(message.decision))!))
    .filter(({ decision }) => !taken.has(nameOf(decision.channel, decision.body!)))
    .map(({ decision }) => ({
      kind: 'message_lost',
      about: `${decision.channel} has never taken what was decided about ${decision.subject}`,
    }))
}

/** Arrivals that nobody has decided, or under another id. */
function unsaid(messages: readonly LedgerMessage[], arrivals: readonly Arrival[]): readonly Fault[] {
  const decided = new Map(
    messages.flatMap(({ decision: { channel, body, messageId } }) =>
      body === null ? [] : [[nameOf(channel, body), messageId] as const],
    ),
  )
  return arrivals.flatMap(({ channel, body, messageId }): readonly Fault[] => {
    const expected = decided.get(nameOf(channel, body))
    if (expected === undefined)
      return [{ kind: 'message_changed', about: `${channel} got what nobody decided: ${body}` }]
    if (messageId === null || messageId === expected) return []
    return [{ kind: 'message_changed', about: `${channel} got ${messageId} with the body of ${expected}` }]
  })
}

/** Alerts that are over, of which a channel knows the beginning and is not told the end. */
function unended(
  transitions: readonly Transition[],
  messages: readonly LedgerMessage[],
  { untilAt }: Told,
): readonly Fault[] {
  const sent = new Set(messages.filter(({ decision }) => decision.send).map(({ decision }) => subjectOn(decision)))
  return transitions
    .filter(({ alert }) => alert.kind === 'resolved' && alert.decidedAt <= untilAt)
    .flatMap(({ key, alert }) => {
      const knowing = messages
        .filter(({ decision }) => decision.send && alertIdOf(decision.subject) === alert.alertId)
        .map(({ decision }) => decision.channel)
      return [...new Set(knowing)]
        .filter((channel) => !sent.has(subjectOn({ subject: key, channel })))
        .map(
          (channel): Fault => ({ kind: 'message_lost', about: `${channel} is not told that ${alert.alertId} is over` }),
        )
    })
}

/** Of each alert on each channel, first arrivals come in the order of its transitions. */
function disordered(messages: readonly LedgerMessage[], arrivals: readonly Arrival[]): readonly Fault[] {
  const subjects = new Map(
    messages.flatMap(({ decision }) =>
      decision.body === null ? [] : [[nameOf(decision.channel, decision.body), decision.subject] as const],
    ),
  )
  const newest = new Map<string, string>()
  const seen = new Set<string>()
  const faults: Fault[] = []
  for (const { channel, body } of arrivals) {
    const subject = subjects.get(nameOf(channel, body))
    if (subject === undefined || seen.has(nameOf(channel, body))) continue
    seen.add(nameOf(channel, body))
    if (!isNumbered(subject)) continue
    const lane = subjectOn({ subject: alertIdOf(subject), channel })
    if ((newest.get(lane) ?? '') > subject)
      faults.push({ kind: 'message_disordered', about: `${channel} got ${subject} after ${newest.get(lane)}` })
    newest.set(lane, subject)
  }
  return faults
}

/** What the pager shows must follow from what was decided for it and has come. */
function misleading(messages: readonly LedgerMessage[], arrivals: readonly Arrival[]): readonly Fault[] {
  const events = arrivals.filter(({ channel, taken }) => channel === 'pd' && taken).map(({ body }) => body)
  const come = new Set(events.map((body) => nameOf('pd', body)))
  const bodies = messages
    .filter(({ decision }) => decision.channel === 'pd' && decision.body !== null)
    .filter(({ decision }) => come.has(nameOf('pd', decision.body!)))
    .toSorted((a, b) => a.order - b.order)
    .map(({ decision }) => decision.body!)
  const shown = incidentsAfter(events)
  const meant = new Map(bodies.map((body) => [triggers(body).dedupKey, triggers(body).isTrigger]))
  return [...meant]
    .filter(([dedupKey, isOpen]) => shown.has(dedupKey) !== isOpen)
    .map(([dedupKey, isOpen]) => ({
      kind: 'incident_wrong',
      about: `the pager shows ${dedupKey} as ${isOpen ? 'over' : 'open'}, and it is ${isOpen ? 'open' : 'over'}`,
    }))
}

/** The routing key, which the ledger does not know, is left out. */
function nameOf(channel: string, body: string): string {
  const { routing_key: _, ...rest } = JSON.parse(body) as Record<string, unknown>
  return `${channel} ${JSON.stringify(rest)}`
}

const subjectOn = ({ subject, channel }: { readonly subject: string; readonly channel: string }): string =>
  `${subject} ${channel}`

const isNumbered = (subject: string): boolean => /\/\d+$/.test(subject)
