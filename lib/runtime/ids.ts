import { randomUUID } from 'node:crypto'
import type { Instant } from '#lib/time.ts'

/** The only way to chance, for run ids. Folds never see one. */
export interface Ids {
  /** Unique in the world. */
  next(): string
}

export const randomIds: Ids = { next: () => randomUUID() }

/**
 * An id that is unique in the world and sorts by its instant, to the millisecond: a UUID of version 7 (RFC 9562) in lower
 * case. For commands, which people name to each other.
 *
 * @param now from 1970 to the year 10889, which is as far as 48 bits go
 */
export function timeOrderedId(now: Instant): string {
  const time = now.toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`
}
