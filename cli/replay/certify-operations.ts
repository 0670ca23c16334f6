import { openMemoryArtefacts } from '#lib/artefacts/memory.ts'
import type { ArtefactStore } from '#lib/artefacts/port.ts'
import { sha256Hex } from '#lib/codec/sha256.ts'
import type { JobFinished } from '#lib/facts.ts'
import type { JobTopic } from '#lib/jobs/job-topic.ts'
import type { Environment } from '#lib/runtime/environment.ts'
import { datedEnds, LATENCY_HEARTBEAT, writeOperationsFiles } from '#services/exporter/adapters/operations-files.ts'
import { automationFiles, automationLines, type DatedEnd } from '#services/exporter/automation-log.ts'
import { exporterDependencies } from '#services/exporter/service.ts'
import type { ArtefactCertificate } from './artefact-certificate.ts'
import type { Refolded } from './refold.ts'
import { settled } from './settled.ts'

/** By path the sha256 that a file may have, the fullest first; `null`: it may not be there. */
type PossibleFiles = ReadonlyMap<string, readonly (string | null)[]>

/**
 * Compares the projections of the jobs themselves: the files of the automation log, and the heartbeat. They have no cut,
 * and nothing records their hash.
 */
export async function certifyOperations(
  recorded: Environment,
  { env }: Refolded,
): Promise<readonly ArtefactCertificate[]> {
  const rebuilt = await possibleFiles(exporterDependencies(env).jobs)
  const certificates: ArtefactCertificate[] = []
  for (const [artefact, shas] of rebuilt) certificates.push(await certify(recorded, artefact, shas))
  return certificates
}

async function possibleFiles(jobs: JobTopic): Promise<PossibleFiles> {
  const ends = await datedEnds(jobs)
  if (ends.every(isNoRewrite)) return new Map()
  const store = openMemoryArtefacts()
  await writeOperationsFiles(store, jobs)
  const heartbeat = await shaOf(store, LATENCY_HEARTBEAT)
  return new Map([...automationLogs(ends), ...(heartbeat === null ? [] : [[LATENCY_HEARTBEAT, [heartbeat]] as const])])
}

/** The files are rewritten when a job has run, not when one was skipped; a dry run has its own. */
function isNoRewrite({ finished: { status, dryRun } }: DatedEnd): boolean {
  return status === 'skipped' || dryRun
}

/** The log as it may stand after the last rewrite: what came later without one may be in it or not. */
function automationLogs(ends: readonly DatedEnd[]): PossibleFiles {
  const lastRewrite = ends.findLastIndex((end) => !isNoRewrite(end))
  const states = ends.slice(lastRewrite).map((_, later) => {
    const { rotated, current } = automationFiles(ends.slice(0, lastRewrite + 1 + later))
    return new Map([...rotated, current].map((file) => [file.path, file.ends]))
  })
  const paths = new Set(states.flatMap((state) => [...state.keys()]))
  return new Map([...paths].map((path) => [path, shasIn(states.toReversed().map((state) => state.get(path)))]))
}

/** Most files are the same in every state. */
function shasIn(states: readonly (readonly JobFinished[] | undefined)[]): readonly (string | null)[] {
  const byLineCount = new Map(states.map((ends) => [ends?.length, ends]))
  return [...byLineCount.values()].map((ends) => (ends ? sha256Hex(automationLines(ends)) : null))
}

async function certify(
  recorded: Environment,
  artefact: string,
  rebuilt: readonly (string | null)[],
): Promise<ArtefactCertificate> {
  const { store } = exporterDependencies(recorded)
  const { live, verdict } = await settled(recorded, async ({ jobs }) => {
    const live = await shaOf(store, artefact)
    if (rebuilt.includes(live)) return { live, verdict: 'equal', isFinal: true } as const
    const isLater = ((await possibleFiles(jobs)).get(artefact) ?? [null]).includes(live)
    return { live, verdict: isLater ? 'moved_on' : 'different', isFinal: isLater } as const
  })
  return { artefact, cutAt: null, recorded: null, live, rebuilt: verdict === 'equal' ? live : rebuilt[0]!, verdict }
}

async function shaOf(store: ArtefactStore, path: string): Promise<string | null> {
  const bytes = await store.read(path)
  return bytes && sha256Hex(bytes)
}
