import type { Rule } from '#lib/plan.ts'
import type { Decided, Phase } from './escalation.ts'

/**
 * The rule for silence, whole. It is an alert of its own beside that for breaches, and neither ever ends the other.
 *
 * - `gap`: expected slots went by without a sample
 * - `thin`: a window with too few samples
 * - `enough`: a window with enough samples, whatever they say
 * - `earlier`: such a window, but it ended before the newest slot or window known to be silent
 * - `closed`: a window out of session
 */
export type SilenceSignal = 'gap' | 'thin' | 'enough' | 'earlier' | 'closed'

export interface Silence {
  /** Gaps since the alert opened, the one at hand included. */
  readonly gaps: number
  /** Thin windows in a row, the one at hand included. */
  readonly thin: number
}

export type SilenceDecision = (silence: Silence, rule: Rule) => Decided

/** Gaps from this one on are critical. */
const CRITICAL_GAPS = 2

export const decideSilence: Record<Phase, Record<SilenceSignal, SilenceDecision>> = {
  quiet: { gap: openAtGap, thin: openAtRun, enough: endRun, earlier: endRun, closed: startAnew },
  warning: { gap: escalateAtGaps, thin: stayThin, enough: resolve, earlier: waitForLater, closed: pause },
  critical: { gap: staySilent, thin: stayThin, enough: resolve, earlier: waitForLater, closed: pause },
}

function openAtGap(): Decided {
  return { transition: 'opened', reason: 'samples are missing' }
}

function openAtRun({ thin }: Silence, { maxInsufficient }: Rule): Decided {
  if (thin <= maxInsufficient) return nothing(`thin window ${thin}, up to ${maxInsufficient} in a row are let pass`)
  const windows = thin === 1 ? '1 window' : `${thin} windows in a row`
  return { transition: 'opened', reason: `${windows} with too few samples, up to ${maxInsufficient} are let pass` }
}

function escalateAtGaps({ gaps }: Silence): Decided {
  if (gaps < CRITICAL_GAPS) return nothing(`gap ${gaps} of ${CRITICAL_GAPS} before critical`)
  return { transition: 'escalated', reason: 'samples are still missing' }
}

function staySilent({ gaps }: Silence): Decided {
  return nothing(`${gaps} gaps, critical already`)
}

function stayThin(): Decided {
  return nothing('still too few samples')
}

function resolve(): Decided {
  return { transition: 'resolved', reason: 'samples are back' }
}

function waitForLater(): Decided {
  return nothing('its samples are from before the silence')
}

function endRun(): Decided {
  return nothing('enough samples')
}

function startAnew(): Decided {
  return nothing('out of session: thin windows are counted anew at the next one')
}

function pause(): Decided {
  return nothing('out of session: the alert stays as it is')
}

const nothing = (reason: string): Decided => ({ transition: null, reason })
