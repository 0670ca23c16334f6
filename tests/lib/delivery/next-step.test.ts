import { expect, test } from '@jest/globals'
import type { DeliveryResult } from '#lib/delivery/facts.ts'
import type { LedgerAttempt, LedgerMessage } from '#lib/delivery/ledger.ts'
import { nextStep } from '#lib/delivery/next-step.ts'

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

const next = (attempts: readonly LedgerAttempt[], now: number, isSuperseded = false) =>
  nextStep(message(attempts), policy, { now, isSuperseded })

test('what was held back is over', () => {
  expect(nextStep(message([], false), policy, { now: 0, isSuperseded: false })).toEqual({ kind: 'over' })
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
  expect(next(failures.slice(0, 2), 50, true)).toEqual({ kind: 'attempt', attempt: 3 })
  expect(next(failures, 50, true)).toEqual({ kind: 'over' })
  expect(next(failures, 50, false)).toEqual({ kind: 'attempt', attempt: 4 })
})
