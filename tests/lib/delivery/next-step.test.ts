import { describe, expect, test } from '@jest/globals'
import type { DeliveryResult } from '#lib/delivery/facts.ts'
import type { LedgerAttempt, LedgerMessage } from '#lib/delivery/ledger.ts'
import { hasFailed, isAccepted, nextStep } from '#lib/delivery/next-step.ts'

const NAME = { subject: 's/0000', channel: 'ops', messageId: 'msg_1' }
const policy = { attemptTakesMs: 30_000, fastAttempts: 3 }

function attempt(number: number, at: number, ended?: { result: DeliveryResult; next: number | null }): LedgerAttempt {
  return {
    intent: { type: 'intent', ...NAME, attempt: number, at, courier: 'a' },
    outcome: ended
      ? {
          type: 'outcome',
          ...NAME,
          attempt: number,
          at: at + 5,
          durationMs: 5,
          result: ended.result,
          status: null,
          detail: null,
          nextAttemptAt: ended.next,
        }
      : null,
  }
}

const message = (attempts: readonly LedgerAttempt[], send = true): LedgerMessage => ({
  order: 0,
  decision: {
    type: 'decision',
    ...NAME,
    decidedAt: 0,
    send,
    code: 'routed',
    reason: '',
    commands: [],
    channelConfig: '',
    messageType: null,
    body: null,
    dryRun: false,
  },
  attempts,
})

/** @param others those of its lane that were decided later */
const next = (attempts: readonly LedgerAttempt[], now: number, others: readonly LedgerMessage[] = []) => {
  const asked = message(attempts)
  return nextStep(asked, policy, { now, lane: [asked, ...others.map((other, i) => ({ ...other, order: i + 1 }))] })
}

test('what was held back is over', () => {
  expect(nextStep(message([], false), policy, { now: 0, lane: [] })).toEqual({ kind: 'over' })
})

test('what was decided is tried at once', () => {
  expect(next([], 0)).toEqual({ kind: 'attempt', attempt: 1 })
})

test('an attempt without an outcome is waited for, and then said to be unknown', () => {
  expect(next([attempt(1, 100)], 30_099)).toEqual({ kind: 'watch', untilAt: 30_100 })
  expect(next([attempt(1, 100)], 30_100)).toEqual({ kind: 'conclude', attempt: 1 })
})

test('a failed attempt is followed by the next when that is due', () => {
  const failed = attempt(1, 0, { result: 'retry', next: 10_000 })
  expect(next([failed], 9_999)).toEqual({ kind: 'wait', untilAt: 10_000 })
  expect(next([failed], 10_000)).toEqual({ kind: 'attempt', attempt: 2 })
})

test.each(['accepted', 'rejected', 'gone', 'unauthorized'] as const)('%s is the end', (result) => {
  expect(next([attempt(1, 0, { result, next: null })], 1)).toEqual({ kind: 'over' })
})

test('what something newer waits for is given its fast schedule, and no more', () => {
  const failures = [1, 2, 3].map((number) => attempt(number, number, { result: 'retry', next: 50 }))
  expect(next(failures.slice(0, 2), 50, [message([])])).toEqual({ kind: 'attempt', attempt: 3 })
  expect(next(failures, 50, [message([])])).toEqual({ kind: 'over' })
  expect(next(failures, 50)).toEqual({ kind: 'attempt', attempt: 4 })
})

describe('what something newer was accepted after', () => {
  const accepted = message([attempt(1, 0, { result: 'accepted', next: null })])

  test('is over, but for an attempt that may still arrive', () => {
    expect(next([attempt(1, 0)], 29_999, [accepted])).toEqual({ kind: 'watch', untilAt: 30_000 })

    expect(next([], 0, [accepted])).toEqual({ kind: 'over' })
    expect(next([attempt(1, 0)], 30_000, [accepted])).toEqual({ kind: 'over' })
    expect(next([attempt(1, 0, { result: 'retry', next: 50 })], 50, [message([]), accepted])).toEqual({ kind: 'over' })
  })

  test('unless that is a correction, which replaces nothing: an end must arrive', () => {
    const correction = { ...accepted, decision: { ...accepted.decision, messageType: 'obs.alert.annotated' } }
    const failures = [1, 2, 3].map((number) => attempt(number, number, { result: 'retry', next: 50 }))
    expect(next([], 0, [correction])).toEqual({ kind: 'attempt', attempt: 1 })
    expect(next(failures, 50, [correction])).toEqual({ kind: 'attempt', attempt: 4 })
  })

  test('and so is what was decided after the end, whether that was accepted or not; but no correction', () => {
    const typed = (messageType: string, order: number, send = true): LedgerMessage => {
      const { decision } = message([])
      return { order, attempts: [], decision: { ...decision, messageType, send } }
    }
    const step = (asked: LedgerMessage, ...lane: readonly LedgerMessage[]) =>
      nextStep(asked, policy, { now: 0, lane: [...lane, asked] }).kind
    for (const end of ['obs.alert.resolved', 'obs.sampler.back']) {
      expect(step(typed('obs.alert.escalated', 2), typed(end, 1))).toBe('over')
      expect(step(typed('obs.alert.annotated', 2), typed(end, 1))).toBe('attempt')
      expect(step(typed('obs.alert.escalated', 2), typed(end, 1, false))).toBe('attempt')
      expect(step(typed(end, 1))).toBe('attempt')
    }
  })

  test('but an end always goes out: what stands behind it replaces nothing', () => {
    const typed = (messageType: string, order: number, attempts: readonly LedgerAttempt[] = []): LedgerMessage => {
      const { decision } = message([])
      return { order, attempts, decision: { ...decision, messageType } }
    }
    const failures = [1, 2, 3].map((number) => attempt(number, number, { result: 'retry', next: 50 }))
    const end = typed('obs.alert.resolved', 1, failures)
    for (const behind of [[], [attempt(1, 0, { result: 'accepted', next: null })]])
      expect(nextStep(end, policy, { now: 50, lane: [end, typed('obs.alert.reminded', 2, behind)] })).toMatchObject({
        kind: 'attempt',
      })
  })

  test('unless that was held back', () => {
    expect(next([], 0, [{ ...accepted, decision: { ...accepted.decision, send: false } }])).toMatchObject({
      attempt: 1,
    })
  })
})

describe('a message that another channel should be told in its place', () => {
  const MINUTE_MS = 60_000
  const failedAfter = (...attempts: readonly LedgerAttempt[]) => hasFailed(message(attempts), 2)
  const tried = (number: number, waitMs: number, result: DeliveryResult = 'retry') =>
    attempt(number, 0, { result, next: 5 + waitMs })

  test.each<[string, boolean, boolean]>([
    ['nobody has tried yet', failedAfter(), false],
    ['an attempt is under way', failedAfter(attempt(1, 0)), false],
    ['has failed once', failedAfter(tried(1, 10_000)), false],
    ['has failed as often as is asked for', failedAfter(tried(1, 10_000), tried(2, 10_000)), true],
    ['so, while the next attempt is under way', failedAfter(tried(1, 10_000), tried(2, 10_000), attempt(3, 0)), true],
    ['was given up at once', failedAfter(attempt(1, 0, { result: 'rejected', next: null })), true],
    ['has to wait for five minutes', failedAfter(tried(1, 5 * MINUTE_MS)), false],
    ['has to wait for longer', failedAfter(tried(1, 5 * MINUTE_MS + 1)), true],
    [
      'was accepted',
      failedAfter(tried(1, 10_000), tried(2, 10_000), attempt(3, 0, { result: 'accepted', next: null })),
      false,
    ],
    ['was held back', hasFailed(message([attempt(1, 0, { result: 'rejected', next: null })], false), 2), false],
  ])('%s', (_, isFailed, expected) => {
    expect(isFailed).toBe(expected)
  })
})

test('what a receiver has accepted once it has, whatever came before or after', () => {
  const accepted = attempt(1, 0, { result: 'accepted', next: null })
  const failed = attempt(2, 9, { result: 'retry', next: null })
  expect(isAccepted(message([accepted, failed]))).toBe(true)
  expect(isAccepted(message([failed, accepted]))).toBe(true)
  expect(isAccepted(message([accepted, attempt(2, 9)]))).toBe(true)
  expect(isAccepted(message([failed]))).toBe(false)
  expect(isAccepted(message([]))).toBe(false)
})

test('what was given up stays so, whatever is tried by hand afterwards', () => {
  const refused = attempt(1, 0, { result: 'rejected', next: null })
  for (const byHand of [attempt(2, 10), attempt(2, 10, { result: 'unknown', next: 50 })])
    expect(next([refused, byHand], 30_010)).toEqual({ kind: 'over' })
})
