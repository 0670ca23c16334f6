import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { openFileArtefacts } from '#lib/artefacts/files.ts'
import { type ExitCode, errorCatalogue } from '#lib/errors.ts'
import { openSqliteLog } from '#lib/eventlog/sqlite.ts'
import type { Environment } from '#lib/runtime/environment.ts'
import { topics } from '#lib/topics.ts'
import type { CommandRun } from '../program.ts'
import { type Certificate, certificateJson, certify } from '../replay/certificate.ts'
import { EVERYTHING, type ReplayRange } from '../replay/range.ts'
import { rebuildFiles } from '../replay/rebuild-files.ts'
import { refold } from '../replay/refold.ts'
import type { ReplayFlags } from '../replay.ts'
import type { Session } from '../session.ts'
import { openDesk } from './desk.ts'
import { showProgress } from './progress.ts'

/** `obstream replay`: folds the log again in a scratch log; the log itself is only read, and nothing is sent. */
export const replay: CommandRun<readonly [ReplayFlags]> = async (session, flags) => {
  const range = {
    ...EVERYTHING,
    ...(flags.from === undefined ? {} : { from: flags.from }),
    ...(flags.until === undefined ? {} : { until: flags.until }),
  }
  const env = await openDesk(session, 'replay', flags)
  const folder = mkdtempSync(join(tmpdir(), 'obstream-replay-'))
  try {
    const rebuilt = await refoldIn(folder, session, env)
    try {
      return await finish(session, flags, range, { env, rebuilt })
    } finally {
      await rebuilt.close()
    }
  } finally {
    await env.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function refoldIn(folder: string, session: Session, env: Environment): Promise<Environment> {
  const partitions = (await env.log.offsets(topics.sample.name)).length
  const scratch = openSqliteLog({ path: join(folder, 'scratch.db'), clock: env.clock, partitions })
  const bar = showProgress(session.terminal, 'samples')
  try {
    return await refold(env, scratch, (folded, total) => bar.update('folding', folded, total))
  } catch (error) {
    await scratch.close()
    throw error
  } finally {
    bar.stop()
  }
}

async function finish(
  { terminal, dataDir }: Session,
  flags: ReplayFlags,
  range: ReplayRange,
  { env, rebuilt }: { readonly env: Environment; readonly rebuilt: Environment },
): Promise<ExitCode> {
  if (flags.to !== undefined) {
    const jobId = await rebuildFiles(rebuilt, openFileArtefacts(resolve(dataDir, flags.to)), range)
    terminal.note(
      jobId === null
        ? 'no job of that time went well, so there are no files to write'
        : `${flags.to}: the files as they were after ${jobId}`,
    )
  }
  const certificate = await certify(env, rebuilt, range)
  tell(terminal.note.bind(terminal), certificate)
  terminal.summary(certificateJson(certificate))
  const isDifferent = flags.check ? certificate.verdict === 'different' : certificate.facts.differences.length > 0
  return isDifferent ? errorCatalogue.OBS_REPLAY_DIFFERENT.exitCode : 0
}

function tell(note: (line: string) => void, { facts, artefacts }: Certificate): void {
  note(`${facts.equalCount} facts equal, ${facts.differences.length} different`)
  for (const { topic, key } of facts.differences) note(`  different: ${topic} ${key}`)
  for (const { artefact, verdict } of artefacts) note(`  ${verdict.padEnd(9)}  ${artefact}`)
}
