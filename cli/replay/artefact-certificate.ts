import type { Instant } from '#lib/time.ts'

/**
 * - `equal`: recorded, live and rebuilt are the same bytes.
 * - `different`: they are not, and nothing explains it.
 * - `moved_on`: rebuilt as recorded; the live file belongs to a later cut, or its retention is over.
 * - `expired`: the log no longer holds all that the artefact was made of.
 * - `recorded_only`: the same bytes, but made of facts that were taken as recorded and not recomputed.
 */
export type ArtefactVerdict = 'equal' | 'different' | 'moved_on' | 'expired' | 'recorded_only'

export interface ArtefactCertificate {
  readonly artefact: string
  /** Instant of the cut of the last job that wrote it; `null` for a projection of the jobs themselves. */
  readonly cutAt: Instant | null
  /** sha256 of the bytes; `null`: never recorded, or not there. */
  readonly recorded: string | null
  readonly live: string | null
  readonly rebuilt: string | null
  readonly verdict: ArtefactVerdict
}
