import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { currentFolds, refold } from '#cli/replay/refold.ts'
import { canonicalJson } from '#lib/codec/canonical-json.ts'
import { openSqliteLog } from '#lib/eventlog/sqlite.ts'
import { awaitCut, chooseCut } from '#lib/jobs/cut.ts'
import { codecOf } from '#lib/runtime/environment.ts'
import { DAY_MS } from '#lib/time.ts'
import { catalogue, topics } from '#lib/topics.ts'
import { asFollower, asSet, recordsOf } from '#tests/support/facts-of.ts'
import { ManualClock } from '#tests/support/manual-clock.ts'
import { type Outcome, outcomeOf } from './outcome.ts'
import { derivedTopics, digests, RecordedDesk, scratchLog } from './recorded-desk.ts'
import { BEGINS_AT, plansOf, type Step, scenario } from './scenario.ts'

const plans = plansOf()
const steps = scenario(plans)

const folder = (): string => mkdtempSync(join(tmpdir(), 'obstream-laws-'))

/** Rollup, alerter and the latency job of this build over a log made of `story`. */
async function played(
  story: readonly Step[],
  { partitions = 1, batchSize = 500, onDisk = false } = {},
): Promise<RecordedDesk> {
  const clock = new ManualClock(BEGINS_AT)
  const log = onDisk ? { log: openSqliteLog({ path: join(folder(), 'log.db'), clock, partitions }) } : {}
  const desk = await RecordedDesk.open(clock, { dataDir: folder(), partitions, ...log })
  await desk.publish(plans.friday, plans.sunday)
  await desk.play(story, batchSize)
  return desk
}

const onlyFacts = (story: readonly Step[]): readonly Step[] => story.filter(({ type }) => type === 'sample')

describe('the same log gives the same facts and files', () => {
  let expected: Outcome

  test('as a whole', async () => {
    const reference = await played(steps)
    expected = await outcomeOf(reference)
    expect(expected.topics).toMatchObject({ [topics.alert.name]: { count: expect.any(Number) } })
  })

  test.each([1, 7])('appended in batches of %i', async (batchSize) => {
    expect(await outcomeOf(await played(steps, { batchSize }))).toEqual(expected)
  })

  test('from a file as from memory', async () => {
    const onDisk = await played(steps, { onDisk: true })
    expect(await outcomeOf(onDisk)).toEqual(expected)
    await onDisk.env.close()
  })

  test('with any record twice, wherever the copy stands', async () => {
    const [probes, ticks] = [3, 11]
    let count = 0
    const copies: Step[] = []
    const story = steps.flatMap((step): readonly Step[] => {
      if (step.type !== 'sample') return [step]
      count++
      const isTick = step.sample[1].type === 'tick'
      if (count % (isTick ? ticks : probes) === 0) copies.push(step)
      return count % 40 === 0 ? [step, ...copies.splice(0)] : [step]
    })
    expect(await outcomeOf(await played(story))).toEqual(expected)
  })

  test('folded only at the end as folded again and again', async () => {
    const atOnce = await played(onlyFacts(steps))
    expect(await digests(atOnce.env)).toEqual(expected.topics)
  })

  // Rollup expects every source of the plan in every partition: it tells of windows and gaps that are none.
  test('on three partitions as on one', async () => {
    expect(await outcomeOf(await played(steps, { partitions: 3 }))).toEqual(expected)
  })
})

describe('compaction', () => {
  test('leaves readers the same facts, in the same order, and a replay finds nothing different', async () => {
    const desk = await played(onlyFacts(steps))
    const { log, codecs } = desk.env
    const before = new Map<string, readonly string[]>()
    for (const topic of derivedTopics) {
      const records = await recordsOf(log, topic, codecs.get(topic)!)
      expect(asFollower(records)).toEqual(asSet(records))
      before.set(topic.name, asSet(records))
      await appendCopies(desk, topic.name)
    }
    desk.clock.advance(16 * DAY_MS)
    const removed = (await log.topics.compact(catalogue)).reduce((sum, { removedRecords }) => sum + removedRecords, 0)
    expect(removed).toBeGreaterThan(100)
    for (const topic of derivedTopics)
      expect(asSet(await recordsOf(log, topic, codecs.get(topic)!))).toEqual(before.get(topic.name))
    const rebuilt = await refold(desk.env, scratchLog(1))
    expect(canonicalJson(await digests(rebuilt.env))).toBe(canonicalJson(await digests(desk.env)))
  })

  test('an alerter that first comes when all windows are old tells how far it has come: no job waits for it', async () => {
    const [foldWindows, foldAlerts] = currentFolds
    const clock = new ManualClock(BEGINS_AT)
    const desk = await RecordedDesk.open(clock, { dataDir: folder(), folds: [foldWindows!] })
    await desk.publish(plans.friday, plans.sunday)
    await desk.play(onlyFacts(steps))
    clock.advance(16 * DAY_MS)
    const { log } = desk.env
    const { cutTickAt } = await chooseCut(log, codecOf(desk.env, topics.sample))
    await expect(awaitCut(log, cutTickAt, { clock, waitMs: 0 })).rejects.toMatchObject({ code: 'OBS_JOB_BEHIND' })
    await foldAlerts!(desk.env, () => {})
    await awaitCut(log, cutTickAt, { clock, waitMs: 0 })
  })
})

/** As an owner would that did not know what had been said: all of it again, in order. */
async function appendCopies({ env: { log } }: RecordedDesk, topic: string): Promise<void> {
  const { end } = (await log.offsets(topic))[0]!
  for await (const batch of log.read(topic, 0, 0, end))
    await log.append(
      topic,
      0,
      [...batch.records()].map(({ key, value, headers }) => ({ key, value: value!, headers })),
    )
}
