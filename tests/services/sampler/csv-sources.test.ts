import { appendFile, mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { MINUTE_MS, SECOND_MS } from '#lib/time.ts'
import { at, csv, Desk, eventually, idOf } from './desk.ts'

let desk: Desk
afterEach(() => desk.close())

const HEADER = 'timestamp_utc,source,latency_ms\n'

test('rows come before the tick that they are older than, and newer ones behind the last', async () => {
  desk = await Desk.open(at('22:00:30'))
  await writeFile(
    desk.file(),
    `${HEADER}2026-06-27T22:00:29.999Z,desk,1\n2026-06-27T22:00:30Z,desk,2\n2026-06-27T22:00:00Z,desk,3\n2026-06-27T22:00:00Z,other,4\n`,
  )
  const { sources } = await desk.round([csv('desk', desk.file())])
  expect(await desk.story()).toEqual([
    'desk 22:00:00.000 ok 3',
    'desk 22:00:29.999 ok 1',
    'tick 22:00:30.000',
    'desk 22:00:30.000 ok 2',
  ])
  expect(sources).toEqual([{ source: 'desk', kind: 'csv', rows: 3, faults: 0 }])
})

test('one file may feed several sources, each with its own rows', async () => {
  desk = await Desk.open(at('22:00:30'), 4)
  await writeFile(
    desk.file(),
    `${HEADER}2026-06-27T22:00:00Z,a,1\n2026-06-27T22:00:00Z,b,2\n2026-06-27T22:00:01Z,a,3\n`,
  )
  await desk.round([csv('a', desk.file()), csv('b', desk.file())])
  expect((await desk.samples()).map(idOf).toSorted()).toEqual([
    'a/2026-06-27T22:00:00.000Z/0',
    'a/2026-06-27T22:00:01.000Z/0',
    'b/2026-06-27T22:00:00.000Z/0',
  ])
})

test('a file that is read while it runs is published with the next tick', async () => {
  desk = await Desk.open(at('22:00'))
  await desk.sample([csv('desk', desk.file())])
  await eventually(
    () => desk.story(),
    (story) => story.length === 1,
  )
  await writeFile(desk.file(), `${HEADER}2026-06-27T22:00:30Z,desk,9\n`)
  desk.clock.advance(MINUTE_MS)
  await eventually(
    () => desk.story(),
    (story) => story.length === 3,
  )
  expect(await desk.story()).toEqual(['tick 22:00:00.000', 'desk 22:00:30.000 ok 9', 'tick 22:01:00.000'])
})

test('a faulty line is told with file, line and column; the ticks go on', async () => {
  desk = await Desk.open(at('22:00'))
  await writeFile(desk.file(), `${HEADER}yesterday,desk,9\n`)
  const { sources } = await desk.round([csv('desk', desk.file())])
  expect(sources).toEqual([{ source: 'desk', kind: 'csv', rows: 0, faults: 1 }])
  expect(desk.warnings).toEqual([
    `${desk.file()}:2:1: timestamp_utc "yesterday" is no instant; write RFC 3339 with a zone, e.g. 2026-06-27T23:00:00.125Z`,
  ])
  expect(await desk.story()).toEqual(['tick 22:00:00.000'])
})

test('a source that reads what obstream writes is refused before anything is written', async () => {
  desk = await Desk.open(at('22:00'))
  const own = join(desk.dir, 'ops/signal_latency.csv')
  await expect(desk.round([csv('loop', own)])).rejects.toMatchObject({
    code: 'OBS_CONFIG_INVALID',
    message: expect.stringContaining('source loop reads'),
  })
  expect(await desk.planKeys()).toEqual([])
})

test('a file that becomes a link to one of ours is not read', async () => {
  desk = await Desk.open(at('22:00'))
  await mkdir(join(desk.dir, 'ops'))
  const own = join(desk.dir, 'ops/signal_latency.csv')
  await writeFile(own, `${HEADER}2026-06-27T21:00:00Z,desk,9\n`)
  await desk.sample([csv('desk', desk.file())])
  await eventually(
    () => desk.story(),
    (story) => story.length === 1,
  )
  const { symlink } = await import('node:fs/promises')
  await symlink(own, desk.file())
  desk.clock.advance(MINUTE_MS)
  await eventually(
    () => desk.story(),
    (story) => story.length === 2,
  )
  expect(await desk.samples()).toEqual([])
  expect(desk.warnings.at(-1)).toContain('obstream itself writes this file')
})

/** What happens to a file and its sampler. */
type Act =
  | { readonly kind: 'rows'; readonly seconds: readonly number[] }
  | { readonly kind: 'half' }
  | { readonly kind: 'round' | 'rotate' | 'rename' | 'rewrite' | 'advance' }

const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('rows' as const),
      seconds: fc.array(fc.integer({ min: -300, max: 20 }), { minLength: 1, maxLength: 6 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('half' as const, 'round' as const, 'advance' as const, 'rewrite' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('rotate' as const, 'rename' as const) }) },
)

test('however a file grows and the sampler restarts, the ids in the log are those of its rows', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 14 }), async (acts) => {
      desk = await Desk.open(at('12:00'))
      const source = csv('desk', desk.file())
      const expected = new Set<string>()
      let lines: string[] = []
      let half = ''
      let isKnown = false
      const counts = new Map<number, number>()
      await writeFile(desk.file(), HEADER)
      for (const next of acts) {
        if (next.kind === 'advance') desk.clock.advance(150 * SECOND_MS)
        if (next.kind === 'round') {
          await desk.round([source])
          isKnown = lines.length > 0
        }
        if (next.kind === 'rows')
          for (const seconds of next.seconds) {
            const scheduledAt = desk.clock.now() + seconds * SECOND_MS
            const text = `${new Date(scheduledAt).toISOString()},desk,${lines.length}\n`
            const ordinal = counts.get(scheduledAt) ?? 0
            counts.set(scheduledAt, ordinal + 1)
            expected.add(idOf({ source: 'desk', scheduledAt, ordinal }))
            await appendFile(desk.file(), half === '' ? text : text.slice(half.length))
            half = ''
            lines.push(text)
          }
        if (next.kind === 'half' && half === '') {
          // The next row begins like this whatever its time is: all are of this day.
          half = new Date(desk.clock.now()).toISOString().slice(0, 10)
          await appendFile(desk.file(), half)
        }
        if (next.kind === 'rewrite') {
          await writeFile(`${desk.file()}.new`, HEADER + lines.join('') + half)
          await rename(`${desk.file()}.new`, desk.file())
        }
        if (next.kind === 'rotate' || next.kind === 'rename') {
          // Who keeps the old file rotates once between two rounds at most, and none of which no row was read yet; who keeps
          // none, not before its rows were read.
          if (next.kind === 'rotate' || !isKnown) await desk.round([source])
          if (next.kind === 'rename') await rename(desk.file(), `${desk.file()}.1`)
          isKnown = false
          // From now on times are new, so that no id can mean two rows.
          desk.clock.advance(900 * SECOND_MS)
          lines = []
          half = ''
          await writeFile(desk.file(), HEADER)
        }
      }
      await desk.round([source])
      expect(new Set((await desk.samples()).map(idOf))).toEqual(expected)
      await desk.close()
    }),
    { numRuns: 60 },
  )
})

test('a running sampler publishes each row exactly once, also over restarts', async () => {
  desk = await Desk.open(at('22:00'))
  const source = csv('desk', desk.file())
  await writeFile(desk.file(), HEADER)
  for (let i = 0; i < 6; i++) {
    await desk.sample([source])
    await appendFile(desk.file(), `${new Date(desk.clock.now() + 1000).toISOString()},desk,${i}\n`)
    desk.clock.advance(MINUTE_MS)
    await eventually(
      () => desk.samples(),
      (samples) => samples.length === i + 1,
    )
    await desk.stop()
  }
  expect((await desk.samples()).map(({ latencyMs }) => latencyMs)).toEqual([0, 1, 2, 3, 4, 5])
})
