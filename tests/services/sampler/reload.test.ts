import { appendFile, writeFile } from 'node:fs/promises'
import { afterEach, expect, test } from '@jest/globals'
import type { SourceConfig } from '#lib/config.ts'
import { MINUTE_MS, SECOND_MS } from '#lib/time.ts'
import type { ProbeResult } from '#services/sampler/sample.ts'
import type { Sampling } from '#services/sampler/sampling.ts'
import { at, configOf, csv, Desk, eventually, http } from './desk.ts'

/** Another configuration while the sampler runs. */

let desk: Desk
afterEach(() => desk.close())

const HEADER = 'timestamp_utc,source,latency_ms\n'
const reload = (sampling: Sampling, sources: readonly SourceConfig[]): Promise<void> =>
  sampling.reload(configOf(sources, desk.dir))

async function told(line: string): Promise<void> {
  await eventually(
    () => desk.story(),
    (story) => story.includes(line),
  )
}

/** The same, until it is taken over: a source that comes with it is probed at once. */
async function takeOver(sampling: Sampling, sources: readonly SourceConfig[], marker: string): Promise<void> {
  await reload(sampling, [...sources, http(marker)])
  await told(`${marker} 22:00:00.000 ok 12`)
}

const ticks = async () => (await desk.written()).flatMap(({ value }) => (value.type === 'tick' ? [value] : []))

test('the plan is in the log when it is taken over, and each tick from then on names it', async () => {
  desk = await Desk.open(at('22:00'))
  const sampling = await desk.sample([http('a')])
  await told('a 22:00:00.000 ok 12')
  desk.clock.advance(30 * SECOND_MS)
  await reload(sampling, [http('a'), http('b')])
  const [before, after] = await desk.planKeys()
  await told('b 22:00:00.000 ok 12')
  desk.clock.advance(30 * SECOND_MS)
  await told('tick 22:01:00.000')
  desk.clock.advance(MINUTE_MS)
  await told('tick 22:02:00.000')
  expect((await ticks()).map(({ plan }) => plan)).toEqual([before, after, after])
})

test('ticks that are owed at that time name the plan of before', async () => {
  desk = await Desk.open(at('22:00'))
  const sampling = await desk.sample([http('a')])
  await told('a 22:00:00.000 ok 12')
  const taken = reload(sampling, [http('b')])
  desk.clock.advance(2 * MINUTE_MS + 10 * SECOND_MS)
  await taken
  await told('b 22:00:00.000 ok 12')
  desk.clock.advance(MINUTE_MS)
  await told('tick 22:03:00.000')
  const [before, after] = await desk.planKeys()
  expect((await ticks()).map(({ plan }) => plan)).toEqual([before, before, before, after])
})

test('a source that is left out is probed no more, one that comes is probed for its current slot', async () => {
  desk = await Desk.open(at('22:00'))
  const [leaves, stays, comes] = ['leaves', 'stays', 'comes'].map((id) => http(id, { intervalMs: MINUTE_MS }))
  const sampling = await desk.sample([leaves!, stays!])
  await told('stays 22:00:00.000 ok 12')
  await told('leaves 22:00:00.000 ok 12')
  await reload(sampling, [stays!, comes!])
  await told('comes 22:00:00.000 ok 12')
  desk.clock.advance(MINUTE_MS)
  await told('stays 22:01:00.000 ok 12')
  await told('comes 22:01:00.000 ok 12')
  expect((await desk.samples()).map(({ source }) => source).toSorted()).toEqual([
    'comes',
    'comes',
    'leaves',
    'stays',
    'stays',
  ])
})

test('a probe under way ends, is the sample of its slot, and is not said to be skipped', async () => {
  desk = await Desk.open(at('21:59'))
  const source = http('a', { intervalMs: MINUTE_MS })
  const sampling = await desk.sample([source])
  await told('a 21:59:00.000 ok 12')
  const running = Promise.withResolvers<ProbeResult>()
  desk.prober.answer = () => running.promise
  desk.clock.advance(MINUTE_MS)
  await eventually(
    async () => desk.prober.asked.length,
    (count) => count === 2,
  )
  desk.prober.answer = () => ({ kind: 'answered', elapsedMs: 3, lagMs: 0 })
  await reload(sampling, [{ ...source, url: 'http://127.0.0.1:2/' }, http('b')])
  await told('b 22:00:00.000 ok 3')
  running.resolve({ kind: 'answered', elapsedMs: 1_500, lagMs: 0 })
  await told('a 22:00:00.000 ok 1500')
  desk.clock.advance(MINUTE_MS)
  await told('a 22:01:00.000 ok 3')
  expect(desk.prober.asked.filter((url) => url.endsWith(':2/'))).toHaveLength(1)
  expect(await desk.story()).not.toContainEqual(expect.stringContaining('skipped'))
})

test('rows that stand in a file when it is left are published, and the next file is read from its beginning', async () => {
  desk = await Desk.open(at('22:00'))
  const [old, next] = [desk.file('old.csv'), desk.file('next.csv')]
  await writeFile(old, `${HEADER}2026-06-27T21:59:00Z,s,1\n`)
  await writeFile(next, `${HEADER}2026-06-27T22:00:30Z,s,3\n`)
  const sampling = await desk.sample([csv('s', old)])
  await told('s 21:59:00.000 ok 1')
  await appendFile(old, '2026-06-27T22:00:05Z,s,2\n')
  desk.clock.advance(10 * SECOND_MS)
  await takeOver(sampling, [csv('s', next)], 'marker')
  desk.clock.advance(50 * SECOND_MS)
  await told('s 22:00:30.000 ok 3')
  await told('tick 22:01:00.000')
  const story = await desk.story()
  const places = ['s 22:00:05.000 ok 2', 's 22:00:30.000 ok 3', 'tick 22:01:00.000'].map((line) => story.indexOf(line))
  expect(places).toEqual(places.toSorted((a, b) => a - b))
  expect(story.filter((line) => line.startsWith('s '))).toHaveLength(3)
})

test('a file that comes back is read from where it was left', async () => {
  desk = await Desk.open(at('22:00'))
  const path = desk.file()
  await writeFile(path, `${HEADER}2026-06-27T21:59:00Z,s,1\n`)
  const sampling = await desk.sample([csv('s', path)])
  await told('s 21:59:00.000 ok 1')
  await takeOver(sampling, [], 'left')
  desk.clock.advance(MINUTE_MS)
  await told('tick 22:01:00.000')
  await appendFile(path, '2026-06-27T22:01:30Z,s,2\n')
  await takeOver(sampling, [csv('s', path)], 'back')
  desk.clock.advance(MINUTE_MS)
  await told('s 22:01:30.000 ok 2')
  const rows = (await desk.samples()).filter(({ source }) => source === 's')
  expect(rows.map(({ latencyMs }) => latencyMs)).toEqual([1, 2])
})

test('a configuration that reads what obstream writes is refused, and all goes on as before', async () => {
  desk = await Desk.open(at('22:00'))
  const sampling = await desk.sample([http('a', { intervalMs: MINUTE_MS })])
  await told('a 22:00:00.000 ok 12')
  const own = csv('own', desk.file('ops/signal_latency.csv'))
  await expect(reload(sampling, [own])).rejects.toMatchObject({ code: 'OBS_CONFIG_INVALID' })
  desk.clock.advance(MINUTE_MS)
  await told('a 22:01:00.000 ok 12')
  await told('tick 22:01:00.000')
  expect(new Set((await ticks()).map(({ plan }) => plan))).toEqual(new Set(await desk.planKeys()))
})
