import { describe, expect, test } from '@jest/globals'
import { roundHalfUp, sampleOf, sampleOfRow, skippedSample } from '#services/sampler/sample.ts'

const slot = { scheduledAt: 1_000, measuredAt: 1_005, timeoutMs: 500 }
const answered = (elapsedMs: number, lagMs = 0) => sampleOf(slot, { kind: 'answered', elapsedMs, lagMs })

describe('the fact about a probe', () => {
  test('holds the latency in whole milliseconds, halves up', () => {
    expect([0.4999, 0.5, 12.5, 13.499].map(roundHalfUp)).toEqual([0, 1, 13, 13])
    expect(answered(12.5)).toEqual({
      type: 'probe',
      outcome: 'ok',
      scheduledAt: 1_000,
      ordinal: 0,
      latencyMs: 13,
      measuredAt: 1_005,
      lagMs: 0,
      errorCode: null,
    })
  })

  test('is a time-out with the limit as its latency, also when the answer came after it', () => {
    expect(sampleOf(slot, { kind: 'timed_out', lagMs: 1 })).toMatchObject({
      outcome: 'timeout',
      latencyMs: 500,
      lagMs: 1,
      errorCode: null,
    })
    expect(answered(500)).toMatchObject({ outcome: 'ok', latencyMs: 500 })
    expect(answered(500.1)).toMatchObject({ outcome: 'timeout', latencyMs: 500 })
  })

  test('is an error without a latency when the prober was late by more than a tenth of it', () => {
    expect(answered(100, 10)).toMatchObject({ outcome: 'ok', lagMs: 10 })
    expect(answered(100, 10.1)).toMatchObject({
      outcome: 'error',
      errorCode: 'sampler_busy',
      latencyMs: null,
      lagMs: 10,
    })
    expect(sampleOf(slot, { kind: 'timed_out', lagMs: 51 })).toMatchObject({
      outcome: 'error',
      errorCode: 'sampler_busy',
      latencyMs: null,
    })
  })

  test('is an error with its code when there was no answer, however late the prober was', () => {
    const failed = sampleOf(slot, { kind: 'failed', errorCode: 'ECONNREFUSED', lagMs: 90 })
    expect(failed).toMatchObject({ outcome: 'error', errorCode: 'ECONNREFUSED', latencyMs: null, lagMs: 90 })
    expect(sampleOf(slot, { kind: 'failed', errorCode: 'prober_died', lagMs: null })).toMatchObject({ lagMs: null })
  })

  test('says skipped for a slot that was not probed', () => {
    expect(skippedSample(1_000, 1_200)).toMatchObject({
      outcome: 'skipped',
      latencyMs: null,
      errorCode: null,
      measuredAt: 1_200,
    })
  })

  test('takes a row at the time that it gives', () => {
    expect(sampleOfRow({ scheduledAt: 7, ordinal: 2, latencyMs: 0, errorCode: null })).toMatchObject({
      outcome: 'ok',
      latencyMs: 0,
      measuredAt: 7,
      ordinal: 2,
      lagMs: null,
    })
    expect(sampleOfRow({ scheduledAt: 7, ordinal: 0, latencyMs: null, errorCode: 'status_late' })).toMatchObject({
      outcome: 'error',
      latencyMs: null,
    })
  })
})
