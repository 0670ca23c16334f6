import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { Phase, Signal } from '#services/alerter/escalation.ts'
import { decide, signalOf } from '#services/alerter/escalation.ts'
import type { SilenceSignal } from '#services/alerter/no-data.ts'
import { decideSilence } from '#services/alerter/no-data.ts'
import { latencyRule, rule } from './desk.ts'

const phases: Phase[] = ['quiet', 'warning', 'critical']
const signals: Signal[] = ['breach', 'ok', 'recovered', 'insufficient', 'closed']
const silences: SilenceSignal[] = ['gap', 'thin', 'enough', 'earlier', 'closed']
/** What may follow in a phase: nothing falls, nothing opens twice. */
const possible = {
  quiet: ['opened', null],
  warning: ['escalated', 'resolved', null],
  critical: ['resolved', null],
}

const pairs = <Event>(events: readonly Event[]) =>
  phases.flatMap((phase) => events.map((event) => [phase, event] as const))

describe('the table for breaches', () => {
  test('has a row for each phase and a decision for each signal, and nothing else', () => {
    expect(Object.keys(decide).toSorted()).toEqual(phases.toSorted())
    for (const phase of phases) expect(Object.keys(decide[phase]).toSorted()).toEqual(signals.toSorted())
  })

  test.each(pairs(signals))('in phase %s, %s leads only where it may, and says why', (phase, signal) => {
    fc.assert(
      fc.property(fc.nat(50), fc.nat(50), (breaches, recovered) => {
        const decided = decide[phase][signal]({ breaches, recovered }, latencyRule)
        expect(possible[phase]).toContain(decided.transition)
        expect(decided.reason.length).toBeGreaterThan(5)
        if (decided.transition === 'opened' || decided.transition === 'escalated') expect(signal).toBe('breach')
        if (decided.transition === 'resolved') expect(signal).toBe('recovered')
      }),
      { numRuns: 30 },
    )
  })

  test.each([
    [1, null, null],
    [2, 'opened', null],
    [3, 'opened', 'escalated'],
  ])('%i breaches in a row: quiet → %s, warning → %s', (breaches, quiet, warning) => {
    const standing = { breaches, recovered: 0 }
    expect(decide.quiet.breach(standing, latencyRule).transition).toBe(quiet)
    expect(decide.warning.breach(standing, latencyRule).transition).toBe(warning)
    expect(decide.critical.breach(standing, latencyRule).transition).toBe(null)
  })

  test('a retired window has no signal', () => {
    expect(() => signalOf({ verdict: 'retired', p95Ms: null }, latencyRule)).toThrow(RangeError)
  })

  test('recovered means below the share, as fractions say it', () => {
    const share = fc.integer({ min: 0, max: 1_000_000 })
    fc.assert(
      fc.property(
        share,
        fc.integer({ min: 1, max: 2_000_000_000 }),
        fc.nat(2_000_000_000),
        (parts, thresholdMs, p95Ms) => {
          const recovered = BigInt(p95Ms) * 1_000_000n < BigInt(parts) * BigInt(thresholdMs)
          const signal = signalOf({ verdict: 'ok', p95Ms }, rule({ thresholdMs, resolveBelow: parts / 1_000_000 }))
          return signal === (recovered ? 'recovered' : 'ok')
        },
      ),
    )
  })
})

describe('the table for silence', () => {
  test('has a row for each phase and a decision for each signal, and nothing else', () => {
    expect(Object.keys(decideSilence).toSorted()).toEqual(phases.toSorted())
    for (const phase of phases) expect(Object.keys(decideSilence[phase]).toSorted()).toEqual(silences.toSorted())
  })

  test.each(pairs(silences))('in phase %s, %s leads only where it may, and says why', (phase, signal) => {
    fc.assert(
      fc.property(fc.nat(50), fc.nat(50), (gaps, thin) => {
        const decided = decideSilence[phase][signal]({ gaps, thin }, latencyRule)
        expect(possible[phase]).toContain(decided.transition)
        expect(decided.reason.length).toBeGreaterThan(5)
        if (decided.transition === 'escalated') expect(signal).toBe('gap')
        if (decided.transition === 'resolved') expect(signal).toBe('enough')
      }),
      { numRuns: 30 },
    )
  })
})
