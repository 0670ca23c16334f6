import { beforeAll, describe, expect, test } from '@jest/globals'
import type { TopicCodec } from '#lib/codec/avro.ts'
import { planRecord } from '#lib/codec/plan-json.ts'
import type { Rejected, SampleFact, Window, WindowFact } from '#lib/facts.ts'
import { PlanStore } from '#lib/runtime/plan-store.ts'
import { runToEnd } from '#lib/runtime/run-to-end.ts'
import { topics } from '#lib/topics.ts'
import { MOST_LATENCIES } from '#services/rollup/percentiles.ts'
import { rollupReading } from '#services/rollup/service.ts'
import { openScene, type Scene } from '#tests/support/owners.ts'
import {
  at,
  type Entry,
  Folding,
  plan,
  probe,
  rejectedOf,
  restart,
  rollUp,
  rule,
  source,
  tick,
  windowsOf,
} from './rolling.ts'

const DIFFERENT = 200_000
/** As long in Avro as latencies can be. */
const LONGEST_MS = 2 ** 31 - 1
const SECONDS = plan({ expects: [source('a', '1s')], rules: [rule({ match: 'a', noDataAfterSlots: 2 })] })

/** Samples of the hour from 22:00, each with another latency. */
function crowd(count: number, latencyMs: (i: number) => number): readonly Entry[] {
  return Array.from({ length: count }, (_, i) => probe('a', at('22:00') + i * 17, latencyMs(i)))
}

describe('a window of 200,000 different latencies', () => {
  const crowded = crowd(DIFFERENT, (i) => LONGEST_MS - i)
  const [refused, late] = [crowded.at(-1)!, probe('a', '22:59:59', 5)]
  let facts: readonly WindowFact[]

  beforeAll(async () => {
    const log = [
      tick('22:00', SECONDS),
      ...crowded,
      refused,
      tick('22:59', SECONDS),
      refused,
      tick('23:10', SECONDS),
      refused,
      late,
      probe('a', '23:20', 100),
      tick('28T00:10', SECONDS),
    ]
    facts = await foldedByTheService(log)
  }, 60_000)

  test('holds 100,000 of them, names no sample, and its record fits into the log', () => {
    const [window] = facts.filter((fact): fact is Window => fact.type === 'window')
    expect(window).toMatchObject({ startAt: at('22:00'), count: MOST_LATENCIES, sealed: true, sampleIds: [] })
    expect(window!.latencies).toHaveLength(MOST_LATENCIES)
    expect(window!.maxMs).toBe(LONGEST_MS)
  })

  test('refuses each of the others once, whenever it comes again, at the next tick', () => {
    const full = facts.filter((fact): fact is Rejected => fact.type === 'rejected' && fact.reason === 'window_full')
    expect(full).toHaveLength(DIFFERENT - MOST_LATENCIES)
    expect(new Set(full.map(({ scheduledAt }) => scheduledAt)).size).toBe(full.length)
    expect(full.every(({ decidedAt }) => decidedAt === at('22:59'))).toBe(true)
  })

  test('takes no late sample', () => {
    const others = facts.filter((fact) => fact.type === 'rejected' && fact.reason !== 'window_full')
    expect(others).toMatchObject([{ reason: 'window_sealed', scheduledAt: at('22:59:59') }])
  })

  test('is followed by windows like any other', () => {
    const windows = facts.filter((fact): fact is Window => fact.type === 'window')
    expect(windows.map(({ startAt, count }) => [startAt, count])).toEqual([
      [at('22:00'), MOST_LATENCIES],
      [at('23:00'), 1],
    ])
  })

  test('is not silent: a refused sample fills its slot', () => {
    const inTheHour = facts.filter((fact) => fact.type === 'gap' && fact.slotAt < at('22:56'))
    expect(inTheHour).toEqual([])
  })
})

describe('a full window', () => {
  const OTHER_MS = 70_000_000
  const full = [tick('22:00', SECONDS), ...crowd(MOST_LATENCIES, (i) => i)]

  test('takes a latency that it has, an error and a skipped slot', () => {
    const more = [probe('a', '22:50', 0), probe('a', '22:51', null), probe('a', '22:52', null, { outcome: 'skipped' })]
    const said = rollUp([...full, ...more, tick('23:10', SECONDS)])
    expect(rejectedOf(said)).toEqual([])
    expect(windowsOf(said)).toMatchObject([
      { count: MOST_LATENCIES + 1, errorCount: 1, skippedCount: 1, sealed: false },
    ])
  })

  test('refuses a timeout with another latency, and does not count it', () => {
    const said = rollUp([...full, probe('a', '22:50', OTHER_MS, { outcome: 'timeout' }), tick('23:10', SECONDS)])
    expect(rejectedOf(said)).toMatchObject([{ reason: 'window_full', outcome: 'timeout' }])
    expect(windowsOf(said)).toMatchObject([{ count: MOST_LATENCIES, errorCount: 0, timeoutCount: 0, sealed: true }])
  })

  test('refuses a late sample, too, and has no revision for it', () => {
    const said = rollUp([...full, tick('23:10', SECONDS), probe('a', '22:50', OTHER_MS), tick('23:11', SECONDS)])
    expect(rejectedOf(said)).toMatchObject([{ reason: 'window_full', decidedAt: at('23:11') }])
    expect(windowsOf(said)).toMatchObject([{ revision: 0, count: MOST_LATENCIES, sealed: false }])
  })

  test('is the same after a restart: before the refusal is told, after it, and when the window is closed', () => {
    const refused = probe('a', '22:50', OTHER_MS)
    const log = [...full, refused, refused, tick('22:51', SECONDS), refused, tick('23:10', SECONDS), refused, refused]
    const whole = [...log, tick('23:11', SECONDS)]
    const said = rollUp(whole)
    expect(rejectedOf(said)).toHaveLength(1)
    const running = new Folding(whole, said)
    let folded = 0
    for (const position of [full.length + 1, full.length + 3, full.length + 6]) {
      running.fold(folded, position)
      folded = position
      const heard = restart(whole, said, position, running).fold(position, whole.length).said
      expect(heard).toEqual(said.filter(({ cause }) => cause[0]! >= position))
    }
  })
})

/** What the service itself says, on a log that takes no more than 1 MiB at once. */
async function foldedByTheService(entries: readonly Entry[]): Promise<readonly WindowFact[]> {
  const scene = await openScene(at('2026-07-01T00:00:00Z'))
  const codec = scene.codecs.get(topics.sample) as TopicCodec<SampleFact>
  const { hash, record } = planRecord(SECONDS)
  const value = scene.codecs.get(topics.plan)!.encode(record)
  await scene.log.append(topics.plan.name, 0, [{ key: Buffer.from(hash), value }])
  for (let from = 0; from < entries.length; from += 5_000) {
    const chunk = entries.slice(from, from + 5_000)
    const records = chunk.map(({ key, value }) => ({ key: Buffer.from(key), value: codec.encode(value) }))
    await scene.log.append(topics.sample.name, 0, records)
  }
  await runToEnd(rollupReading(codec), {
    ...scene,
    plans: new PlanStore(scene.log, scene.codecs.get(topics.plan) as never),
    logger: { info: () => {}, warn: () => {} },
    counters: { batch: () => {}, deadLetter: () => {}, restart: () => {} },
  })
  return factsOf(scene)
}

async function factsOf({ log, codecs }: Scene): Promise<readonly WindowFact[]> {
  const codec = codecs.get(topics.window) as TopicCodec<WindowFact>
  const { earliest, end } = (await log.offsets(topics.window.name))[0]!
  const facts: WindowFact[] = []
  for await (const batch of log.read(topics.window.name, 0, earliest, end))
    for (const { value } of batch.records()) facts.push(codec.decode(value!))
  return facts
}
