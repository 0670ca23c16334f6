import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { topics } from '#lib/topics.ts'
import { deleteFiles, type FaultsReport, runFaults } from '../../bench/faults/run-faults.ts'
import { SqlitePatient } from '../../bench/faults/sqlite-patient.ts'
import { theCheckerFindsWhatIsPlanted } from './planted-faults.contract.ts'

/** `npm run faults` in small: the real command is killed again and again; then the checker itself is put to the test. */

const KILLS = 20
const seed = Number(process.env['OBS_FAULTS_SEED'] ?? Math.floor(Math.random() * 2 ** 32))

let report: FaultsReport

beforeAll(async () => {
  report = await runFaults({
    admit: async (bed) => new SqlitePatient(bed, 1_200),
    partitions: 1,
    hurts: KILLS,
    seed,
  })
}, 180_000)

afterAll(async () => {
  await report.patient.close()
  deleteFiles(report)
})

test(`${KILLS} SIGKILLs lose nothing, double nothing and change nothing`, () => {
  expect({ seed, faults: report.faults }).toEqual({ seed, faults: [] })
  expect([...report.hurts.values()].reduce((sum, times) => sum + times, 0)).toBe(KILLS)
})

test('there was something to lose: samples, windows, alerts, jobs, messages, and a reader that watched', () => {
  const { counts, messages, refoldedEqual } = report.checked
  expect(counts[topics.sample.name]).toBeGreaterThan(KILLS)
  for (const topic of [topics.window, topics.alert, topics.job]) expect(counts[topic.name]).toBeGreaterThan(0)
  expect(refoldedEqual).toBeGreaterThan(0)
  expect(messages).toBeGreaterThan(0)
  expect(report.observed).toBeGreaterThan(0)
  expect(report.rows).toBeGreaterThan(KILLS)
})

theCheckerFindsWhatIsPlanted(() => report)
