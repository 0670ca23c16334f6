import { writeFile } from 'node:fs/promises'
import { afterEach, describe, expect, test } from '@jest/globals'
import { partitionOf } from '#lib/partitioner.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '#lib/time.ts'
import type { ImportOptions, ImportProgress, ImportSummary } from '#services/sampler/import.ts'
import { importRows } from '#services/sampler/import.ts'
import { at, Desk, http, idOf } from './desk.ts'

let desk: Desk
afterEach(() => desk.close())

const HEADER = 'timestamp_utc,source,latency_ms\n'
const row = (instant: number, source = 'a', ms = 5): string => `${new Date(instant).toISOString()},${source},${ms}\n`

async function importFile(text: string, options: Partial<ImportOptions> = {}): Promise<ImportSummary> {
  await writeFile(desk.file('history.csv'), text)
  return await importRows({ file: desk.file('history.csv'), ...options }, desk.dependencies([]))
}

describe('an import', () => {
  test('writes rows in order of time, each before the tick that it is older than', async () => {
    desk = await Desk.open(at('12:00', '2026-06-28'))
    const summary = await importFile(
      HEADER + row(at('22:01:30')) + row(at('22:00:20'), 'b') + row(at('22:00:20'), 'b', 6) + row(at('22:03')),
    )
    expect((await desk.story()).slice(0, 8)).toEqual([
      'tick 22:00:00.000',
      'b 22:00:20.000 ok 5',
      'b 22:00:20.000 ok 6',
      'tick 22:01:00.000',
      'a 22:01:30.000 ok 5',
      'tick 22:02:00.000',
      'tick 22:03:00.000',
      'a 22:03:00.000 ok 5',
    ])
    expect((await desk.samples()).map(idOf)).toContain('b/2026-06-27T22:00:20.000Z/1')
    expect(summary).toEqual({ rows: 4, sources: 2, firstAt: at('22:00:20'), lastAt: at('22:03'), tickAt: at('23:10') })
  })

  test('goes on with ticks until the window of the last row is closed', async () => {
    desk = await Desk.open(at('12:00', '2026-06-28'))
    const { tickAt } = await importFile(HEADER + row(at('22:59:59.999')))
    expect([tickAt, (await desk.story()).at(-1)]).toEqual([at('23:10'), 'tick 23:10:00.000'])
  })

  test('writes no tick that lies in the future: a window that still runs is left to the sampler', async () => {
    desk = await Desk.open(at('22:30:30'))
    expect((await importFile(HEADER + row(at('22:20')))).tickAt).toBe(at('22:30'))
    await desk.round([http('live')])
    expect((await desk.story()).slice(-2)).toEqual(['live 22:30:00.000 ok 12', 'tick 22:30:30.000'])
  })

  test('has a plan of its own that expects no source, and the time up to the next start has it, too', async () => {
    desk = await Desk.open(at('12:00', '2026-06-28'))
    await importFile(HEADER + row(at('22:20')))
    const [imported] = await desk.planKeys()
    await desk.round([http('live')])
    const plans = (await desk.written()).flatMap(({ value }) => (value.type === 'tick' ? value.plan : []))
    expect(new Set(plans.slice(0, -1))).toEqual(new Set([imported]))
    expect(plans.at(-1)).not.toBe(imported)
  })

  test('sends each source to its partition, and the ticks to all', async () => {
    desk = await Desk.open(at('12:00', '2026-06-28'), 3)
    await importFile(HEADER + ['a', 'b', 'c', 'd', 'e'].map((source) => row(at('22:00:01'), source)).join(''))
    const written = await desk.written()
    for (const { partition, key, value } of written)
      if (value.type === 'probe') expect(partition).toBe(partitionOf(key, 3))
    for (const partition of [0, 1, 2])
      expect(written.filter((fact) => fact.partition === partition && fact.value.type === 'tick')).toHaveLength(71)
  })

  test('of a file without sources takes the one that is named', async () => {
    desk = await Desk.open(at('12:00', '2026-06-28'))
    const text =
      'ts_emit,ts_ack,status\n2026-06-27T22:00:00Z,2026-06-27T22:00:00.120Z,ok\n2026-06-27T22:01:00Z,,rejected'
    await expect(importFile(text)).rejects.toMatchObject({
      code: 'OBS_INPUT_INVALID',
      message: expect.stringContaining('--source'),
    })
    await importFile(text, { source: 'router' })
    expect((await desk.story()).filter((line) => line.startsWith('router'))).toEqual([
      'router 22:00:00.000 ok 120',
      'router 22:01:00.000 error status_rejected',
    ])
  })

  test('tells how far it is', async () => {
    desk = await Desk.open(at('12:00', '2026-06-28'))
    const text = HEADER + Array.from({ length: 20_000 }, (_, i) => row(at('00:00') + i * 1000)).join('')
    const progress: ImportProgress[] = []
    await importFile(text, { onProgress: (now) => void progress.push(now) })
    for (const phase of ['checking', 'importing'] as const) {
      const done = progress.filter((now) => now.phase === phase).map(({ bytesDone }) => bytesDone)
      expect(done).toEqual(done.toSorted((a, b) => a - b))
      expect(done.at(-1)).toBe(text.length)
    }
  })

  test('of 120 days has every row once, between the ticks around it', async () => {
    desk = await Desk.open(at('12:00', '2026-06-28'))
    const startAt = at('00:00', '2026-02-20')
    const text = HEADER + Array.from({ length: 100_000 }, (_, i) => row(startAt + i * 100 * 1000)).join('')
    expect((await importFile(text)).rows).toBe(100_000)
    const written = await desk.written()
    expect(written.filter(({ value }) => value.type === 'probe')).toHaveLength(100_000)
    let time = 0
    let misplaced = 0
    for (const { value } of written) {
      if (value.type === 'tick') time = value.at
      else if (value.scheduledAt < time || value.scheduledAt >= time + MINUTE_MS) misplaced++
    }
    expect(misplaced).toBe(0)
  }, 120_000)
})

describe('an import is refused, and nothing is written,', () => {
  const nothing = async (): Promise<void> => {
    expect([await desk.story(), await desk.planKeys()]).toEqual([[], []])
  }

  test('when the file has faults; all are named', async () => {
    desk = await Desk.open(at('12:00', '2026-06-28'))
    const failed = importFile(
      `${HEADER + row(at('22:00'))}yesterday,a,1\n${row(at('22:01'))}2026-06-27T22:02:00Z,a,fast\n2026-06-27T22:02:00Z,a/b,1\n`,
    )
    await expect(failed).rejects.toMatchObject({ code: 'OBS_INPUT_INVALID' })
    await expect(failed).rejects.toThrow(/history.csv:3:1: .*\n.*history.csv:5:3: .*\n.*history.csv:6: "a\/b" is no id/)
    await nothing()
  })

  test('when there is no such file, no header, or no row', async () => {
    desk = await Desk.open(at('12:00', '2026-06-28'))
    await expect(importRows({ file: desk.file('absent') }, desk.dependencies([]))).rejects.toMatchObject({
      code: 'OBS_INPUT_MISSING',
    })
    await expect(importFile('')).rejects.toThrow(/the file is empty/)
    await expect(importFile('a,b\n1,2\n')).rejects.toMatchObject({ code: 'OBS_INPUT_INVALID' })
    await expect(importFile(HEADER)).rejects.toThrow(/no row/)
    await nothing()
  })

  test('when a row lies in the future', async () => {
    desk = await Desk.open(at('12:00', '2026-06-28'))
    await expect(importFile(HEADER + row(at('12:00', '2026-06-28') + 1))).rejects.toThrow(
      /history.csv:2: .* lies in the future/,
    )
    await nothing()
  })

  test('when a row stands more than 20,000 rows behind later ones', async () => {
    desk = await Desk.open(at('12:00', '2026-06-28'))
    const rows = Array.from({ length: 45_000 }, (_, i) => row(at('00:00') + i * 1000))
    await expect(importFile(HEADER + rows.join('') + row(at('00:00')))).rejects.toThrow(
      /history.csv:45002: .*sort the file by time/,
    )
    await nothing()
  })

  test('when the log has a later tick than the first row', async () => {
    desk = await Desk.open(at('22:00'))
    await desk.round([http('a')])
    const before = await desk.story()
    const failed = importFile(HEADER + row(at('21:59:59')))
    await expect(failed).rejects.toMatchObject({ code: 'OBS_IMPORT_TOO_OLD' })
    await expect(failed).rejects.toThrow(
      /2026-06-27T21:59:59.000Z, but the time of the log is 2026-06-27T22:00:00.000Z.*--data-dir.*mirror/,
    )
    expect(await desk.story()).toEqual(before)
    await desk.clock.advance(HOUR_MS)
    await importFile(HEADER + row(at('22:00')))
  })

  test('when a sampler runs', async () => {
    desk = await Desk.open(at('22:00'))
    await desk.sample([])
    await expect(importFile(HEADER + row(at('21:00')))).rejects.toMatchObject({ code: 'OBS_LOG_GROUP_HELD' })
  })

  test('and goes no further when it is aborted', async () => {
    desk = await Desk.open(at('12:00', '2026-06-28'))
    const abort = new AbortController()
    const onProgress = ({ phase }: ImportProgress): void =>
      phase === 'importing' ? abort.abort(new Error('enough')) : undefined
    const text = HEADER + Array.from({ length: 50_000 }, (_, i) => row(at('00:00') - DAY_MS + i * 1000)).join('')
    await expect(importFile(text, { onProgress, signal: abort.signal })).rejects.toThrow('enough')
    expect((await desk.samples()).length).toBeLessThan(50_000)
  })
})
