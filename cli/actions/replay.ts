import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { openFileArtefacts } from '#lib/artefacts/files.ts'
import { type ExitCode, errorCatalogue, ObstreamError } from '#lib/errors.ts'
import { openSqliteLog } from '#lib/eventlog/sqlite.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import type { Environment } from '#lib/runtime/environment.ts'
import { formatInstant } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { exporterDependencies } from '#services/exporter/service.ts'
import type { CommandRun } from '../program.ts'
import { type Certificate, certificateJson, certify } from '../replay/certificate.ts'
import { LatencyFiles } from '../replay/latency-files.ts'
import { EVERYTHING, type ReplayRange } from '../replay/range.ts'
import { rebuildFiles } from '../replay/rebuild-files.ts'
import { currentFolds, type Refolded, refold } from '../replay/refold.ts'
import type { ReplayFlags } from '../replay.ts'
import type { Session } from '../session.ts'
import type { Terminal } from '../terminal.ts'
import { openExistingDesk } from './desk.ts'
import { showProgress } from './progress.ts'

/** `obstream replay`: folds the log again in a scratch log; the log itself is only read, and nothing is sent. */
export const replay: CommandRun<readonly [ReplayFlags]> = async (session, flags) => {
  const range = {
    ...EVERYTHING,
    ...(flags.from === undefined ? {} : { from: flags.from }),
    ...(flags.until === undefined ? {} : { until: flags.until }),
  }
  const env = await openExistingDesk(session, 'replay', flags)
  const folder = mkdtempSync(join(tmpdir(), 'obstream-replay-'))
  try {
    const rebuilt = await refoldIn(folder, session, env)
    try {
      return await finish(session, flags, range, { env, rebuilt })
    } finally {
      await rebuilt.env.close()
    }
  } finally {
    await env.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function refoldIn(folder: string, session: Session, env: Environment): Promise<Refolded> {
  const partitions = (await env.log.offsets(topics.sample.name)).length
  const scratch = openSqliteLog({ path: join(folder, 'scratch.db'), clock: endOfTime(env.clock), partitions })
  const bar = showProgress(session.terminal, 'samples')
  try {
    return await refold(env, scratch, currentFolds, (folded, total) => bar.update('folding', folded, total))
  } catch (error) {
    await scratch.close()
    throw error
  } finally {
    bar.stop()
  }
}

const LAST_INSTANT = Date.UTC(9999, 11, 31)

/** Append times of the scratch log: later than all a fold may ask for, also when this machine's clock is behind. */
function endOfTime(clock: Clock): Clock {
  return {
    now: () => LAST_INSTANT,
    monotonicMs: () => clock.monotonicMs(),
    sleep: (ms, signal) => clock.sleep(ms, signal),
  }
}

async function finish(
  { terminal, dataDir }: Session,
  flags: ReplayFlags,
  range: ReplayRange,
  { env, rebuilt }: { readonly env: Environment; readonly rebuilt: Refolded },
): Promise<ExitCode> {
  const files = await LatencyFiles.read(rebuilt.env)
  if (flags.to !== undefined) await write(terminal, resolve(dataDir, flags.to), { env, rebuilt, files, range })
  const certificate = await certify(env, rebuilt, files, range)
  tell(terminal, certificate)
  terminal.summary(certificateJson(certificate))
  const isDifferent = flags.check ? certificate.verdict === 'different' : certificate.facts.differences.length > 0
  return isDifferent ? errorCatalogue.OBS_REPLAY_DIFFERENT.exitCode : 0
}

interface Writing {
  readonly env: Environment
  readonly rebuilt: Refolded
  readonly files: LatencyFiles
  readonly range: ReplayRange
}

async function write(terminal: Terminal, folder: string, { env, rebuilt, files, range }: Writing): Promise<void> {
  const isLive = folder === env.config.dataDir
  const held = isLive ? holdLiveFiles(env) : null
  try {
    if (isLive) await refuseOlderFiles(env, files)
    const isExpired = rebuilt.beginnings.some(({ because }) => because.includes('retention'))
    const provenOnly = isLive || isExpired
    const { jobId, leftOut } = await rebuildFiles(rebuilt.env, files, openFileArtefacts(folder), { range, provenOnly })
    terminal.note(
      jobId === null
        ? 'no job of that time went well, so there are no files to write'
        : `${folder}: the files as they were after ${jobId}`,
    )
    for (const path of leftOut)
      terminal.warn(`${path} is left out: the log no longer gives the bytes that were recorded`)
  } finally {
    held?.release()
  }
}

/** In the data directory itself the replay takes the place of the latency job. */
function holdLiveFiles(env: Environment) {
  const held = exporterDependencies(env).lock()
  if (held) return held
  throw new ObstreamError(
    'OBS_LOG_GROUP_HELD',
    `a latency job is writing the files of ${env.config.dataDir}; wait for its end, or replay into another folder`,
  )
}

async function refuseOlderFiles(env: Environment, files: LatencyFiles): Promise<void> {
  const newer = (await exporterDependencies(env).jobs.finished()).slice(files.ends.length)
  if (newer.every(({ status }) => status === 'skipped')) return
  throw new ObstreamError(
    'OBS_LOG_GROUP_HELD',
    `${newer.at(-1)!.jobId} has ended since the replay began, so its files are newer; run the replay again`,
  )
}

function tell(terminal: Terminal, { recomputedFrom, takenBecause, facts, artefacts }: Certificate): void {
  if (takenBecause.length > 0) {
    const since = Number.isFinite(recomputedFrom) ? `before ${formatInstant(recomputedFrom)}` : 'of all the log'
    terminal.warn(`facts decided ${since} are taken as recorded (${takenBecause.join(', ')})`)
  }
  terminal.note(`${facts.equalCount} facts equal, ${facts.takenCount} taken, ${facts.differences.length} different`)
  for (const { topic, key } of facts.differences) terminal.note(`  different: ${topic} ${key}`)
  for (const { artefact, verdict } of artefacts) terminal.note(`  ${verdict.padEnd(13)}  ${artefact}`)
}
