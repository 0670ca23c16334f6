/**
 * Why a record exists, as a place in the sample log.
 *
 * A record of a topic that no fold writes has the cause `[offset]`. An output of a fold has the cause of its input
 * followed by its own index among the outputs of that input: rollup's window number 2 after sample 81 is `[81, 2]`,
 * the alert it brought `[81, 2, 0]`. So causes of one partition are totally ordered, the same on every log that holds
 * the same samples, and compaction, which may move a record, cannot change its cause.
 */
export type Cause = readonly number[]

/** Negative, zero or positive as `a` lies before, at or after `b`. A cause lies before everything that follows from it. */
export function compareCauses(a: Cause, b: Cause): number {
  const shared = Math.min(a.length, b.length)
  for (let i = 0; i < shared; i++) {
    const difference = a[i]! - b[i]!
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

/** The smallest cause of the same depth that lies after `cause`. */
export function nextCause(cause: Cause): Cause {
  return [...cause.slice(0, -1), cause.at(-1)! + 1]
}

/** Newer of two, where `null` means "none yet". */
export function laterCause(a: Cause | null, b: Cause | null): Cause | null {
  if (a === null || b === null) return a ?? b
  return compareCauses(a, b) >= 0 ? a : b
}

/** `81.2.0`: the text of the `obs-cause` header and of commits. */
export function formatCause(cause: Cause): string {
  return cause.join('.')
}

const CAUSE = /^(0|[1-9]\d*)(\.(0|[1-9]\d*))*$/

/** @returns `undefined` when the text is not a cause, or holds a number beyond 2^53 */
export function parseCause(text: string): Cause | undefined {
  if (!CAUSE.test(text)) return undefined
  const cause = text.split('.').map(Number)
  return cause.every(Number.isSafeInteger) ? cause : undefined
}
