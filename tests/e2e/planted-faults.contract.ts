import { rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { afterAll, describe, expect, test } from '@jest/globals'
import { currentFolds } from '#cli/replay/refold.ts'
import type { Cause } from '#lib/cause.ts'
import type { LogRecord } from '#lib/eventlog/port.ts'
import type { Window } from '#lib/facts.ts'
import { codecOf, type Environment } from '#lib/runtime/environment.ts'
import { lastRecord } from '#lib/runtime/own-records.ts'
import { causeOf, derivedHeaders } from '#lib/runtime/record-headers.ts'
import { type TopicDefinition, topics } from '#lib/topics.ts'
import { CSV_SOURCE } from '../../bench/faults/desk.ts'
import type { Evidence } from '../../bench/faults/evidence.ts'
import type { Fault } from '../../bench/faults/fault.ts'
import { triggers } from '../../bench/faults/incidents.ts'
import type { Arrival } from '../../bench/faults/receivers.ts'
import { checkCopy, type FaultsReport } from '../../bench/faults/run-faults.ts'
import { changeValue, copyOf, dropRecord, loseCommits, reorderBatches } from './planted-faults.ts'

/** Puts the checker to the test, on copies of the log that a run has left. */
export function theCheckerFindsWhatIsPlanted(reportOf: () => FaultsReport): void {
  const nothing: Evidence = { marks: [], observed: [], rows: [], told: null }
  const copies: string[] = []

  afterAll(() => {
    for (const copy of copies) rmSync(dirname(copy), { recursive: true })
  })

  describe('the checker finds what is planted in a copy of that log', () => {
    test('nothing, when nothing is planted', async () => {
      expect(await faultsIn(copyOfLog(), reportOf().evidence)).toEqual([])
    })

    test('nothing, when all commits are lost and the services start from what they said', async () => {
      const logPath = copyOfLog()
      loseCommits(logPath)
      await withLog(logPath, async (env) => {
        for (const fold of currentFolds) await fold(env, () => {})
      })
      expect(await faultsIn(logPath, reportOf().evidence)).toEqual([])
    })

    test('a sample that is lost: by what was there before, by the file it came from, and by the windows', async () => {
      const logPath = copyOfLog()
      dropRecord(logPath, topics.sample, ({ key }) => key.toString() === CSV_SOURCE)
      const { marks, observed, rows } = reportOf().evidence
      expect(await faultsIn(logPath, marks.length > 0 ? { marks } : { observed })).toContain('record_lost')
      expect(await faultsIn(logPath, { rows })).toContain('row_lost')
      expect(await faultsIn(logPath)).toEqual(expect.arrayContaining(['fact_different', 'window_wrong']))
    })

    test('a record that a reader was given, and that is another one now', async () => {
      const logPath = copyOfLog()
      const { observed } = reportOf().evidence
      const seen = observed.find(({ topic, key }) => topic === topics.sample.name && key !== '')!
      changeValue(logPath, topics.sample, ({ offset, key, value }) =>
        offset === seen.offset && key.toString() === seen.key ? oneBitOff(value!) : undefined,
      )
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

    test('two batches of a partition that have changed places', async () => {
      const logPath = copyOfLog()
      reorderBatches(logPath, topics.window)
      expect(await faultsIn(logPath)).toContain('fact_hidden')
    })

    test('a window whose p95 is one millisecond more', async () => {
      const logPath = copyOfLog()
      const codec = await withLog(logPath, async (env) => codecOf(env, topics.window))
      changeValue(logPath, topics.window, ({ value }) => {
        const fact = codec.decode(value!)
        return fact.type === 'window' && fact.p95Ms !== null
          ? codec.encode({ ...fact, p95Ms: fact.p95Ms + 1 } satisfies Window)
          : undefined
      })
      const { marks, observed } = reportOf().evidence
      expect(await faultsIn(logPath)).toContain('fact_different')
      expect(await faultsIn(logPath, { marks, observed })).toContain('record_lost')
    })

    test('a message that a receiver has never taken', async () => {
      const [lost] = takenArrivals()
      expect(await faultsAfter((all) => all.filter(({ body }) => body !== lost!.body))).toContain('message_lost')
    })

    test('a message that arrived and that nobody has decided', async () => {
      const body = JSON.stringify({ ...JSON.parse(takenArrivals()[0]!.body), more: 1 })
      expect(await faultsAfter((all) => [...all, { ...all[0]!, body }])).toEqual(['message_changed'])
    })

    test('a body under the id of another one', async () => {
      const changed = await faultsAfter((all) =>
        all.map((arrival) => (arrival.messageId === null ? arrival : { ...arrival, messageId: 'msg_0' })),
      )
      expect(changed).toEqual(['message_changed'])
    })

    test('messages that arrived in another order', async () => {
      expect(await faultsAfter((all) => all.toReversed())).toContain('message_disordered')
    })

    test('a pager that still shows what is over, or does not show what is open', async () => {
      const ofPager = takenArrivals().filter(({ channel }) => channel === 'pd')
      const { dedupKey, isTrigger } = triggers(ofPager.at(-1)!.body)
      const body = JSON.stringify({ dedup_key: dedupKey, event_action: isTrigger ? 'resolve' : 'trigger', more: 1 })
      expect(await faultsAfter((all) => [...all, { ...ofPager[0]!, body }])).toContain('incident_wrong')
    })

    test('a message that arrived, and whose decision is missing', async () => {
      const logPath = copyOfLog()
      dropRecord(logPath, topics.delivery, ({ key }) => key.toString().endsWith('/decision'))
      const { told } = reportOf().evidence
      expect(await faultsIn(logPath, { told })).toContain('message_changed')
    })

    test.each([topics.window, topics.alert])('an output of $name that is missing', async (topic) => {
      const logPath = copyOfLog()
      dropRecord(logPath, topic, () => true)
      expect(await faultsIn(logPath)).toContain('fact_different')
    })
  })

  const takenArrivals = (): readonly Arrival[] => reportOf().evidence.told!.arrivals.filter(({ taken }) => taken)

  /** What is found when receivers had written down something else. */
  async function faultsAfter(
    changed: (arrivals: readonly Arrival[]) => readonly Arrival[],
  ): Promise<readonly Fault['kind'][]> {
    const { arrivals, untilAt } = reportOf().evidence.told!
    return await faultsIn(copyOfLog(), { told: { arrivals: changed(arrivals), untilAt } })
  }

  async function faultsIn(logPath: string, evidence: Partial<Evidence> = {}): Promise<readonly Fault['kind'][]> {
    const { faults } = await checkCopy(reportOf().patient, logPath, { ...nothing, ...evidence })
    return [...new Set(faults.map(({ kind }) => kind))].toSorted()
  }

  async function withLog<Result>(logPath: string, look: (env: Environment) => Promise<Result>): Promise<Result> {
    const env = await reportOf().patient.openCopy(logPath)
    try {
      return await look(env)
    } finally {
      await env.close()
    }
  }

  function copyOfLog(): string {
    const copy = copyOf(reportOf().logPath)
    copies.push(copy)
    return copy
  }

  /** Appends the newest record of a partition once more. */
  async function sayAgain(
    logPath: string,
    topic: TopicDefinition,
    causeFrom: (cause: Cause) => Cause,
    key?: string,
  ): Promise<void> {
    await withLog(logPath, async ({ log }) => {
      for (const { partition } of await log.offsets(topic.name)) {
        const last = await lastRecord(log, topic.name, partition)
        if (!last) continue
        const record: LogRecord = {
          key: key === undefined ? last.key : Buffer.from(key),
          value: last.value!,
          headers: derivedHeaders(causeFrom(causeOf(last)!), { offset: 0, crc: '00000000' }),
        }
        await log.append(topic.name, partition, [record])
        return
      }
      throw new Error(`${topic.name} is empty`)
    })
  }
}

/** A good record still, with another instant: the seventh byte belongs to it, in a probe and in a tick. */
function oneBitOff(value: Buffer): Buffer {
  const other = Buffer.from(value)
  other[7]! ^= 0x02
  return other
}
