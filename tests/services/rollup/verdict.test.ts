import { describe, expect, test } from '@jest/globals'
import { type Grounds, judge } from '#services/rollup/verdict.ts'
import { rule } from './rolling.ts'

/** Four good samples of an expected hour, but for what a test says. */
function verdictOf(parts: Partial<Grounds>): string {
  const usual = {
    retired: false,
    inSession: true,
    count: 4,
    errorCount: 0,
    timeoutCount: 0,
    expectedCount: 4,
    p95Ms: 100,
    rule: rule(),
  }
  const { verdict, reason } = judge({ ...usual, ...parts })
  return reason === null ? verdict : `${verdict} (${reason})`
}

test('a window within its threshold is ok, at the threshold too', () => {
  expect(verdictOf({ p95Ms: 500 })).toBe('ok')
})

test('a p95 above the threshold is a breach', () => {
  expect(verdictOf({ p95Ms: 501 })).toBe('breach (p95)')
})

test('errors on half of the answers are a breach, whatever the latency', () => {
  expect(verdictOf({ count: 2, errorCount: 2 })).toBe('breach (errors)')
  expect(verdictOf({ count: 3, errorCount: 1 })).toBe('ok')
  expect(verdictOf({ count: 2, errorCount: 2, p95Ms: 9_999 })).toBe('breach (errors)')
  expect(verdictOf({ count: 0, errorCount: 4, p95Ms: null })).toBe('breach (errors)')
})

test('a timeout is one answer and one error', () => {
  expect(verdictOf({ count: 4, errorCount: 2, timeoutCount: 2 })).toBe('breach (errors)')
  expect(verdictOf({ count: 4, errorCount: 1, timeoutCount: 1 })).toBe('ok')
  expect(verdictOf({ count: 2, errorCount: 2, timeoutCount: 2 })).toBe('insufficient')
})

describe('a ratio written in decimals is met exactly', () => {
  for (const [errorCount, answers, errorRatio] of [
    [3, 30, 0.1],
    [7, 10, 0.7],
    [1, 3, 1 / 3],
    [29, 100, 0.29],
    [7, 100, 0.07],
  ] as const)
    test(`${errorCount} of ${answers} meets ${errorRatio}`, () => {
      const parts = { count: answers - errorCount, errorCount, expectedCount: answers, rule: rule({ errorRatio }) }
      expect(verdictOf(parts)).toBe('breach (errors)')
      expect(verdictOf({ ...parts, count: parts.count + 1 })).toBe('ok')
    })
})

describe('fewer answers than min_samples are insufficient', () => {
  test('errors count as answers', () => {
    expect(verdictOf({ count: 2 })).toBe('insufficient')
    expect(verdictOf({ count: 2, errorCount: 1 })).toBe('ok')
  })

  test('but no more are needed than the window could have', () => {
    expect(verdictOf({ count: 2, expectedCount: 2 })).toBe('ok')
  })

  test('and one at least', () => {
    expect(verdictOf({ count: 0, expectedCount: 0, p95Ms: null })).toBe('insufficient')
    expect(verdictOf({ count: 1, expectedCount: 0 })).toBe('ok')
    expect(verdictOf({ count: 0, p95Ms: null, rule: rule({ minSamples: 0 }) })).toBe('insufficient')
  })
})

test('without a rule there is no verdict but insufficient: nobody said what is slow', () => {
  expect(verdictOf({ rule: undefined })).toBe('insufficient')
})

test('a window without an instant in session is closed, whatever it holds', () => {
  expect(verdictOf({ inSession: false, p95Ms: 9_999 })).toBe('closed')
  expect(verdictOf({ inSession: false, rule: undefined })).toBe('closed')
})

test('the last window of a dropped source is retired before anything else', () => {
  expect(verdictOf({ retired: true, inSession: false, p95Ms: 9_999 })).toBe('retired')
})
