import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { openMemoryLog } from '#lib/eventlog/memory.ts'
import type { OpenedLog } from '#lib/eventlog/open.ts'
import { openSqliteLog } from '#lib/eventlog/sqlite.ts'
import { awaitCut, chooseCut } from '#lib/jobs/cut.ts'
import { ENGINE } from '#lib/plan.ts'
import { codecOf, type Environment } from '#lib/runtime/environment.ts'
import { topics } from '#lib/topics.ts'
import { readExpected } from '#tests/replay/exhibit.ts'
import { type Outcome, outcomeOf } from '#tests/replay/outcome.ts'
import { environmentOf, RecordedDesk } from '#tests/replay/recorded-desk.ts'
import { BEGINS_AT, plansOf, scenario } from '#tests/replay/scenario.ts'
import { type FreshLog, freshLog } from '#tests/support/kafka/fresh-logs.ts'
import { kafkaMissing, startCluster } from '#tests/support/kafka/provider.ts'
import { sharedKafka } from '#tests/support/kafka/shared.ts'
import { ManualClock } from '#tests/support/manual-clock.ts'
import { PatientClock } from '#tests/support/patient-clock.ts'
import { Replicas } from '#tests/support/replicas.ts'
import { testNeeding } from '#tests/support/required.ts'

const SOURCES = 50
const MINUTES_5 = 300_000
const missing = kafkaMissing()
const plans = plansOf(ENGINE, SOURCES)
type OpenLog = (clock: ManualClock) => Promise<OpenedLog>

/** What the museum has recorded of this desk is the measure of all others. */
const { topics: facts, artefacts } = readExpected(`engine-${ENGINE}-${SOURCES}-sources`)

const folder = (): string => mkdtempSync(join(tmpdir(), 'obstream-kafka-laws-'))

async function play(desk: RecordedDesk): Promise<Outcome> {
  await desk.publish(plans.friday, plans.sunday)
  await desk.play(scenario(plans))
  return outcomeOf(desk)
}

/** The services take turns in one process, as a run from cron lets them. */
async function playAlone(open: OpenLog): Promise<Outcome> {
  const clock = new ManualClock(BEGINS_AT)
  const desk = await RecordedDesk.open(clock, { dataDir: folder(), log: await open(clock) })
  const outcome = await play(desk)
  await desk.env.close()
  return outcome
}

/** The services run all the time, `count` of each; now and then one is replaced by another. */
async function playTogether(count: number, open: OpenLog): Promise<Outcome> {
  const clock = new PatientClock(BEGINS_AT)
  const dataDir = folder()
  const openReplica = async (): Promise<Environment> => environmentOf(await open(clock), clock, dataDir)
  const replicas = await Replicas.start(count, openReplica)
  let jobs = 0
  const fold = async (env: Environment): Promise<void> => {
    const { cutTickAt } = await chooseCut(env.log, codecOf(env, topics.sample))
    await awaitCut(env.log, cutTickAt, { clock, waitMs: 60_000, signal: AbortSignal.timeout(60_000) })
    if (++jobs % 4 === 0) await replicas.replaceOldest()
  }
  const desk = await RecordedDesk.open(clock, { dataDir, log: await open(clock), folds: [fold] })
  const outcome = await play(desk)
  await replicas.stop()
  await desk.env.close()
  return outcome
}

async function gives(playing: Promise<Outcome>): Promise<void> {
  expect(await playing).toEqual({ topics: facts, artefacts })
}

/** Three days of fifty sources, played on a cluster in all ways, give the recorded facts and files. */
export function theRecordedDeskOn(brokers: 1 | 3): void {
  describe(`three days of fifty sources give the recorded facts and files on Kafka with ${brokers} brokers`, () => {
    let bootstrap: readonly string[]
    let stop = async (): Promise<void> => {}

    if (missing === undefined)
      beforeAll(async () => {
        if (brokers === 1) bootstrap = [(await sharedKafka()).bootstrap]
        else ({ bootstrap, stop } = await startCluster({ brokers }))
      }, MINUTES_5)
    afterAll(() => stop())

    describe.each([1, 8])('and %i partitions,', (partitions) => {
      let logs: FreshLog
      const open: OpenLog = (clock) => logs.open({ clock })
      beforeEach(() => {
        logs = freshLog(bootstrap, { partitions })
      })
      afterEach(() => logs?.close())

      testNeeding(missing, 'one service after the other', () => gives(playAlone(open)), MINUTES_5)
      testNeeding(missing, 'all services at once', () => gives(playTogether(1, open)), MINUTES_5)
      testNeeding(missing, 'by three replicas of each', () => gives(playTogether(3, open)), MINUTES_5)
    })
  })
}

/** The same on the logs of one machine. */
export function theRecordedDeskOnOneMachine(): void {
  describe('three days of fifty sources give the recorded facts and files', () => {
    test('in memory', () => gives(playAlone(async (clock) => openMemoryLog({ clock, partitions: 8 }))), MINUTES_5)

    test(
      'in a file',
      () => gives(playAlone(async (clock) => openSqliteLog({ path: join(folder(), 'log.db'), clock, partitions: 8 }))),
      MINUTES_5,
    )
  })
}
