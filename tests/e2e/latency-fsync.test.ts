import { appendFileSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, jest } from '@jest/globals'
import { topics } from '#lib/topics.ts'
import { runBin } from '#tests/support/bin.ts'
import { freshDesk, putFile } from '#tests/support/desk.ts'
import { CSV_HEADER, csvRow } from '#tests/support/desk-cron.ts'
import { factsOf } from '#tests/support/desk-log.ts'
import { testNeeding } from '#tests/support/required.ts'
import { failingSyncs, straceMissing } from '#tests/support/strace.ts'

/** A disk that takes what is written and fails to make it durable. */

jest.setTimeout(300_000)

const SIGNALS = 'inputs/signals.csv'
const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

function desk(): string {
  const dataDir = freshDesk(`sources:\n  - {id: signals, kind: csv, path: ${SIGNALS}, interval: 15m}\n`)
  putFile(dataDir, SIGNALS, CSV_HEADER)
  folders.push(dataDir)
  return dataDir
}

let lastMs = 0
/** One more row, of now; its latency is its number. */
function measure(dataDir: string): number {
  lastMs++
  appendFileSync(join(dataDir, SIGNALS), csvRow('signals', Date.now(), lastMs))
  return lastMs
}

const latency = (dataDir: string, under: readonly string[] = []) => runBin(['latency'], { cwd: dataDir, under })

/** What came of a run whose syncs fail. */
async function failingRun(dataDir: string, failure: readonly string[]) {
  const { code, stderr } = await latency(dataDir, failure)
  return { failure: failure.at(-1), code, error: /\[(OBS_\w+)\]/.exec(stderr)?.[1] }
}

testNeeding(
  straceMissing(),
  'a sync that fails, wherever in a run, ends it with 74; the next run finishes its slot, and nothing is missing',
  async () => {
    const dataDir = desk()
    const measured = [measure(dataDir)]
    expect((await latency(dataDir)).code).toBe(0)
    // Of the log, which has a thread of its own: later and later in the run, up to those that come when all is said and recorded.
    let runs = 0
    for (let from = 1; ; from += 2, runs++) {
      measured.push(measure(dataDir))
      const run = await failingRun(dataDir, failingSyncs(from))
      if (run.code === 0) break
      expect(run).toMatchObject({ code: 74, error: 'OBS_LOG_IO' })
    }
    expect(runs).toBeGreaterThan(3)
    measured.push(measure(dataDir))
    const ofFiles = failingSyncs(1, join(dataDir, 'ops'))
    expect(await failingRun(dataDir, ofFiles)).toMatchObject({ code: 74, error: 'OBS_ARTEFACT_IO' })

    measured.push(measure(dataDir))
    expect(JSON.parse((await latency(dataDir)).stdout)).toMatchObject({ status: 'ok' })

    const rows = readFileSync(join(dataDir, 'ops/signal_latency.csv'), 'utf8').split('\n').slice(1, -1)
    expect(rows.map((row) => Number(row.split(',')[2]))).toEqual(measured)
    const jobs = (await factsOf(dataDir, topics.job)).map(({ value }) => value)
    const ended = new Set(jobs.filter(({ type }) => type === 'finished').map(({ slotAt }) => slotAt))
    expect(jobs.filter((fact) => fact.type === 'started' && !ended.has(fact.slotAt))).toEqual([])
    const check = await runBin(['replay', '--check'], { cwd: dataDir })
    expect({ code: check.code, verdict: JSON.parse(check.stdout).verdict }).toEqual({ code: 0, verdict: 'equal' })
  },
)
