import { openMemoryArtefacts } from '#lib/artefacts/memory.ts'
import type { ArtefactStore } from '#lib/artefacts/port.ts'
import { sha256Hex } from '#lib/codec/sha256.ts'
import type { JobFinished, JobStarted } from '#lib/facts.ts'
import { ENGINE } from '#lib/plan.ts'
import type { Environment } from '#lib/runtime/environment.ts'
import { formatInstant, type Instant } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { rebuildLatency } from '#services/exporter/adapters/latency-job.ts'
import {
  AUTOMATION_LOG,
  LATENCY_HEARTBEAT,
  writeOperationsFiles,
} from '#services/exporter/adapters/operations-files.ts'
import { LATENCY_JOB } from '#services/exporter/latency-start.ts'
import { exporterDependencies } from '#services/exporter/service.ts'
import { isInRange, type ReplayRange } from './range.ts'
import { type Comparison, compareFacts } from './refold.ts'

/**
 * - `equal`: recorded, live and rebuilt are the same bytes.
 * - `different`: they are not, and nothing explains it.
 * - `moved_on`: rebuilt as recorded; the live file belongs to a later cut, or its retention is over.
 * - `expired`: the log no longer holds the inputs from the beginning.
 */
export type ArtefactVerdict = 'equal' | 'different' | 'moved_on' | 'expired'

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

export interface Certificate {
  readonly engine: number
  readonly facts: Comparison
  readonly artefacts: readonly ArtefactCertificate[]
  readonly verdict: 'equal' | 'different'
}

/**
 * Compares what is recorded, what stands in the data directory, and what follows from the log now: the derived facts, and
 * each artefact at the cut of the last job that wrote it.
 *
 * @param rebuilt what `refold` gave
 */
export async function certify(recorded: Environment, rebuilt: Environment, range: ReplayRange): Promise<Certificate> {
  const facts = await compareFacts(recorded, rebuilt, await comparableUntil(recorded, range))
  const isWhole = (await recorded.log.offsets(topics.sample.name)).every(({ earliest }) => earliest === 0)
  const artefacts = [...(await certifyLatency(rebuilt, range, isWhole)), ...(await certifyOperations(rebuilt))]
  const isEqual = facts.differences.length === 0 && artefacts.every(({ verdict }) => verdict !== 'different')
  return { engine: ENGINE, facts, artefacts, verdict: isEqual ? 'equal' : 'different' }
}

/** What a service has not come to yet is rebuilt only. */
async function comparableUntil({ log }: Environment, { until }: ReplayRange): Promise<(topic: string) => Instant> {
  const reachedBy = async (group: string, topic: string): Promise<Instant> => {
    const commits = await log.committed(group, topic)
    return Math.min(until - 1, ...commits.map(({ reached }) => reached ?? Number.NEGATIVE_INFINITY))
  }
  const rollup = await reachedBy('rollup', topics.sample.name)
  const alerter = await reachedBy('alerter', topics.window.name)
  return (topic) => (topic === topics.alert.name ? alerter : rollup)
}

async function certifyLatency(
  rebuilt: Environment,
  range: ReplayRange,
  isWhole: boolean,
): Promise<readonly ArtefactCertificate[]> {
  const deps = exporterDependencies(rebuilt)
  const history = await deps.jobs.history(LATENCY_JOB)
  const certificates: ArtefactCertificate[] = []
  for (const [path, { finished, start }] of lastWriters(
    await deps.jobs.finished(),
    (end) => history.slot(end.slotAt, end.dryRun).start,
    range,
  )) {
    const projection = await rebuildLatency(deps, start)
    const files = [
      ...projection.archive,
      ...(projection.checksums ? [projection.checksums] : []),
      projection.current,
      projection.rollup,
    ]
    const shas = {
      recorded: finished.artefacts.find((artefact) => artefact.path === path)!.sha256,
      live: await shaOf(deps.store, path),
      rebuilt: files.find((file) => file.path === path)?.sha256 ?? null,
    }
    const isNewest = start === history.starts.at(-1)
    certificates.push({ artefact: path, cutAt: start.cutTickAt, ...shas, verdict: judge(shas, { isNewest, isWhole }) })
  }
  return certificates.toSorted((a, b) => (a.artefact < b.artefact ? -1 : 1))
}

type Writer = { readonly finished: JobFinished; readonly start: JobStarted }

function lastWriters(
  ends: readonly JobFinished[],
  startOf: (end: JobFinished) => JobStarted | null,
  range: ReplayRange,
): ReadonlyMap<string, Writer> {
  const writers = new Map<string, Writer>()
  for (const finished of ends) {
    const start = finished.status === 'ok' && !finished.dryRun ? startOf(finished) : null
    if (start && isInRange(range, start.cutTickAt))
      for (const { path } of finished.artefacts) writers.set(path, { finished, start })
  }
  return writers
}

function judge(
  { recorded, live, rebuilt }: Pick<ArtefactCertificate, 'recorded' | 'live' | 'rebuilt'>,
  { isNewest, isWhole }: { readonly isNewest: boolean; readonly isWhole: boolean },
): ArtefactVerdict {
  if (rebuilt !== recorded) return isWhole ? 'different' : 'expired'
  if (live === recorded) return 'equal'
  return isNewest ? 'different' : 'moved_on'
}

/** The automation log and the heartbeat are projections of the jobs to the end; nothing records their hash. */
async function certifyOperations(rebuilt: Environment): Promise<readonly ArtefactCertificate[]> {
  const deps = exporterDependencies(rebuilt)
  const store = openMemoryArtefacts()
  await writeOperationsFiles(store, deps.jobs)
  const certificates: ArtefactCertificate[] = []
  for (const path of [AUTOMATION_LOG, LATENCY_HEARTBEAT]) {
    const [live, again] = [await shaOf(deps.store, path), await shaOf(store, path)]
    if (again !== null)
      certificates.push({
        artefact: path,
        cutAt: null,
        recorded: null,
        live,
        rebuilt: again,
        verdict: live === again ? 'equal' : 'different',
      })
  }
  return certificates
}

async function shaOf(store: ArtefactStore, path: string): Promise<string | null> {
  const bytes = await store.read(path)
  return bytes && sha256Hex(bytes)
}

/** The certificate as its readers see it. */
export function certificateJson({ engine, facts, artefacts, verdict }: Certificate): object {
  return {
    verdict,
    engine,
    facts: { equal: facts.equalCount, different: facts.differences },
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
