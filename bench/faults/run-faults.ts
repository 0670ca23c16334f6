import { rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { startRouter } from '#examples/router-demo/router.ts'
import { codecOf, type Environment } from '#lib/runtime/environment.ts'
import { type Instant, SECOND_MS } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { exporterDependencies } from '#services/exporter/service.ts'
import { Random } from '../random.ts'
import { type Checked, checkLog } from './check.ts'
import { checkDeliveries, newestTransitionAt, type Told } from './check-deliveries.ts'
import { CSV_PATH, CSV_SOURCE, createDesk } from './desk.ts'
import type { Evidence } from './evidence.ts'
import type { Fault } from './fault.ts'
import { Life } from './life.ts'
import type { Bed, Patient } from './patient.ts'
import { type Arrival, Receivers } from './receivers.ts'
import { recordsIn } from './records-in.ts'
import { TradingSystem } from './trading-system.ts'

export interface FaultsRun {
  /** Makes the patient ready to be hurt. */
  readonly admit: (bed: Bed) => Promise<Patient>
  /** Of the latency path. */
  readonly partitions: number
  /** How often it is hurt. */
  readonly hurts: number
  readonly seed: number
  /** Hears after each hurt how many there were, and what this one was. */
  readonly onHurt?: (hurt: number, what: string) => void
}

export interface FaultsReport {
  readonly seed: number
  /** How often what was done. */
  readonly hurts: ReadonlyMap<string, number>
  readonly seconds: number
  readonly rows: number
  readonly observed: number
  readonly checked: Checked
  /** Those of the processes, of the log and of `obstream replay --check`. */
  readonly faults: readonly Fault[]
  readonly dataDir: string
  /** The log as it was checked, a copy, and what it was checked against. */
  readonly logPath: string
  readonly evidence: Evidence
  /** The patient, stopped, with all that is around it; to be closed. */
  readonly patient: Patient
}

const CATCH_UP_WITHIN_MS = 150 * SECOND_MS

/**
 * Runs obstream, hurts it again and again, at last lets it heal, catch up and stop, and checks everything. The files are
 * left where they are.
 *
 * @throws Error when it does not catch up
 */
export async function runFaults(run: FaultsRun): Promise<FaultsReport> {
  const startedAt = performance.now()
  const router = await startRouter({ port: 0 })
  const receivers = await Receivers.open(new Random(run.seed + 2))
  const { pagerDutyUrl, env } = receivers
  const dataDir = createDesk({ routerUrl: router.url, pagerDutyUrl, partitions: run.partitions })
  const trading = new TradingSystem(join(dataDir, CSV_PATH), new Random(run.seed + 1))
  const hurts = new Map<string, number>()
  const faults: Fault[] = []
  let patient: Patient | undefined
  try {
    patient = await run.admit({ dataDir, random: new Random(run.seed), env })
    for (let hurt = 1; hurt <= run.hurts; hurt++) {
      const what = await patient.hurt()
      hurts.set(what, (hurts.get(what) ?? 0) + 1)
      run.onHurt?.(hurt, what)
    }
    await patient.heal()
    receivers.recover()
    trading.stop()
    const { arrivals } = receivers
    const { untilAt, ...stopped } = await catchUp(patient, trading, arrivals)
    faults.push(...stopped.faults)
    const evidence = { ...patient.evidence(), rows: trading.rows, told: { arrivals: [...arrivals], untilAt } }
    const logPath = await patient.copyLog()
    const checked = await checkCopy(patient, logPath, evidence)
    return {
      seed: run.seed,
      hurts,
      seconds: (performance.now() - startedAt) / 1000,
      rows: trading.rows.length,
      observed: evidence.observed.length,
      checked,
      faults: [...faults, ...checked.faults, ...(await checkReplay(patient, env)), ...saidAgain(evidence, arrivals)],
      dataDir,
      logPath,
      evidence,
      patient,
    }
  } catch (error) {
    await patient?.close()
    throw new Error(`seed ${run.seed}, data directory ${dataDir}`, { cause: error })
  } finally {
    trading.stop()
    await router.stop()
    await receivers.close()
  }
}

/** Checks a copy of the patient's log, or a copy of that. */
export async function checkCopy(patient: Patient, logPath: string, evidence: Evidence): Promise<Checked> {
  const env = await patient.openCopy(logPath)
  try {
    return await checkLog(env, evidence)
  } finally {
    await env.close()
  }
}

/** Deletes what a run has left. */
export function deleteFiles({ dataDir, logPath }: FaultsReport): void {
  for (const folder of [dataDir, dirname(logPath)]) rmSync(folder, { recursive: true })
}

/**
 * Lets it run until every row is in the log, a job has ended well whose cut lies behind that, and everybody has been told
 * what was decided until then; then stops it.
 */
async function catchUp(
  patient: Patient,
  trading: TradingSystem,
  arrivals: readonly Arrival[],
): Promise<{ readonly faults: readonly Fault[]; readonly untilAt: Instant }> {
  const env = await patient.open()
  const isOver = AbortSignal.timeout(CATCH_UP_WITHIN_MS)
  let untilAt: Instant
  try {
    const readAt = await eventually(() => rowsReadAt(env, trading.rows.at(-1)!.at), isOver)
    await eventually(() => jobEndedAfter(env, readAt), isOver)
    untilAt = await newestTransitionAt(env)
    await eventually(() => allTold(env, { arrivals, untilAt }), isOver)
  } catch (error) {
    await patient.stop()
    throw new Error(`obstream did not catch up; it said:\n${patient.said()}`, { cause: error })
  } finally {
    await env.close()
  }
  return { faults: await patient.stop(), untilAt }
}

async function eventually<Value>(look: () => Promise<Value | undefined>, isOver: AbortSignal): Promise<Value> {
  for (;;) {
    const value = await look()
    if (value !== undefined) return value
    await wait(100, undefined, { signal: isOver })
  }
}

/** The first tick behind the last row of the csv file, in its partition. */
async function rowsReadAt({ log, codecs }: Environment, lastRowAt: Instant): Promise<Instant | undefined> {
  const codec = codecOf({ codecs }, topics.sample)
  let readIn: number | undefined
  for await (const { partition, record } of recordsIn(log, topics.sample)) {
    const fact = codec.decode(record.value!)
    if (fact.type === 'tick' && readIn === partition) return fact.at
    if (fact.type === 'probe' && fact.scheduledAt === lastRowAt && record.key.toString() === CSV_SOURCE)
      readIn = partition
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

async function allTold(env: Environment, told: Told): Promise<true | undefined> {
  return (await checkDeliveries(env, told)).some(({ kind }) => kind === 'message_lost') ? undefined : true
}

/** What receivers got since all of it was stopped. */
function saidAgain({ told }: Evidence, arrivals: readonly Arrival[]): readonly Fault[] {
  return arrivals
    .slice(told!.arrivals.length)
    .map(({ channel }) => ({ kind: 'message_changed', about: `a replay has told ${channel} something` }))
}

/** Whether `obstream replay --check` finds everything equal, in the log itself. */
async function checkReplay({ flags }: Patient, env: Bed['env']): Promise<readonly Fault[]> {
  const { code, stdout, stderr } = await new Life([...flags, 'replay', '--check'], env).ended
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
