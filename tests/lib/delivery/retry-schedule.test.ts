import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { FailedAttempt, RetrySchedule } from '#lib/delivery/retry-schedule.ts'
import { nextAttemptAt } from '#lib/delivery/retry-schedule.ts'
import { DAY_MS, HOUR_MS } from '#lib/time.ts'

const FAILED = Date.parse('2026-06-27T20:00:00.250Z')
const alerts: RetrySchedule = { maxRetries: 3, waitMs: 10_000, slowForMs: 0 }
const reports: RetrySchedule = { ...alerts, slowForMs: 72 * HOUR_MS }

function failed(attempt: number, more: Partial<FailedAttempt> = {}): FailedAttempt {
  return { messageId: 'msg_1', attempt, firstAttemptAt: FAILED, failedAt: FAILED, retryAfter: null, ...more }
}
const waitMs = (schedule: RetrySchedule, past: FailedAttempt): number =>
  nextAttemptAt(schedule, past)!.at - past.failedAt

test('there are 1 + maxRetries attempts, and without a slow phase no more', () => {
  expect([1, 2, 3, 4, 5].map((attempt) => nextAttemptAt(alerts, failed(attempt))?.phase)).toEqual([
    'fast',
    'fast',
    'fast',
    undefined,
    undefined,
  ])
  expect(nextAttemptAt({ ...alerts, maxRetries: 0 }, failed(1))).toBeNull()
})

test('the waits of a message are these on every machine', () => {
  // By Python: int(sha256(b'msg_1/1').hexdigest()[:12], 16) / 2**48 * 10_001, and with 20_001 and 40_001.
  expect([1, 2, 3].map((attempt) => waitMs(alerts, failed(attempt)))).toEqual([9_704, 6_924, 4_898])
})
describe('the wait', () => {
  const schedules = fc.record({ maxRetries: fc.nat(60), waitMs: fc.nat(2 * HOUR_MS), slowForMs: fc.nat(10 * DAY_MS) })
  const ids = fc.string({ minLength: 1 })
  const attempts = fc.integer({ min: 1, max: 60 })
  const fastOf = (waitMs: number): RetrySchedule => ({ maxRetries: 60, waitMs, slowForMs: 0 })

  test('lies between nothing and its double of the one before, at most an hour, in whole milliseconds', () => {
    fc.assert(
      fc.property(ids, attempts, fc.nat(2 * HOUR_MS), (messageId, attempt, first) => {
        const ms = waitMs(fastOf(first), failed(attempt, { messageId }))
        expect(Number.isInteger(ms)).toBe(true)
        expect(ms).toBeGreaterThanOrEqual(0)
        expect(ms).toBeLessThanOrEqual(Math.min(first * 2 ** (attempt - 1), HOUR_MS))
      }),
    )
  })

  test('is the same whenever it is asked for, and moves with the failure', () => {
    fc.assert(
      fc.property(schedules, ids, attempts, fc.nat(10 * DAY_MS), (schedule, messageId, attempt, laterMs) => {
        const past = failed(attempt, { messageId })
        const moved = { ...past, firstAttemptAt: FAILED + laterMs, failedAt: FAILED + laterMs }
        const next = nextAttemptAt(schedule, past)
        expect(nextAttemptAt(schedule, { ...past })).toEqual(next)
        expect(nextAttemptAt(schedule, moved)).toEqual(next && { ...next, at: next.at + laterMs })
      }),
    )
  })

  test('is spread evenly over messages and over attempts', () => {
    const tenths = Array.from({ length: 10 }, () => 0)
    for (let n = 0; n < 10_000; n++) {
      const ms = waitMs(fastOf(HOUR_MS), failed(1 + (n % 10), { messageId: `msg_${n >> 3}` }))
      tenths[Math.min(Math.floor((ms * 10) / HOUR_MS), 9)]!++
    }
    for (const count of tenths) expect(Math.abs(count - 1_000)).toBeLessThan(150)
  })

  test('is not shorter than the channel asks', () => {
    expect(waitMs({ ...alerts, waitMs: 0 }, failed(1, { leastMs: 60_000 }))).toBe(60_000)
    expect(waitMs(alerts, failed(1, { leastMs: 60_000 }))).toBe(60_000)
    expect(waitMs(alerts, failed(1, { leastMs: 1_000 }))).toBe(9_704)
    fc.assert(
      fc.property(schedules, ids, attempts, fc.nat(HOUR_MS), (schedule, messageId, attempt, leastMs) => {
        const past = failed(attempt, { messageId, leastMs })
        const next = nextAttemptAt(schedule, past)
        if (next) expect(next.at - past.failedAt).toBeGreaterThanOrEqual(leastMs)
      }),
    )
  })
})

describe('the slow phase', () => {
  test('goes on doubling, up to an hour, up to and with its end', () => {
    const waits = [4, 5, 6, 7, 8, 9, 10, 11, 70].map((attempt) => waitMs(reports, failed(attempt)) / 1_000)
    expect(waits).toEqual([80, 160, 320, 640, 1_280, 2_560, 3_600, 3_600, 3_600])
    const fromOneMs = [4, 21, 22, 23].map((attempt) => waitMs({ ...reports, waitMs: 1 }, failed(attempt)))
    expect(fromOneMs).toEqual([2 ** 3, 2 ** 20, 2 ** 21, HOUR_MS])
    const atHour = (hour: number) =>
      nextAttemptAt(reports, failed(4 + hour, { firstAttemptAt: FAILED - hour * HOUR_MS }))
    expect(atHour(0)).toEqual({ at: FAILED + 80_000, phase: 'slow', retryAfter: 'none' })
    expect(atHour(71)).toEqual({ at: FAILED + HOUR_MS, phase: 'slow', retryAfter: 'none' })
    expect(nextAttemptAt(reports, failed(76, { firstAttemptAt: FAILED - 71 * HOUR_MS - 1 }))).toBeNull()
  })

  test('ends when the receiver wants to be left alone for longer', () => {
    const past = failed(70, { firstAttemptAt: FAILED - 70 * HOUR_MS, retryAfter: '7201' })
    expect(nextAttemptAt(reports, past)).toBeNull()
    expect(nextAttemptAt(reports, { ...past, retryAfter: '7200' })?.at).toBe(FAILED + 2 * HOUR_MS)
  })

  test('that nobody wants does not begin because a clock was set back', () => {
    expect(nextAttemptAt(alerts, failed(4, { firstAttemptAt: FAILED + 10 * HOUR_MS }))).toBeNull()
  })

  test('played to its end makes 1 + 3 attempts and then 76', () => {
    fc.assert(
      fc.property(fc.uuid(), (messageId) => {
        let attempt = 1
        let at = FAILED
        for (;;) {
          const next = nextAttemptAt(reports, {
            messageId,
            attempt,
            firstAttemptAt: FAILED,
            failedAt: at,
            retryAfter: null,
          })
          if (!next) break
          attempt++
          at = next.at
        }
        expect(attempt).toBe(4 + 76)
        expect(at).toBeLessThanOrEqual(FAILED + 72 * HOUR_MS)
      }),
    )
  })
})

describe('Retry-After', () => {
  const own = nextAttemptAt(alerts, failed(1))!.at
  const wished = (retryAfter: string) => nextAttemptAt(alerts, failed(1, { retryAfter }))

  test('makes the wait longer, as seconds or as a date', () => {
    expect(wished('120')).toEqual({ at: FAILED + 120_000, phase: 'fast', retryAfter: 'kept' })
    expect(wished('Sat, 27 Jun 2026 20:02:00 GMT')).toEqual({
      at: Date.parse('2026-06-27T20:02:00Z'),
      phase: 'fast',
      retryAfter: 'kept',
    })
  })

  test('does not make it shorter', () => {
    expect(wished('0')).toEqual({ at: own, phase: 'fast', retryAfter: 'kept' })
  })

  test('is shortened to two hours on top of our own wait', () => {
    for (const absurd of ['999999', '9'.repeat(400), 'Fri, 31 Dec 9999 23:59:59 GMT'])
      expect(wished(absurd)).toEqual({ at: own + 2 * HOUR_MS, phase: 'fast', retryAfter: 'shortened' })
  })

  test('of just two hours is kept, and a second more is not', () => {
    const atOnce = (retryAfter: string) => nextAttemptAt({ ...alerts, waitMs: 0 }, failed(1, { retryAfter }))
    expect(atOnce('7200')).toEqual({ at: FAILED + 2 * HOUR_MS, phase: 'fast', retryAfter: 'kept' })
    expect(atOnce('7201')).toEqual({ at: FAILED + 2 * HOUR_MS, phase: 'fast', retryAfter: 'shortened' })
  })

  test('of the past, or that cannot be read, changes nothing and is told', () => {
    expect(wished('Sat, 27 Jun 2026 20:00:00 GMT')).toEqual({ at: own, phase: 'fast', retryAfter: 'past' })
    expect(wished('Thu, 01 Jan 1970 00:00:00 GMT')).toEqual({ at: own, phase: 'fast', retryAfter: 'past' })
    expect(wished('soon')).toEqual({ at: own, phase: 'fast', retryAfter: 'bad' })
  })

  test('whatever it says never brings an attempt before our own, or more than two hours after it', () => {
    const values = fc.oneof(
      fc.string(),
      fc.nat().map(String),
      fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
    )
    fc.assert(
      fc.property(values, (retryAfter) => {
        const { at } = wished(retryAfter)!
        expect(at).toBeGreaterThanOrEqual(own)
        expect(at).toBeLessThanOrEqual(own + 2 * HOUR_MS)
      }),
    )
  })
})
