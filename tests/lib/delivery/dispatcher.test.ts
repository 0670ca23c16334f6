import { afterEach, describe, expect, test } from '@jest/globals'
import { openCodec } from '#lib/codec/avro.ts'
import type { Classified } from '#lib/delivery/classify.ts'
import { Dispatcher, type Sender } from '#lib/delivery/dispatcher.ts'
import type { DeliveryDecision, DeliveryOutcome, DeliveryResult } from '#lib/delivery/facts.ts'
import { Ledger, type LedgerMessage } from '#lib/delivery/ledger.ts'
import { messageName } from '#lib/delivery/message-name.ts'
import { Pacers } from '#lib/delivery/pacer.ts'
import { openMemoryLog } from '#lib/eventlog/memory.ts'
import { openEmbeddedRegistry } from '#lib/registry/embedded.ts'
import { SECOND_MS } from '#lib/time.ts'
import { catalogue, topics } from '#lib/topics.ts'
import { eventually } from '#tests/support/eventually.ts'
import { ManualClock } from '#tests/support/manual-clock.ts'

const START = Date.parse('2026-06-27T20:00:00Z')
const ALERT = 'breach/r/router_demo/2026-06-27T20:00:00Z'

const answer = (result: DeliveryResult, status: number | null = null): Classified => ({
  result,
  status,
  detail: null,
  retryAfter: null,
})
const ok = answer('accepted', 200)
const busy = answer('retry', 503)

/** A receiver that answers by a script, `ok` when that is over, and what it was sent. */
class Receiver implements Sender {
  readonly got: string[] = []
  leastRetryMs = 0
  intervalMs = 0
  script: (Classified | Promise<Classified>)[] = []

  async post({ subject }: DeliveryDecision): Promise<Classified> {
    this.got.push(subject.slice(ALERT.length + 1))
    return (await this.script.shift()) ?? ok
  }
}

const running: Dispatcher[] = []
afterEach(() => Promise.all(running.splice(0).map((dispatcher) => dispatcher.stop())))

async function scene() {
  const clock = new ManualClock(START)
  const log = openMemoryLog({ clock, partitions: 1 })
  await log.topics.apply(catalogue)
  const codec = await openCodec(topics.delivery, openEmbeddedRegistry(log.schemas))
  const receiver = new Receiver()
  const told: DeliveryOutcome[] = []
  const over: LedgerMessage[] = []
  const open = () => Ledger.open(log, codec, { partition: 0, sinceAt: 0 })
  const ledger = await open()
  const dispatcher = (courier: string, sender: Sender | null = receiver) => {
    const made = new Dispatcher({
      clock,
      logger: { warn: () => {} },
      courier,
      sender: () => sender ?? undefined,
      schedule: () => ({ maxRetries: 2, waitMs: 10 * SECOND_MS, slowForMs: 0 }),
      told: async (_, outcome) => void told.push(outcome),
      over: async (message) => void over.push(message),
      pacers: new Pacers(clock),
    })
    running.push(made)
    return made
  }
  /** Decides to tell the transitions of an alert. */
  const decide = async (...sequences: string[]) => {
    const names = sequences.map((sequence) => messageName('test', `${ALERT}/${sequence}`, 'ops'))
    const common = { send: true, code: 'routed', reason: '', commands: [], channelConfig: '', dryRun: false } as const
    await ledger.claim(
      names.map((name) => ({
        type: 'decision',
        ...name,
        ...common,
        decidedAt: clock.now(),
        messageType: 'obs.alert.opened',
        body: '{}',
      })),
    )
    return names
  }
  return { clock, ledger, open, receiver, told, over, dispatcher, decide }
}

/** A second passes. */
function tick(clock: ManualClock): true {
  clock.advance(SECOND_MS)
  return true
}

const LANE = `${ALERT}/ops`
const results = (outcomes: readonly DeliveryOutcome[]): string => outcomes.map(({ result }) => result).join(' ')

describe('sending what was decided', () => {
  test('a message is sent once, with an intent before and an outcome after it', async () => {
    const { ledger, receiver, over, dispatcher, decide } = await scene()
    const [name] = await decide('0000')
    const sending = dispatcher('a')
    sending.send(LANE, { ledger, name: name! })
    await eventually(() => over.length === 1)
    expect(receiver.got).toEqual(['0000'])
    expect(ledger.message(name!)!.attempts).toMatchObject([
      { intent: { attempt: 1, courier: 'a' }, outcome: { attempt: 1, result: 'accepted', status: 200 } },
    ])
    expect(sending.pendingCount).toBe(0)
  })

  test('503, 503, 200: three attempts, each when its time has come', async () => {
    const { clock, ledger, receiver, told, dispatcher, decide } = await scene()
    receiver.script = [busy, busy]
    const [name] = await decide('0000')
    dispatcher('a').send(LANE, { ledger, name: name! })
    for (const count of [1, 2]) {
      await eventually(() => told.length === count)
      clock.advance(told.at(-1)!.nextAttemptAt! - clock.now() - 1)
      expect(receiver.got).toHaveLength(count)
      clock.advance(1)
    }
    await eventually(() => told.length === 3)
    expect(results(told)).toBe('retry retry accepted')
  })

  test('after its last attempt a message is given up, and the one behind it is sent', async () => {
    const { clock, ledger, receiver, over, dispatcher, decide } = await scene()
    receiver.script = [busy, busy, busy]
    const [first, second] = await decide('0000', '0001')
    const sending = dispatcher('a')
    sending.send(LANE, { ledger, name: first! })
    sending.send(LANE, { ledger, name: second! })
    await eventually(() => tick(clock) && over.length === 2)
    expect(receiver.got).toEqual(['0000', '0000', '0000', '0001'])
  })

  test('messages of an alert wait for each other, other alerts do not', async () => {
    const { ledger, receiver, over, dispatcher, decide } = await scene()
    const slow = Promise.withResolvers<Classified>()
    receiver.script = [slow.promise]
    const [first, second, other] = await decide('0000', '0001', '0002')
    const sending = dispatcher('a')
    sending.send(LANE, { ledger, name: first! })
    sending.send(LANE, { ledger, name: second! })
    await eventually(() => receiver.got.length === 1)
    sending.send('another/ops', { ledger, name: other! })
    await eventually(() => over.length === 1)
    expect(receiver.got).toEqual(['0000', '0002'])
    slow.resolve(ok)
    await eventually(() => over.length === 3)
    expect(receiver.got).toEqual(['0000', '0002', '0001'])
  })

  test('a channel gets a message only so often', async () => {
    const { clock, ledger, receiver, over, dispatcher, decide } = await scene()
    receiver.intervalMs = SECOND_MS
    const names = await decide('0000', '0001', '0002')
    const sending = dispatcher('a')
    for (const [i, name] of names.entries()) sending.send(`lane${i}/ops`, { ledger, name })
    await eventually(() => over.length === 1)
    clock.advance(SECOND_MS - 1)
    expect(receiver.got).toHaveLength(1)
    clock.advance(1)
    await eventually(() => over.length === 2)
    clock.advance(SECOND_MS)
    await eventually(() => over.length === 3)
  })

  test('without a channel of that name nothing can be sent, and the ledger says so', async () => {
    const { ledger, told, dispatcher, decide } = await scene()
    const [name] = await decide('0000')
    dispatcher('a', null).send(LANE, { ledger, name: name! })
    await eventually(() => told.length === 1)
    expect(told[0]).toMatchObject({ result: 'forbidden', nextAttemptAt: null })
  })
})

describe('two couriers with one ledger', () => {
  test('each attempt is made by one of them', async () => {
    const { clock, ledger, open, receiver, over, dispatcher, decide } = await scene()
    const [name] = await decide('0000')
    dispatcher('a').send(LANE, { ledger, name: name! })
    dispatcher('b').send(LANE, { ledger: await open(), name: name! })
    await eventually(() => tick(clock) && over.length === 2)
    expect(receiver.got).toEqual(['0000'])
  })

  test('an attempt whose courier has died is waited for, said to be unknown, and made again under the same id', async () => {
    const { clock, ledger, receiver, told, over, dispatcher, decide } = await scene()
    const [name] = await decide('0000')
    await ledger.claim([{ type: 'intent', ...name!, attempt: 1, at: clock.now(), courier: 'dead' }])
    dispatcher('b').send(LANE, { ledger, name: name! })
    await eventually(() => tick(clock) && over.length === 1)
    expect(results(told)).toBe('unknown accepted')
    expect(told[0]!.at - START).toBeGreaterThanOrEqual(30 * SECOND_MS)
    expect(receiver.got).toEqual(['0000'])
    expect(ledger.message(name!)!.attempts.map(({ intent }) => intent.attempt)).toEqual([1, 2])
  })
})

test('it is settled when everything is over or past its fast schedule', async () => {
  const { clock, ledger, receiver, dispatcher, decide } = await scene()
  const slow = Promise.withResolvers<Classified>()
  receiver.script = [slow.promise]
  const [name] = await decide('0000')
  const sending = dispatcher('a')
  sending.send(LANE, { ledger, name: name! })
  let isSettled = false
  const settled = sending.settled().then(() => {
    isSettled = true
  })
  await eventually(() => receiver.got.length === 1)
  expect(isSettled).toBe(false)
  slow.resolve(ok)
  await settled
  expect(clock.now()).toBe(START)
})
