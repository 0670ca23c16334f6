import { appendFile, writeFile } from 'node:fs/promises'
import { afterEach, describe, expect, test } from '@jest/globals'
import { ObstreamError } from '#lib/errors.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import { partitionOf } from '#lib/partitioner.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '#lib/time.ts'
import { emptyMemory } from '#services/sampler/memory.ts'
import type { ProbeResult } from '#services/sampler/sample.ts'
import { Sampling } from '#services/sampler/sampling.ts'
import { SamplingRound } from '#services/sampler/sampling-round.ts'
import { at, csv, Desk, eventually, http, idOf } from './desk.ts'

let desk: Desk
afterEach(() => desk.close())

const HEADER = 'timestamp_utc,source,latency_ms\n'

/** Waits until the log has `count` records. */
async function records(count: number): Promise<readonly string[]> {
  return await eventually(
    () => desk.story(),
    (story) => story.length >= count,
  )
}

describe('sampling without end', () => {
  test('begins with the newest tick and the current slot, and goes on by the clock', async () => {
    desk = await Desk.open(at('22:00:10'))
    await desk.sample([http('a')])
    await records(2)
    desk.clock.advance(50 * SECOND_MS)
    expect(await records(3)).toEqual(expect.arrayContaining(['tick 22:00:00.000', 'a 22:00:00.000 ok 12']))
    expect((await desk.story())[2]).toBe('tick 22:01:00.000')
  })

  test('publishes its plan once, before the first tick, and each tick names it', async () => {
    desk = await Desk.open(at('22:00'))
    await desk.sample([http('a')])
    await records(2)
    await desk.stop()
    await desk.sample([http('a')])
    await records(3)
    const plans = await desk.planKeys()
    expect(plans).toHaveLength(1)
    for (const { value } of await desk.written()) if (value.type === 'tick') expect(value.plan).toBe(plans[0])
  })

  test('a slot whose predecessor still runs is skipped, and says so', async () => {
    desk = await Desk.open(at('22:00'))
    const running = Promise.withResolvers<ProbeResult>()
    desk.prober.answer = () => running.promise
    await desk.sample([http('slow', { intervalMs: SECOND_MS, timeoutMs: 10 * SECOND_MS })])
    await eventually(
      async () => desk.prober.asked.length,
      (count) => count === 1,
    )
    desk.clock.advance(SECOND_MS)
    await eventually(
      () => desk.story(),
      (story) => story.includes('slow 22:00:01.000 skipped null'),
    )
    desk.prober.answer = () => ({ kind: 'answered', elapsedMs: 3, lagMs: 0 })
    running.resolve({ kind: 'answered', elapsedMs: 1500, lagMs: 0 })
    await eventually(
      () => desk.story(),
      (story) => story.includes('slow 22:00:00.000 ok 1500'),
    )
    desk.clock.advance(SECOND_MS)
    await eventually(
      () => desk.story(),
      (story) => story.includes('slow 22:00:02.000 ok 3'),
    )
  })

  test('slots that passed while the machine stood still are not made up', async () => {
    desk = await Desk.open(at('22:00'))
    await desk.sample([http('a', { intervalMs: MINUTE_MS })])
    await records(2)
    desk.clock.advance(10 * MINUTE_MS)
    await eventually(
      () => desk.story(),
      (story) => story.includes('a 22:10:00.000 ok 12'),
    )
    expect((await desk.samples()).map(({ scheduledAt }) => scheduledAt)).toEqual([at('22:00'), at('22:10')])
  })

  test('each partition gets all ticks, and the samples of its own sources only', async () => {
    desk = await Desk.open(at('22:00'), 4)
    const sources = Array.from({ length: 12 }, (_, i) => http(`source_${i}`))
    await desk.sample(sources)
    await records(16)
    for (const { key, value, partition } of await desk.written())
      if (value.type === 'probe') expect(partition).toBe(partitionOf(key, 4))
    const ticks = (await desk.written()).filter(({ value }) => value.type === 'tick')
    expect(ticks.map(({ partition }) => partition).toSorted()).toEqual([0, 1, 2, 3])
  })

  test('a clock that jumps a year ahead stops the ticks and says why', async () => {
    desk = await Desk.open(at('22:00'))
    const sampling = await desk.sample([http('a')])
    await records(2)
    desk.clock.jumpTo(at('22:00') + 365 * DAY_MS)
    desk.clock.advance(MINUTE_MS)
    await expect(sampling.ended).rejects.toThrow(/jumped 31536000 s ahead .* 2027-06-27T22:01:00/)
    await expect(sampling.ended).rejects.toMatchObject({ code: 'OBS_SAMPLER_CLOCK' })
    expect(await desk.story()).toHaveLength(2)
  })

  test('a clock that jumps back stops the ticks', async () => {
    desk = await Desk.open(at('22:00'))
    const sampling = await desk.sample([http('a')])
    await records(2)
    desk.clock.jumpTo(at('20:00'))
    desk.clock.advance(MINUTE_MS)
    await expect(sampling.ended).rejects.toMatchObject({ code: 'OBS_SAMPLER_CLOCK' })
  })

  test('a start with a clock behind the last tick writes no new tick', async () => {
    desk = await Desk.open(at('22:00'))
    await desk.round([http('a')])
    desk.clock.jumpTo(at('21:00'))
    await expect(desk.round([http('a')])).rejects.toMatchObject({ code: 'OBS_SAMPLER_CLOCK' })
    expect(new Set(await desk.story())).toEqual(new Set(['a 22:00:00.000 ok 12', 'tick 22:00:00.000']))
  })

  test('a clock 31 s off the time that the log gives is not believed; 29 s are', async () => {
    desk = await Desk.open(at('22:00'))
    const off = (ms: number): EventLog => ({
      ...boundLog(desk.log),
      append: async (...batch) => {
        const { baseOffset, appendedAtMs } = await desk.log.append(...batch)
        return { baseOffset, appendedAtMs: appendedAtMs + ms }
      },
    })
    await expect(desk.round([], off(31_000))).rejects.toMatchObject({ code: 'OBS_SAMPLER_CLOCK' })
    await expect(desk.round([http('b')], off(-31_000))).rejects.toMatchObject({ code: 'OBS_SAMPLER_CLOCK' })
    expect(await desk.story()).toEqual([])
    await desk.round([http('c')], off(29_000))
    expect(await desk.story()).toContain('tick 22:00:00.000')
  })

  test('a clock found wrong in the middle of catching up stops it there', async () => {
    desk = await Desk.open(at('22:00'))
    await desk.round([])
    desk.clock.advance(10_000 * MINUTE_MS)
    let appends = 0
    const log: EventLog = {
      ...boundLog(desk.log),
      append: async (...batch) => {
        const { baseOffset, appendedAtMs } = await desk.log.append(...batch)
        return { baseOffset, appendedAtMs: appends++ < 2 ? appendedAtMs : appendedAtMs - HOUR_MS }
      },
    }
    await expect(desk.round([], log)).rejects.toThrow(/3600 s ahead compared with the log/)
    // The tick of the first round and its copy, one batch before the log's time was off, and the one that showed it.
    expect(await desk.story()).toHaveLength(2 + 2 * 2_000)
  })

  test('after an unknown outcome the same samples are appended again; their ids stay one each', async () => {
    desk = await Desk.open(at('22:00'))
    let unknown = 2
    const log: EventLog = {
      ...boundLog(desk.log),
      append: async (topic, partition, batch) => {
        const appended = await desk.log.append(topic, partition, batch)
        if (topic === 'obs.sample.v1' && unknown-- > 0)
          throw new ObstreamError('OBS_LOG_OUTCOME_UNKNOWN', 'nobody heard')
        return appended
      },
    }
    const waiting = setInterval(() => desk.clock.advance(1), 1)
    try {
      await desk.round([http('a'), http('b')], log)
    } finally {
      clearInterval(waiting)
    }
    const samples = await desk.samples()
    expect(samples.length).toBeGreaterThan(2)
    expect([...new Set(samples.map(idOf))].toSorted()).toEqual([
      'a/2026-06-27T22:00:00.000Z/0',
      'b/2026-06-27T22:00:00.000Z/0',
    ])
  })

  test('stops at once, in the middle of a probe and of its sleep', async () => {
    desk = await Desk.open(at('22:00'))
    desk.prober.answer = () => new Promise(() => {})
    const sampling = await desk.sample([http('hanging')])
    await records(1)
    await desk.stop()
    await sampling.ended
  })

  test('a partition that is taken away gets no more ticks; a probe under way is written all the same', async () => {
    desk = await Desk.open(at('22:00'))
    const running = Promise.withResolvers<ProbeResult>()
    desk.prober.answer = () => running.promise
    const sampling = await desk.sample([http('a')])
    await records(1)
    sampling.observer.revoked(0)
    desk.clock.advance(MINUTE_MS)
    running.resolve({ kind: 'answered', elapsedMs: 60, lagMs: 0 })
    expect(await records(2)).toEqual(['tick 22:00:00.000', 'a 22:00:00.000 ok 60'])
    expect(sampling.lastTickAt).toBeNull()
  })

  test('nothing is written before the fold has come to the end that the log had', async () => {
    desk = await Desk.open(at('22:00'))
    await desk.round([http('a')])
    const before = await desk.story()
    desk.clock.advance(20 * MINUTE_MS)
    const sampling = new Sampling(desk.dependencies([http('a')]))
    await sampling.start()
    sampling.observer.restored(0, emptyMemory(), 0)
    sampling.observer.folded(0, emptyMemory(), before.length - 1)
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(await desk.story()).toEqual(before)
    sampling.observer.folded(0, emptyMemory(), before.length)
    await records(before.length + 1)
    await sampling.stop()
  })

  test('a restart does not probe a slot again that has its sample', async () => {
    desk = await Desk.open(at('22:00'))
    await desk.sample([http('a')])
    await records(2)
    await desk.stop()
    desk.clock.advance(5 * MINUTE_MS)
    await desk.sample([http('a')])
    await eventually(
      () => desk.story(),
      (story) => story.includes('tick 22:05:00.000'),
    )
    expect(desk.prober.asked).toHaveLength(1)
  })
})

describe('what was missed', () => {
  test('three days of ticks are written on return, in order, each behind the csv rows that are older', async () => {
    desk = await Desk.open(at('22:00'))
    await writeFile(desk.file(), HEADER)
    const sources = [csv('desk', desk.file())]
    await desk.round(sources)
    const rows = Array.from({ length: 500 }, (_, i) => at('22:00') + i * 8 * MINUTE_MS + 30 * SECOND_MS)
    await appendFile(desk.file(), rows.map((row) => `${new Date(row).toISOString()},desk,${row % 1000}\n`).join(''))
    desk.clock.advance(3 * DAY_MS)
    const { samplesWritten } = await desk.round(sources)
    expect(samplesWritten).toBe(500)
    const facts = (await desk.written())
      .slice(1)
      .map(({ value }) => (value.type === 'tick' ? { tick: value.at } : { row: value.scheduledAt }))
    const ticks = facts.flatMap(({ tick }) => tick ?? [])
    expect(new Set(ticks).size).toBe(3 * 24 * 60 + 1)
    expect(ticks).toEqual(ticks.toSorted((a, b) => a - b))
    let now = Number.NEGATIVE_INFINITY
    for (const { tick, row } of facts) {
      if (tick !== undefined) now = tick
      else {
        expect(row).toBeGreaterThanOrEqual(now)
        expect(row! - now).toBeLessThan(MINUTE_MS)
      }
    }
  })

  test('the ticks of the time nobody sampled name the plan of then: a source added since was not expected', async () => {
    desk = await Desk.open(at('22:00'))
    await desk.round([http('a')])
    desk.clock.advance(10 * MINUTE_MS)
    await desk.round([http('a'), http('b')])
    const [before, after] = await desk.planKeys()
    const plans = (await desk.written()).flatMap(({ value }) => (value.type === 'tick' ? [[value.at, value.plan]] : []))
    expect(plans.filter(([instant]) => (instant as number) < at('22:10')).every(([, plan]) => plan === before)).toBe(
      true,
    )
    expect(plans.at(-1)).toEqual([at('22:10'), after])
  })

  test('a restart in the middle of catching up writes the rest', async () => {
    desk = await Desk.open(at('22:00'))
    await writeFile(desk.file(), HEADER)
    const sources = [csv('desk', desk.file())]
    await desk.round(sources)
    const rows = Array.from({ length: 5000 }, (_, i) => at('22:00') + i * 60 * SECOND_MS + 500)
    await appendFile(desk.file(), rows.map((row) => `${new Date(row).toISOString()},desk,7\n`).join(''))
    desk.clock.advance(5000 * MINUTE_MS)
    let left = 2
    const dying: EventLog = {
      ...boundLog(desk.log),
      append: async (...batch) => {
        if (left-- <= 0) throw new ObstreamError('OBS_LOG_IO', 'the disk is full')
        return await desk.log.append(...batch)
      },
    }
    await expect(desk.round(sources, dying)).rejects.toMatchObject({ code: 'OBS_LOG_IO' })
    expect((await desk.samples()).length).toBeLessThan(5000)
    await desk.round(sources)
    const samples = await desk.samples()
    expect(samples).toHaveLength(5000)
    expect(new Set(samples.map(idOf)).size).toBe(5000)
    const ticks = (await desk.written()).flatMap(({ value }) => (value.type === 'tick' ? [value.at] : []))
    expect(ticks).toEqual(ticks.toSorted((a, b) => a - b))
    expect(new Set(ticks).size).toBe(5001)
  })
})

describe('one round', () => {
  test('probes each http source once for its slot and ends with one tick, now', async () => {
    desk = await Desk.open(at('22:07:30'))
    desk.prober.answer = ({ url }) =>
      url.endsWith('/down')
        ? { kind: 'failed', errorCode: 'http_status_503', lagMs: 0 }
        : { kind: 'answered', elapsedMs: 40.5, lagMs: 0 }
    const summary = await desk.round([http('a'), http('b', { url: 'http://127.0.0.1:1/down' })])
    expect(summary).toEqual({
      samplesWritten: 2,
      tickAt: at('22:07:30'),
      sources: [
        { source: 'a', kind: 'http', outcome: 'ok', latencyMs: 41, errorCode: null },
        { source: 'b', kind: 'http', outcome: 'error', latencyMs: null, errorCode: 'http_status_503' },
      ],
    })
    expect(await desk.story()).toEqual([
      'a 22:00:00.000 ok 41',
      'b 22:00:00.000 error http_status_503',
      'tick 22:07:30.000',
    ])
  })

  test('leaves a slot alone that has its sample', async () => {
    desk = await Desk.open(at('22:07:30'))
    await desk.round([http('a')])
    desk.clock.advance(MINUTE_MS)
    const { samplesWritten, sources } = await desk.round([http('a')])
    expect([samplesWritten, sources[0]]).toEqual([
      0,
      { source: 'a', kind: 'http', outcome: 'already_sampled', latencyMs: null, errorCode: null },
    ])
    desk.clock.advance(10 * MINUTE_MS)
    expect((await desk.round([http('a')])).samplesWritten).toBe(1)
  })

  test('ends with the same tick in every partition', async () => {
    desk = await Desk.open(at('22:07:30.250'), 3)
    const { tickAt } = await desk.round([http('a')])
    const ticks = (await desk.written()).filter(({ value }) => value.type === 'tick')
    expect(ticks.map(({ partition, value }) => [partition, value.type === 'tick' && value.at])).toEqual(
      [0, 1, 2].map((p) => [p, tickAt]),
    )
  })

  test('is given up when it is stopped', async () => {
    desk = await Desk.open(at('22:00'))
    desk.prober.answer = () => new Promise(() => {})
    const round = new SamplingRound(desk.dependencies([http('a')]))
    const summary = round.run()
    const failed = expect(summary).rejects.toMatchObject({ code: 'OBS_LOG_UNAVAILABLE' })
    await round.stop()
    await failed
  })

  test('a tick an hour after the last cursor repeats it, so that no retention takes it away', async () => {
    desk = await Desk.open(at('22:00'))
    await writeFile(desk.file(), `${HEADER}2026-06-27T21:59:59Z,desk,5\n`)
    await desk.round([csv('desk', desk.file())])
    desk.clock.advance(3 * HOUR_MS)
    await desk.round([csv('desk', desk.file())])
    const carrying = (await desk.written()).filter(({ cursors }) => cursors.length > 0)
    expect(carrying.map(({ key, value }) => (value.type === 'tick' ? value.at : key))).toEqual([
      'desk',
      at('23:00'),
      at('00:00', '2026-06-28'),
      at('01:00', '2026-06-28'),
    ])
    expect(new Set(carrying.flatMap(({ cursors }) => cursors)).size).toBe(1)
  })
})

function boundLog(log: EventLog): EventLog {
  return {
    endsLagMs: log.endsLagMs,
    append: log.append.bind(log),
    read: log.read.bind(log),
    follow: log.follow.bind(log),
    offsets: log.offsets.bind(log),
    subscribe: log.subscribe.bind(log),
    committed: log.committed.bind(log),
    topics: log.topics,
    close: log.close.bind(log),
  }
}
