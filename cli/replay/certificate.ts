import { ENGINE } from '#lib/plan.ts'
import type { Environment } from '#lib/runtime/environment.ts'
import { formatInstant, type Instant } from '#lib/time.ts'
import type { ArtefactCertificate } from './artefact-certificate.ts'
import type { TakenBecause } from './beginning.ts'
import { certifyLatency } from './certify-latency.ts'
import { certifyOperations } from './certify-operations.ts'
import { compareFacts, type FactComparison } from './compare-facts.ts'
import type { LatencyFiles } from './latency-files.ts'
import type { ReplayRange } from './range.ts'
import type { Refolded } from './refold.ts'

/** What a replay has found. */
export interface Certificate {
  readonly engine: number
  /** Facts decided before this were taken as recorded; `-Infinity`: none was, `Infinity`: all were. */
  readonly recomputedFrom: Instant
  /** Why facts were taken; empty: none was. */
  readonly takenBecause: readonly TakenBecause[]
  readonly facts: FactComparison
  readonly artefacts: readonly ArtefactCertificate[]
  /** Whether a fact or an artefact is different. */
  readonly verdict: 'equal' | 'different'
}

/**
 * Compares what is recorded, what stands in the data directory, and what follows from the log now: the derived facts, and
 * each artefact at the cut of the last job of the range that wrote it.
 *
 * @throws OBS_LOG_FACT_CHANGED
 */
export async function certify(
  recorded: Environment,
  rebuilt: Refolded,
  files: LatencyFiles,
  range: ReplayRange,
): Promise<Certificate> {
  const facts = await compareFacts(recorded, rebuilt, range)
  const artefacts = [
    ...(await certifyLatency(recorded, rebuilt, files, range)),
    ...(await certifyOperations(recorded, rebuilt)),
  ]
  const isEqual = facts.differences.length === 0 && artefacts.every(({ verdict }) => verdict !== 'different')
  return {
    engine: ENGINE,
    recomputedFrom: Math.max(...rebuilt.beginnings.map(({ recomputedFrom }) => recomputedFrom)),
    takenBecause: [...new Set(rebuilt.beginnings.flatMap(({ because }) => because))].toSorted(),
    facts,
    artefacts,
    verdict: isEqual ? 'equal' : 'different',
  }
}

/**
 * The certificate as its readers see it. `recomputed` is `all`, `since` with the instant in `recomputed_from`, or `nothing`.
 */
export function certificateJson(certificate: Certificate): object {
  const { engine, recomputedFrom, takenBecause, facts, artefacts, verdict } = certificate
  const { equalCount, takenCount, differences } = facts
  return {
    verdict,
    engine,
    recomputed: extent(recomputedFrom),
    recomputed_from: Number.isFinite(recomputedFrom) ? formatInstant(recomputedFrom) : null,
    taken_because: takenBecause,
    facts: { equal: equalCount, taken: takenCount, different: differences },
    artefacts: artefacts.map(({ artefact, cutAt, recorded, live, rebuilt, verdict }) => ({
      artefact,
      cut_at: cutAt === null ? null : formatInstant(cutAt),
      recorded_sha256: recorded,
      live_sha256: live,
      rebuilt_sha256: rebuilt,
      verdict,
    })),
  }
}

function extent(recomputedFrom: Instant): 'all' | 'since' | 'nothing' {
  if (recomputedFrom === Number.NEGATIVE_INFINITY) return 'all'
  return recomputedFrom === Number.POSITIVE_INFINITY ? 'nothing' : 'since'
}
