import { openMemoryArtefacts } from '#lib/artefacts/memory.ts'
import type { ArtefactStore } from '#lib/artefacts/port.ts'
import { sha256Hex } from '#lib/codec/sha256.ts'
import type { JobFinished } from '#lib/facts.ts'
import type { JobTopic } from '#lib/jobs/job-topic.ts'
import type { Environment } from '#lib/runtime/environment.ts'
import {
  AUTOMATION_LOG,
  LATENCY_HEARTBEAT,
  writeOperationsFiles,
} from '#services/exporter/adapters/operations-files.ts'
import { automationLog } from '#services/exporter/automation-log.ts'
import { exporterDependencies } from '#services/exporter/service.ts'
import type { ArtefactCertificate } from './artefact-certificate.ts'
import type { Refolded } from './refold.ts'
import { settled } from './settled.ts'

/**
 * Compares the projections of the jobs themselves: the automation log and the heartbeat. They have no cut, and nothing
 * records their hash.
 */
export async function certifyOperations(
  recorded: Environment,
  { env }: Refolded,
): Promise<readonly ArtefactCertificate[]> {
  const { jobs } = exporterDependencies(env)
  const ends = await jobs.finished()
  if (ends.every(isNoRewrite)) return []
  const heartbeat = await heartbeatSha(jobs)
  const certificates = [
    await certify(recorded, AUTOMATION_LOG, automationLogs(ends), async (now) => automationLogs(await now.finished())),
  ]
  if (heartbeat !== null)
    certificates.push(
      await certify(recorded, LATENCY_HEARTBEAT, [heartbeat], async (now) => [(await heartbeatSha(now))!]),
    )
  return certificates
}

/** The files are rewritten when a job has run, not when one was skipped; a dry run has its own. */
function isNoRewrite({ status, dryRun }: JobFinished): boolean {
  return status === 'skipped' || dryRun
}

/** The log as it may stand after the last rewrite, the fullest first: what came later without one may be in it or not. */
function automationLogs(ends: readonly JobFinished[]): readonly string[] {
  const newest = ends.findLastIndex((end) => !isNoRewrite(end))
  return ends
    .slice(newest)
    .map((_, i) => sha256Hex(automationLog(ends.slice(0, newest + 1 + i))))
    .toReversed()
}

async function heartbeatSha(jobs: JobTopic): Promise<string | null> {
  const store = openMemoryArtefacts()
  await writeOperationsFiles(store, jobs)
  return await shaOf(store, LATENCY_HEARTBEAT)
}

async function certify(
  recorded: Environment,
  artefact: string,
  rebuilt: readonly string[],
  nowRebuilt: (jobs: JobTopic) => Promise<readonly string[]>,
): Promise<ArtefactCertificate> {
  const { store } = exporterDependencies(recorded)
  const seen = await settled(recorded, async ({ jobs }) => {
    const live = await shaOf(store, artefact)
    const found = rebuilt.find((sha) => sha === live)
    if (found !== undefined) return { live, verdict: 'equal', isFinal: true } as const
    const isLater = live !== null && (await nowRebuilt(jobs)).includes(live)
    return { live, verdict: isLater ? 'moved_on' : 'different', isFinal: isLater } as const
  })
  const { live, verdict } = seen
  return { artefact, cutAt: null, recorded: null, live, rebuilt: verdict === 'equal' ? live : rebuilt[0]!, verdict }
}

async function shaOf(store: ArtefactStore, path: string): Promise<string | null> {
  const bytes = await store.read(path)
  return bytes && sha256Hex(bytes)
}
