import { afterEach, describe, expect, test } from '@jest/globals'
import { openCodec } from '#lib/codec/avro.ts'
import type { Sender } from '#lib/delivery/attempt.ts'
import type { Classified } from '#lib/delivery/classify.ts'
import { Dispatcher } from '#lib/delivery/dispatcher.ts'
import type { DeliveryDecision, DeliveryOutcome, DeliveryResult, MessageName } from '#lib/delivery/facts.ts'
import { Ledger, type LedgerMessage } from '#lib/delivery/ledger.ts'
import { messageName } from '#lib/delivery/message-name.ts'
import { isAccepted, isGivenUp } from '#lib/delivery/next-step.ts'
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
  paceKey = 'ops'
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
  const failed: LedgerMessage[] = []
  const warned: [fields: object, message: string][] = []
  const open = () => Ledger.open(log, codec, { partition: 0, sinceAt: 0 })
  const ledger = await open()
  const dispatcher = (courier: string, sender: Sender | null = receiver) => {
    const made = new Dispatcher({
      clock,
      logger: { warn: (fields, message) => void warned.push([fields, message]) },
      courier,
      sender: () => sender ?? undefined,
      schedule: () => ({ maxRetries: 2, waitMs: 10 * SECOND_MS, slowForMs: 0 }),
      told: (_, outcome) => void told.push(outcome),
      failed: async (message) => void failed.push(message),
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
  /** Messages that may still be sent. */
  const pending = () => [...ledger.messages()].filter((each) => !isAccepted(each) && !isGivenUp(each)).length
  const send = (by: Dispatcher, ...names: readonly MessageName[]) => {
    for (const name of names) by.send(ledger, ledger.message(name)!)
  }
  return { clock, log, ledger, open, receiver, told, failed, warned, pending, send, dispatcher, decide }
}

/** A second passes. */
function tick(clock: ManualClock): true {
  clock.advance(SECOND_MS)
  return true
}

const results = (outcomes: readonly DeliveryOutcome[]): string => outcomes.map(({ result }) => result).join(' ')

describe('sending what was decided', () => {
  test('a message is sent once, with an intent before and an outcome after it', async () => {
    const { ledger, receiver, pending, dispatcher, decide, send } = await scene()
    const [name] = await decide('0000')
    const sending = dispatcher('a')
    send(sending, name!)
    await eventually(() => pending() === 0)
    expect(receiver.got).toEqual(['0000'])
    expect(ledger.message(name!)!.attempts).toMatchObject([
      { intent: { attempt: 1, courier: 'a' }, outcome: { attempt: 1, result: 'accepted', status: 200 } },
    ])
  })

  test('503, 503, 200: three attempts, each when its time has come', async () => {
    const { clock, receiver, told, dispatcher, decide, send } = await scene()
    receiver.script = [busy, busy]
    const [name] = await decide('0000')
    send(dispatcher('a'), name!)
    for (const count of [1, 2]) {
      await eventually(() => told.length === count)
      clock.advance(told.at(-1)!.nextAttemptAt! - clock.now() - 1)
      expect(receiver.got).toHaveLength(count)
      clock.advance(1)
    }
    await eventually(() => told.length === 3)
    expect(results(told)).toBe('retry retry accepted')
  })

  test.each([
    ['soon\u0000\u001b[31m', 'soon[31m', 'neither seconds nor a date'],
    ['x'.repeat(1_000), 'x'.repeat(64), 'neither seconds nor a date'],
    ['Thu, 01 Jan 1970 00:00:00 GMT', 'Thu, 01 Jan 1970 00:00:00 GMT', 'a time that is over'],
  ])('a Retry-After that is ignored is told of, as far as it prints', async (retryAfter, shown, why) => {
    const { clock, receiver, told, warned, send, dispatcher, decide } = await scene()
    receiver.script = [
      { ...busy, retryAfter },
      { ...busy, retryAfter: '7' },
    ]
    const [name] = await decide('0000')
    send(dispatcher('a'), name!)
    await eventually(() => tick(clock) && told.length === 3)
    expect(warned).toEqual([
      [{ channel: 'ops', message_id: name!.messageId, retry_after: shown }, expect.stringContaining(why)],
    ])
  })

  test('after its last attempt a message is given up, and the one behind it is sent', async () => {
    const { clock, receiver, pending, dispatcher, decide, send } = await scene()
    receiver.script = [busy, busy, busy]
    const [first, second] = await decide('0000', '0001')
    const sending = dispatcher('a')
    send(sending, first!)
    send(sending, second!)
    await eventually(() => tick(clock) && pending() === 0)
    expect(receiver.got).toEqual(['0000', '0000', '0000', '0001'])
  })

  test('messages of an alert wait for each other, other alerts do not', async () => {
    const { receiver, pending, dispatcher, decide, send } = await scene()
    const slow = Promise.withResolvers<Classified>()
    receiver.script = [slow.promise]
    const [first, second, other] = await decide('0000', '0001', 'x/0002')
    const sending = dispatcher('a')
    send(sending, first!)
    send(sending, second!)
    await eventually(() => receiver.got.length === 1)
    send(sending, other!)
    await eventually(() => pending() === 2)
    expect(receiver.got).toEqual(['0000', 'x/0002'])
    slow.resolve(ok)
    await eventually(() => pending() === 0)
    expect(receiver.got).toEqual(['0000', 'x/0002', '0001'])
  })

  test('a channel gets a message only so often', async () => {
    const { clock, receiver, pending, dispatcher, decide, send } = await scene()
    receiver.intervalMs = SECOND_MS
    const names = await decide('x/0000', 'y/0001', 'z/0002')
    const sending = dispatcher('a')
    send(sending, ...names)
    await eventually(() => pending() === 2)
    clock.advance(SECOND_MS - 1)
    expect(receiver.got).toHaveLength(1)
    clock.advance(1)
    await eventually(() => pending() === 1)
    clock.advance(SECOND_MS)
    await eventually(() => pending() === 0)
  })

  test('without a channel of that name nothing can be sent, and the ledger says so', async () => {
    const { told, dispatcher, decide, send } = await scene()
    const [name] = await decide('0000')
    send(dispatcher('a', null), name!)
    await eventually(() => told.length === 1)
    expect(told[0]).toMatchObject({ result: 'forbidden', nextAttemptAt: null })
  })
})

describe('two couriers with one ledger', () => {
  test('each attempt is made by one of them', async () => {
    const { clock, open, receiver, pending, dispatcher, decide, send } = await scene()
    const [name] = await decide('0000')
    send(dispatcher('a'), name!)
    const other = await open()
    dispatcher('b').send(other, other.message(name!)!)
    await eventually(() => tick(clock) && pending() === 0)
    expect(receiver.got).toEqual(['0000'])
  })

  test('an attempt whose courier has died is waited for, said to be unknown, and made again under the same id', async () => {
    const { clock, ledger, receiver, told, dispatcher, decide, send } = await scene()
    const [name] = await decide('0000')
    await ledger.claim([{ type: 'intent', ...name!, attempt: 1, at: clock.now(), courier: 'dead' }])
    send(dispatcher('b'), name!)
    await eventually(() => tick(clock) && told.length === 2)
    expect(results(told)).toBe('unknown accepted')
    expect(told[0]!.at - START).toBeGreaterThanOrEqual(30 * SECOND_MS)
    expect(receiver.got).toEqual(['0000'])
    expect(ledger.message(name!)!.attempts.map(({ intent }) => intent.attempt)).toEqual([1, 2])
  })
})

test('it is settled when everything is over or past its fast schedule', async () => {
  const { clock, receiver, dispatcher, decide, send } = await scene()
  const slow = Promise.withResolvers<Classified>()
  receiver.script = [slow.promise]
  const [name] = await decide('0000')
  const sending = dispatcher('a')
  send(sending, name!)
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

test('a failure is told of after each attempt, when something comes behind it, and again at a later start', async () => {
  const { clock, ledger, receiver, failed, send, dispatcher, decide } = await scene()
  receiver.script = [busy, busy]
  const [first] = await decide('0000')
  const sending = dispatcher('a')
  send(sending, first!)
  await eventually(() => failed.length === 1)
  const [second] = await decide('0001')
  send(sending, second!)
  await eventually(() => failed.length === 2)
  await sending.stop()
  send(dispatcher('b'), first!)
  await eventually(() => failed.length === 3)
  clock.advance(ledger.message(first!)!.attempts[0]!.outcome!.nextAttemptAt! - clock.now())
  await eventually(() => failed.length === 4)
  expect(failed.map(({ attempts }) => attempts.length)).toEqual([1, 1, 1, 2])
})

test('a message that a newer one has overtaken is not sent any more, whoever starts', async () => {
  const { clock, ledger, receiver, pending, send, dispatcher, decide } = await scene()
  const [first, second] = await decide('0000', '0001')
  const accepted = { result: 'accepted', status: 200, detail: null, nextAttemptAt: null } as const
  await ledger.claim([
    { type: 'intent', ...first!, attempt: 1, at: START, courier: 'dead' },
    { type: 'intent', ...second!, attempt: 1, at: START, courier: 'other' },
    { type: 'outcome', ...second!, attempt: 1, at: START, durationMs: 1, ...accepted },
  ])
  const [third] = await decide('0002')
  send(dispatcher('a'), first!, third!)
  await eventually(() => tick(clock) && isAccepted(ledger.message(third!)!))
  expect([receiver.got, pending()]).toEqual([['0002'], 1])
  expect(clock.now() - START).toBeGreaterThanOrEqual(30 * SECOND_MS)
})

test('whoever stood still between his intent and the request sends nothing: another one may have gone on', async () => {
  const { clock, log, ledger, receiver, told, send, decide, dispatcher } = await scene()
  const [name] = await decide('0000')
  const append = log.append.bind(log)
  let isFirst = true
  log.append = async (...args) => {
    const appended = await append(...args)
    if (isFirst) clock.advance(15 * SECOND_MS + 1)
    isFirst = false
    return appended
  }
  send(dispatcher('a'), name!)
  await eventually(() => told.length === 1)
  expect(told[0]).toMatchObject({ result: 'retry', status: null, detail: expect.stringContaining('stood still') })
  expect(receiver.got).toEqual([])
  await eventually(() => tick(clock) && isAccepted(ledger.message(name!)!))
  expect(receiver.got).toEqual(['0000'])
})

test('what is decided in the moment in which a lane has nothing left is sent', async () => {
  for (let turns = 0; turns < 30; turns++) {
    const { ledger, receiver, send, dispatcher, decide } = await scene()
    const [first] = await decide('0000')
    const sending = dispatcher('a')
    send(sending, first!)
    await eventually(() => receiver.got.length === 1)
    for (let turn = 0; turn < turns; turn++) await null
    const [second] = await decide('0001')
    send(sending, second!)
    await eventually(() => isAccepted(ledger.message(second!)!))
  }
})

test('nobody waits for a receiver that wants to be left alone for longer than five minutes', async () => {
  const { clock, receiver, told, send, dispatcher, decide } = await scene()
  receiver.script = [
    { ...busy, retryAfter: '300' },
    { ...busy, retryAfter: '301' },
  ]
  const [name] = await decide('0000')
  const sending = dispatcher('a')
  send(sending, name!)
  let isSettled = false
  const settled = sending.settled().then(() => {
    isSettled = true
  })
  await eventually(() => told.length === 1)
  expect(isSettled).toBe(false)
  await eventually(() => tick(clock) && told.length === 2)
  await settled
})

test('a message that was taken, and that somebody began to send again and left, holds up nothing', async () => {
  const { ledger, receiver, send, dispatcher, decide } = await scene()
  const [first] = await decide('0000')
  const accepted = { result: 'accepted', status: 200, detail: null, nextAttemptAt: null } as const
  await ledger.claim([
    { type: 'intent', ...first!, attempt: 1, at: START, courier: 'dead' },
    { type: 'outcome', ...first!, attempt: 1, at: START, durationMs: 1, ...accepted },
    { type: 'intent', ...first!, attempt: 2, at: START, courier: 'by hand' },
  ])
  const [second] = await decide('0001')
  send(dispatcher('a'), second!)
  await eventually(() => isAccepted(ledger.message(second!)!))
  expect(receiver.got).toEqual(['0001'])
})
