import { setImmediate } from 'node:timers/promises'
import { expect, jest, test } from '@jest/globals'
import fc from 'fast-check'
import { laneOf } from '#lib/delivery/message-name.ts'
import { isAccepted, isGivenUp, obsoleteBy } from '#lib/delivery/next-step.ts'
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '#lib/time.ts'
import { alertIdOf } from '#services/alerter/courier/subjects.ts'
import { answering, type Behaviour, type Received, raw } from '#tests/support/receiver.ts'
import { hours, inOrder, MONDAY, run, type Written } from '../desk.ts'
import { CourierDesk } from './courier-desk.ts'

jest.setTimeout(240_000)

/** What a receiver does with a request; `refuse` is for good, and an end is never refused. */
const deeds = ['take', 'fail', 'break', 'wait', 'refuse'] as const
type Deed = (typeof deeds)[number]

const script = fc
  .array(fc.tuple(fc.constantFrom(...deeds), fc.integer({ min: 1, max: 6 })), { maxLength: 3 })
  .map((parts) => parts.flatMap(([deed, times]) => Array<Deed>(times).fill(deed)))

const scenario = fc.record({
  story: fc
    .array(fc.constantFrom('B', 'R', 'R R', 'B B'), { minLength: 1, maxLength: 6 })
    .map((letters) => ['B', 'B', ...letters].join(' ')),
  fallback: fc.constantFrom('pd', 'chat', null),
  routes: fc.constantFrom(
    { warning: ['ops'], critical: ['ops', 'pd'] },
    { warning: ['ops'], critical: ['ops'] },
    { warning: ['ops', 'pd'], critical: ['ops'] },
  ),
  /** How long the log takes for one call after the other, in turns of the event loop. */
  turns: fc.array(fc.integer({ min: 0, max: 8 }), { minLength: 13, maxLength: 13 }),
  scripts: fc.record({ webhook: script, pagerduty: script, slack: script }),
  /** Couriers one after the other: how many hours are over when one starts, and how many seconds it runs. */
  couriers: fc.array(fc.record({ hours: fc.integer({ min: 1, max: 5 }), seconds: fc.integer({ min: 0, max: 200 }) }), {
    minLength: 14,
    maxLength: 14,
  }),
})
type Scenario = typeof scenario extends fc.Arbitrary<infer Drawn> ? Drawn : never

/** Several sources that fare alike, so that much is decided at the same time. */
const factsOf = (story: string): readonly Written[] =>
  inOrder(...['router_a', 'router_b', 'router_c'].map((source) => hours(story, MONDAY, { source })))

/** Makes each append and each question for an end take its time. */
function delay({ log }: CourierDesk, turns: readonly number[]): void {
  let call = 0
  const pass = async (): Promise<void> => {
    for (let left = turns[call++ % turns.length]!; left > 0; left--) await setImmediate()
  }
  const [append, offsets] = [log.append.bind(log), log.offsets.bind(log)]
  log.append = async (...args) => {
    await pass()
    return append(...args)
  }
  log.offsets = async (...args) => {
    await pass()
    return offsets(...args)
  }
}

const isEnd = ({ body }: Received): boolean => /resolve|RESOLVED/.test(body.toString())

function doing(script: readonly Deed[]): (received: Received) => Behaviour {
  return (received) => {
    const deed = script[received.index] ?? 'take'
    if (deed === 'fail' || (deed === 'refuse' && isEnd(received))) return answering(503)
    if (deed === 'break') return raw('', 'reset')
    if (deed === 'wait') return answering(429, '', { 'retry-after': '400' })
    return deed === 'refuse' ? answering(400) : answering(200, 'ok')
  }
}

/** What PagerDuty has open after these events, by their keys. */
function incidents(events: readonly { readonly dedup_key: string; readonly event_action: string }[]): Set<string> {
  const open = new Set<string>()
  for (const { dedup_key: key, event_action: action } of events)
    if (action === 'trigger') open.add(key)
    else open.delete(key)
  return open
}

async function play(desk: CourierDesk, { story, couriers }: Scenario): Promise<void> {
  const letters = story.split(' ')
  let [known, hour] = [0, 1]
  for (const courier of couriers) {
    if (hour === letters.length) return
    hour = Math.min(hour + courier.hours, letters.length)
    const facts = factsOf(letters.slice(0, hour).join(' '))
    desk.clock.advance(Math.max(facts.at(-1)!.value.decidedAt - desk.clock.now(), 0))
    await desk.append(facts, known)
    known = run(facts).length
    await desk.start()
    const untilAt = desk.clock.now() + courier.seconds * SECOND_MS
    await desk.until(() => desk.clock.now() >= untilAt)
    await desk.stop()
  }
}

/** Until every message is accepted, given up or overtaken. */
async function nothingIsLeft(desk: CourierDesk): Promise<void> {
  for (let isOver = false; !isOver; ) {
    await desk.settled(await desk.start())
    await desk.stop()
    desk.clock.advance(2 * HOUR_MS)
    const ledger = await desk.ledger()
    isOver = ledger.every((message) => {
      const lane = ledger.filter((other) => laneOf(other.decision) === laneOf(message.decision))
      return (
        !message.decision.send || isAccepted(message) || isGivenUp(message) || obsoleteBy(message, lane) !== undefined
      )
    })
  }
}

test('whatever receivers answer and however often couriers change, who was told of an alert is told its end, in order', async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async (drawn) => {
      const desk = await CourierDesk.open(MONDAY + HOUR_MS + 10 * MINUTE_MS)
      try {
        desk.routes(drawn.routes)
        delay(desk, drawn.turns)
        desk.delivery({ fallback: drawn.fallback })
        const taken: string[] = []
        for (const kind of ['webhook', 'pagerduty', 'slack'] as const) {
          const behave = doing(drawn.scripts[kind])
          desk.receivers[kind].follow((received) => {
            const behaviour = behave(received)
            if (kind === 'pagerduty' && behaviour.do === 'answer' && behaviour.status === 200)
              taken.push(received.body.toString())
            return behaviour
          })
        }
        await play(desk, drawn)
        await nothingIsLeft(desk)

        const alerts = Map.groupBy(run(factsOf(drawn.story)), ({ alert }) => alert.alertId)
        const isOver = (id: string): boolean => alerts.get(id)!.some(({ alert }) => alert.kind === 'resolved')
        const open = incidents(taken.map((body) => JSON.parse(body)))
        expect([...open].filter((key) => isOver(key.split(':').slice(2).join(':')))).toEqual([])

        const ledger = await desk.ledger()
        for (const [id, transitions] of alerts) {
          const end = transitions.find(({ alert }) => alert.kind === 'resolved')?.key
          const about = ledger.filter(({ decision }) => alertIdOf(decision.subject) === id && decision.send)
          for (const ofChannel of Map.groupBy(about, ({ decision }) => decision.channel).values()) {
            const accepted = ofChannel.filter(isAccepted)
            const firstAt = accepted.map(
              ({ attempts }) => attempts.find(({ outcome }) => outcome?.result === 'accepted')!.intent.at,
            )
            expect(firstAt).toEqual(firstAt.toSorted((a, b) => a - b))
            if (end !== undefined) expect(ofChannel.at(-1)!.decision.subject).toBe(end)
          }
        }
      } finally {
        await desk.close()
      }
    }),
    { numRuns: 40, endOnFailure: true },
  )
})
