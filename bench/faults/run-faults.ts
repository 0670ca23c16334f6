import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { startRouter } from '#examples/router-demo/router.ts'
import { codecOf, type Environment } from '#lib/runtime/environment.ts'
import { type Instant, SECOND_MS } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { exporterDependencies } from '#services/exporter/service.ts'
import { Random } from '../random.ts'
import { type Checked, checkLog, openDeskLog } from './check.ts'
import { CSV_PATH, CSV_SOURCE, createDesk, LOG_PATH } from './desk.ts'
import { copyLog, type Evidence, type Mark, takeMarks } from './evidence.ts'
import type { Fault } from './fault.ts'
import { Life } from './life.ts'
import { Observer } from './observer.ts'
import { TradingSystem } from './trading-system.ts'

export interface FaultsRun {
  readonly kills: number
  readonly seed: number
  /** The longest that a life lasts once it runs. */
  readonly longestLifeMs: number
  /** Hears after each kill. */
  readonly onKill?: (kill: number) => void
}

export interface FaultsReport {
  readonly seed: number
  /** Kills before all services had started, and after. */
  readonly killedStarting: number
  readonly killedRunning: number
  readonly seconds: number
  readonly rows: number
  readonly observed: number
  readonly checked: Checked
  /** Those of the log and those of `obstream replay --check`. */
  readonly faults: readonly Fault[]
  /** Of the data directory, the log as it was checked, and what it was checked against. */
  readonly dataDir: string
  readonly logPath: string
  readonly evidence: Evidence
}

const START_SHARE = 0.25
/** A start takes about this long. */
const START_MS = 900
const SOON_SHARE = 0.3
const SOON_MS = 50
const OBSERVED_SHARE = 0.5
const CATCH_UP_WITHIN_MS = 90 * SECOND_MS

/**
 * Starts obstream, kills it, starts it again, and so on; at last lets it catch up and stop, and checks everything. The
 * data directory is left where it is.
 *
 * @throws Error when obstream ends by itself, or does not catch up
 */
export async function runFaults(run: FaultsRun): Promise<FaultsReport> {
  const startedAt = performance.now()
  const router = await startRouter({ port: 0 })
  const dataDir = createDesk(router.url)
  const path = join(dataDir, LOG_PATH)
  const random = new Random(run.seed)
  const trading = new TradingSystem(join(dataDir, CSV_PATH), random)
  const observer = new Observer(path)
  const marks: Mark[] = []
  let killedRunning = 0
  try {
    for (let kill = 1; kill <= run.kills; kill++) {
      if (await liveAndDie(dataDir, { random, observer, longestLifeMs: run.longestLifeMs })) killedRunning++
      marks.push(...(await marksOf(path)))
      run.onKill?.(kill)
    }
    await lastLife(dataDir, path, trading)
  } catch (error) {
    throw new Error(`seed ${run.seed}, data directory ${dataDir}`, { cause: error })
  } finally {
    trading.stop()
    await router.stop()
  }
  const evidence = { marks, observed: observer.taken, rows: trading.rows }
  const logPath = copyLog(path, mkdtempSync(join(tmpdir(), 'obstream-faults-log-')))
  const checked = await checkLog(dataDir, logPath, evidence)
  return {
    seed: run.seed,
    killedStarting: run.kills - killedRunning,
    killedRunning,
    seconds: (performance.now() - startedAt) / 1000,
    rows: trading.rows.length,
    observed: observer.taken.length,
    checked,
    faults: [...checked.faults, ...(await checkReplay(dataDir))],
    dataDir,
    logPath,
    evidence,
  }
}

/** @returns whether all services had started when the end came */
async function liveAndDie(
  dataDir: string,
  how: { readonly random: Random; readonly observer: Observer; readonly longestLifeMs: number },
): Promise<boolean> {
  const { random, observer, longestLifeMs } = how
  const diesStarting = random.chance(START_SHARE)
  const startMs = random.between(0, START_MS)
  const lifeMs = random.chance(SOON_SHARE) ? random.between(2, SOON_MS) : random.between(SOON_MS, longestLifeMs)
  const isObserved = random.chance(OBSERVED_SHARE)
  const life = new Life(['--data-dir', dataDir, 'up'])
  const runs = await Promise.race([
    life.runs.then(() => true),
    ...(diesStarting ? [wait(startMs, false)] : []),
    life.ended.then(({ stderr }) => Promise.reject(new Error(`obstream ended by itself:\n${stderr}`))),
  ])
  const leave = runs && isObserved ? observer.watch() : undefined
  if (runs) await wait(lifeMs)
  await life.kill()
  await leave?.()
  return runs
}

/** None when the first kill came before the log was created. */
async function marksOf(path: string): Promise<readonly Mark[]> {
  if (!existsSync(path)) return []
  const folder = mkdtempSync(join(tmpdir(), 'obstream-mark-'))
  try {
    return await takeMarks(copyLog(path, folder))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Runs until every row is in the log, and a job has ended well whose cut lies behind that. */
async function lastLife(dataDir: string, path: string, trading: TradingSystem): Promise<void> {
  const life = new Life(['--data-dir', dataDir, 'up'])
  await Promise.race([life.runs, life.ended])
  trading.stop()
  const env = await openDeskLog(dataDir, path)
  const isOver = AbortSignal.timeout(CATCH_UP_WITHIN_MS)
  try {
    const readAt = await eventually(() => rowsReadAt(env, trading.rows.at(-1)!.at), isOver)
    await eventually(() => jobEndedAfter(env, readAt), isOver)
  } catch (error) {
    const { code, stderr } = await life.stop()
    throw new Error(`obstream did not catch up; it ended with ${code}:\n${stderr}`, { cause: error })
  } finally {
    await env.close()
  }
  const { code, stderr } = await life.stop()
  if (code !== 0) throw new Error(`obstream did not stop cleanly but with ${code}:\n${stderr}`)
}

async function eventually<Value>(look: () => Promise<Value | undefined>, isOver: AbortSignal): Promise<Value> {
  for (;;) {
    const value = await look()
    if (value !== undefined) return value
    await wait(100, undefined, { signal: isOver })
  }
}

/** The first tick behind the last row of the csv file. */
async function rowsReadAt({ log, codecs }: Environment, lastRowAt: Instant): Promise<Instant | undefined> {
  const codec = codecOf({ codecs }, topics.sample)
  let isRead = false
  const { earliest, end } = (await log.offsets(topics.sample.name))[0]!
  for await (const batch of log.read(topics.sample.name, 0, earliest, end))
    for (const { key, value } of batch.records()) {
      const fact = codec.decode(value!)
      if (fact.type === 'tick' && isRead) return fact.at
      if (fact.type === 'probe' && fact.scheduledAt === lastRowAt && key.toString() === CSV_SOURCE) isRead = true
    }
  return undefined
}

async function jobEndedAfter(env: Environment, readAt: Instant): Promise<true | undefined> {
  const { jobs } = exporterDependencies(env)
  const history = await jobs.history('latency')
  for (const { slotAt, status, dryRun } of await jobs.finished())
    if (status === 'ok' && (history.slot(slotAt, dryRun).start?.cutTickAt ?? 0) >= readAt) return true
  return undefined
}

/** Whether `obstream replay --check` finds everything equal. */
async function checkReplay(dataDir: string): Promise<readonly Fault[]> {
  const { code, stdout, stderr } = await new Life(['--data-dir', dataDir, 'replay', '--check']).ended
  if (code !== 0) return [{ kind: 'replay_different', about: `replay --check ended with ${code}: ${stdout}${stderr}` }]
  const { artefacts } = JSON.parse(stdout) as {
    readonly artefacts: readonly { readonly artefact: string; readonly verdict: string }[]
  }
  if (artefacts.length === 0)
    return [{ kind: 'replay_different', about: 'replay --check found no artefact to compare' }]
  return artefacts
    .filter(({ verdict }) => verdict !== 'equal')
    .map(({ artefact, verdict }) => ({ kind: 'replay_different', about: `${artefact} is ${verdict}` }))
}
