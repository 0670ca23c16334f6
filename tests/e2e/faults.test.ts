import { rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { Cause } from '#lib/cause.ts'
import type { LogRecord } from '#lib/eventlog/port.ts'
import type { Window } from '#lib/facts.ts'
import { codecOf } from '#lib/runtime/environment.ts'
import { lastRecord } from '#lib/runtime/own-records.ts'
import { causeOf, derivedHeaders } from '#lib/runtime/record-headers.ts'
import { type TopicDefinition, topics } from '#lib/topics.ts'
import { checkLog, openDeskLog } from '../../bench/faults/check.ts'
import { CSV_SOURCE } from '../../bench/faults/desk.ts'
import type { Evidence } from '../../bench/faults/evidence.ts'
import type { Fault } from '../../bench/faults/fault.ts'
import { type FaultsReport, runFaults } from '../../bench/faults/run-faults.ts'
import { changeValue, copyOf, dropRecord } from './planted-faults.ts'

/** `npm run faults` in small: the real command is killed again and again; then the checker itself is put to the test. */

const KILLS = 20
const seed = Number(process.env['OBS_FAULTS_SEED'] ?? Math.floor(Math.random() * 2 ** 32))

let report: FaultsReport
const copies: string[] = []

beforeAll(async () => {
  report = await runFaults({ kills: KILLS, seed, longestLifeMs: 1_200 })
}, 180_000)

afterAll(() => {
  for (const folder of [report.dataDir, dirname(report.logPath), ...copies]) rmSync(folder, { recursive: true })
})

test(`${KILLS} SIGKILLs lose nothing, double nothing and change nothing`, () => {
  expect({ seed, faults: report.faults }).toEqual({ seed, faults: [] })
  expect(report.killedStarting + report.killedRunning).toBe(KILLS)
})

test('there was something to lose: samples, windows, alerts, jobs, and a reader that watched', () => {
  const { counts, refoldedEqual } = report.checked
  expect(counts[topics.sample.name]).toBeGreaterThan(KILLS)
  for (const topic of [topics.window, topics.alert, topics.job]) expect(counts[topic.name]).toBeGreaterThan(0)
  expect(refoldedEqual).toBeGreaterThan(0)
  expect(report.observed).toBeGreaterThan(0)
  expect(report.rows).toBeGreaterThan(KILLS)
})

describe('the checker finds what is planted in a copy of that log', () => {
  const nothing: Evidence = { marks: [], observed: [], rows: [] }

  async function faultsIn(logPath: string, evidence: Partial<Evidence> = {}): Promise<readonly Fault['kind'][]> {
    const { faults } = await checkLog(report.dataDir, logPath, { ...nothing, ...evidence })
    return [...new Set(faults.map(({ kind }) => kind))].toSorted()
  }

  test('nothing, when nothing is planted', async () => {
    expect(await faultsIn(copyOfLog(), report.evidence)).toEqual([])
  })

  test('a sample that is lost: by what was there before, by the file it came from, and by the windows', async () => {
    const logPath = copyOfLog()
    dropRecord(logPath, topics.sample, ({ key }) => key.toString() === CSV_SOURCE)
    const { marks, rows } = report.evidence
    expect(await faultsIn(logPath, { marks })).toContain('record_lost')
    expect(await faultsIn(logPath, { rows })).toContain('row_lost')
    expect(await faultsIn(logPath)).toEqual(expect.arrayContaining(['fact_different', 'window_wrong']))
  })

  test('a record that a reader was given, and that is another one now', async () => {
    const logPath = copyOfLog()
    const { observed } = report.evidence
    const seen = observed.find(({ topic }) => topic === topics.sample.name)!
    changeValue(logPath, topics.sample, ({ offset, value }) => (offset === seen.offset ? oneBitOff(value!) : undefined))
    expect(await faultsIn(logPath, { observed })).toContain('record_lost')
  })

  test('a fact that is said again with a newer cause', async () => {
    const logPath = copyOfLog()
    await sayAgain(logPath, topics.window, (cause) => [cause[0]! + 1, 0])
    expect(await faultsIn(logPath)).toEqual(['fact_doubled'])
  })

  test('a fact that comes after a newer one, so that no reader takes it', async () => {
    const logPath = copyOfLog()
    await sayAgain(logPath, topics.window, (cause) => cause, 'nobody/gap/2026-06-27T23:00:00Z')
    expect(await faultsIn(logPath)).toContain('fact_hidden')
  })

  test('a window whose p95 is one millisecond more', async () => {
    const logPath = copyOfLog()
    const env = await openDeskLog(report.dataDir, logPath)
    const codec = codecOf(env, topics.window)
    await env.close()
    changeValue(logPath, topics.window, ({ value }) => {
      const fact = codec.decode(value!)
      return fact.type === 'window' && fact.p95Ms !== null
        ? codec.encode({ ...fact, p95Ms: fact.p95Ms + 1 } satisfies Window)
        : undefined
    })
    expect(await faultsIn(logPath)).toContain('fact_different')
    expect(await faultsIn(logPath, { marks: report.evidence.marks })).toContain('record_lost')
  })

  test.each([topics.window, topics.alert])('an output of $name that is missing', async (topic) => {
    const logPath = copyOfLog()
    dropRecord(logPath, topic, () => true)
    expect(await faultsIn(logPath)).toContain('fact_different')
  })

  /** A good record still, with another instant: the seventh byte belongs to it, in a probe and in a tick. */
  function oneBitOff(value: Buffer): Buffer {
    const other = Buffer.from(value)
    other[7]! ^= 0x02
    return other
  }

  function copyOfLog(): string {
    const copy = copyOf(report.logPath)
    copies.push(dirname(copy))
    return copy
  }

  /** Appends the newest record of a topic once more. */
  async function sayAgain(
    logPath: string,
    topic: TopicDefinition,
    causeFrom: (cause: Cause) => Cause,
    key?: string,
  ): Promise<void> {
    const env = await openDeskLog(report.dataDir, logPath)
    const last = (await lastRecord(env.log, topic.name, 0))!
    const record: LogRecord = {
      key: key === undefined ? last.key : Buffer.from(key),
      value: last.value!,
      headers: derivedHeaders(causeFrom(causeOf(last)!), { offset: 0, crc: '00000000' }),
    }
    await env.log.append(topic.name, 0, [record])
    await env.close()
  }
})
