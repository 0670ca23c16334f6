import { appendFile, copyFile, link, mkdir, mkdtemp, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { isOwnProjection } from '#services/sampler/adapters/csv-file.ts'
import { CsvTail } from '#services/sampler/adapters/csv-tail.ts'
import type { PlacedFault } from '#services/sampler/adapters/open-csv.ts'
import type { CsvCursor } from '#services/sampler/csv-cursor.ts'
import { at } from '../desk.ts'

const HEADER = 'timestamp_utc,source,latency_ms\n'
let dir: string
let path: string
let faults: PlacedFault[]
const tails: CsvTail[] = []

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tail-'))
  path = join(dir, 'latency.csv')
  faults = []
})
afterEach(async () => {
  for (const tail of tails.splice(0)) await tail.close()
  await rm(dir, { recursive: true, force: true })
})

function tailFrom(cursor: CsvCursor | null = null): CsvTail {
  const tail = new CsvTail({
    path,
    source: 'a',
    cursor,
    report: (fault) => void faults.push(fault),
    isRefused: async () => false,
  })
  tails.push(tail)
  return tail
}

/** `HH:MM:SS` of 2026-06-27 and a latency each. */
const line = (time: string, ms: number | string = 5, source = 'a'): string => `2026-06-27T${time}Z,${source},${ms}\n`
const fileOf = (...lines: string[]): string => HEADER + lines.join('')

/** Everything that can be taken now, as `22:00:00.000/0 5`. */
async function all(tail: CsvTail, before = Number.POSITIVE_INFINITY): Promise<string[]> {
  await tail.refresh()
  const rows: string[] = []
  for (;;) {
    while (tail.needsMore) await tail.readMore()
    const row = tail.take(before)
    if (!row) return rows
    const { scheduledAt, ordinal, latencyMs, errorCode } = row.sample
    rows.push(`${new Date(scheduledAt).toISOString().slice(11, 19)}/${ordinal} ${latencyMs ?? errorCode}`)
  }
}

describe('a file that grows', () => {
  test('gives each row once, and goes on from its cursor after a restart', async () => {
    const tail = tailFrom()
    await writeFile(path, fileOf(line('22:00:00', 1)))
    expect(await all(tail)).toEqual(['22:00:00/0 1'])
    expect(await all(tail)).toEqual([])
    await appendFile(path, line('22:00:01', 2))
    expect(await all(tail)).toEqual(['22:00:01/0 2'])
    await appendFile(path, line('22:00:02', 3))
    expect(await all(tailFrom(await tail.cursor()))).toEqual(['22:00:02/0 3'])
  })

  test('keeps a half-written last line for later, wherever it is cut', async () => {
    const text = fileOf(line('22:00:00', 1), line('22:00:01', 23))
    for (let cut = 1; cut < text.length; cut += 7) {
      const tail = tailFrom()
      await writeFile(path, text.slice(0, cut))
      const first = await all(tail)
      await appendFile(path, text.slice(cut))
      expect([...first, ...(await all(tail))]).toEqual(['22:00:00/0 1', '22:00:01/0 23'])
    }
    expect(faults).toEqual([])
  })

  test('may have any order; rows come in order of time, those of one instant in order of the file', async () => {
    await writeFile(path, fileOf(line('22:00:02', 1), line('22:00:00', 2), line('22:00:02', 3), line('22:00:01', 4)))
    expect(await all(tailFrom())).toEqual(['22:00:00/0 2', '22:00:01/0 4', '22:00:02/0 1', '22:00:02/1 3'])
  })

  test('has a cursor before the first row that is not taken', async () => {
    await writeFile(path, fileOf(line('22:00:02', 1), line('22:00:00', 2), line('22:00:03', 3)))
    const tail = tailFrom()
    expect(await all(tail, at('22:00:01'))).toEqual(['22:00:00/0 2'])
    expect(await tail.cursor()).toMatchObject({ offset: HEADER.length, line: 1 })
    expect(await all(tail, at('22:00:03'))).toEqual(['22:00:02/0 1'])
    expect(await tail.cursor()).toMatchObject({ line: 3, newest: { at: at('22:00:02'), count: 1 } })
    expect(await all(tailFrom(await tail.cursor()))).toEqual(['22:00:03/0 3'])
  })

  test('has a cursor before a row that stands first and is not taken, although others behind it are', async () => {
    await writeFile(path, fileOf(line('22:00:05', 1), line('22:00:01', 2), line('22:00:03', 3)))
    const tail = tailFrom()
    expect(await all(tail, at('22:00:02'))).toEqual(['22:00:01/0 2'])
    expect(await tail.cursor()).toMatchObject({ line: 1 })
    expect(await all(tailFrom(await tail.cursor()))).toEqual(['22:00:01/0 2', '22:00:03/0 3', '22:00:05/0 1'])
  })

  test('gives every row with its own id, whatever its order and wherever a restart goes on from', async () => {
    const second = fc.integer({ min: 0, max: 12 })
    const step = fc.record({ append: fc.array(second, { maxLength: 5 }), before: second, restarts: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
        await writeFile(path, HEADER)
        const counts = new Map<number, number>()
        const expected: string[] = []
        const seen = new Set<string>()
        let tail = tailFrom()
        for (const { append, before, restarts } of [...steps, { append: [], before: 60, restarts: true }]) {
          for (const seconds of append) {
            const time = `22:00:${String(seconds).padStart(2, '0')}`
            expected.push(`${time}/${counts.get(seconds) ?? 0} ${expected.length}`)
            counts.set(seconds, (counts.get(seconds) ?? 0) + 1)
            await appendFile(path, line(time, expected.length - 1))
          }
          for (const row of await all(tail, at('22:00') + before * 1000)) seen.add(row)
          if (restarts) tail = tailFrom(await tail.cursor())
        }
        for (const row of await all(tail)) seen.add(row)
        expect([...seen].toSorted()).toEqual(expected.toSorted())
        for (const used of tails.splice(0)) await used.close()
      }),
      { numRuns: 150 },
    )
  })

  test('counts ordinals over the whole file, also for a row that is older than the cursor', async () => {
    await writeFile(path, fileOf(line('22:00:00', 1), line('22:00:00', 2), line('22:00:05', 3)))
    const tail = tailFrom()
    expect(await all(tail)).toEqual(['22:00:00/0 1', '22:00:00/1 2', '22:00:05/0 3'])
    await appendFile(path, line('22:00:00', 4) + line('22:00:05', 5) + line('22:00:01', 6))
    const expected = ['22:00:00/2 4', '22:00:01/0 6', '22:00:05/1 5']
    const cursor = await tail.cursor()
    expect(await all(tail)).toEqual(expected)
    expect(await all(tailFrom(cursor))).toEqual(expected)
  })

  test('may be absent at first; that is told once', async () => {
    const tail = tailFrom()
    expect([await all(tail), await all(tail)]).toEqual([[], []])
    expect(faults).toEqual([{ line: null, column: null, offset: 0, message: 'there is no such file yet' }])
    await writeFile(path, fileOf(line('22:00:00')))
    expect(await all(tail)).toHaveLength(1)
  })

  test('may be a folder by mistake, which is told', async () => {
    await mkdir(path)
    expect(await all(tailFrom())).toEqual([])
    expect(faults[0]?.message).toContain('no regular file')
  })
})

describe('a file that is', () => {
  test('truncated is read from its beginning', async () => {
    await writeFile(path, fileOf(line('22:00:00'), line('22:00:01')))
    const tail = tailFrom()
    await all(tail)
    await truncate(path, 0)
    expect(await all(tail)).toEqual([])
    await writeFile(path, fileOf(line('23:00:00', 7)))
    expect(await all(tail)).toEqual(['23:00:00/0 7'])
  })

  test('rewritten in place, longer than it was, is read from its beginning, also after a restart', async () => {
    await writeFile(path, fileOf(line('22:00:00')))
    const tail = tailFrom()
    await all(tail)
    const cursor = await tail.cursor()
    await writeFile(path, fileOf(line('23:00:00', 7), line('23:00:01', 8)))
    expect(await all(tail)).toEqual(['23:00:00/0 7', '23:00:01/0 8'])
    expect(await all(tailFrom(cursor))).toEqual(['23:00:00/0 7', '23:00:01/0 8'])
  })

  test('rotated is read to its end before the new one', async () => {
    await writeFile(path, fileOf(line('22:00:00', 1)))
    const tail = tailFrom()
    await all(tail)
    await appendFile(path, line('22:00:01', 2))
    await rename(path, `${path}.1`)
    await appendFile(`${path}.1`, line('22:00:02', 3))
    expect(await all(tail)).toEqual(['22:00:01/0 2', '22:00:02/0 3'])
    await writeFile(path, fileOf(line('22:00:03', 4)))
    expect(await all(tail)).toEqual(['22:00:03/0 4'])
    expect(await all(tailFrom(await tail.cursor()))).toEqual([])
  })

  test('rotated in the middle of a line loses that line, and says so', async () => {
    await writeFile(path, `${fileOf(line('22:00:00', 1))}2026-06-27T22:`)
    const tail = tailFrom()
    await all(tail)
    await rename(path, `${path}.1`)
    await writeFile(path, fileOf(line('22:00:03', 4)))
    expect(await all(tail)).toEqual(['22:00:03/0 4'])
    expect(faults).toEqual([
      expect.objectContaining({ line: 3, message: expect.stringContaining('before this line had its end') }),
    ])
  })

  test('rotated while nobody read it is found by its content and read to its end first, then the new one', async () => {
    await writeFile(path, fileOf(line('22:00:00', 1)))
    const tail = tailFrom()
    await all(tail)
    const cursor = await tail.cursor()
    await appendFile(path, line('22:00:01', 2))
    await rename(path, `${path}.1`)
    await writeFile(join(dir, 'latency-of-another.csv'), fileOf(line('23:00:00', 9), line('23:00:01', 9)))
    const again = tailFrom(cursor)
    expect(await all(again)).toEqual(['22:00:01/0 2'])
    await writeFile(path, fileOf(line('22:00:02', 3)))
    expect([...(await all(again)), ...(await all(again))]).toEqual(['22:00:02/0 3'])
    expect(faults).toEqual([])
  })

  test('rotated while nobody read it, in the middle of a line, loses that line, and says where', async () => {
    await writeFile(path, fileOf(line('22:00:00', 1)))
    const tail = tailFrom()
    await all(tail)
    const cursor = await tail.cursor()
    await appendFile(path, `${line('22:00:01', 2)}2026-06-27T22:`)
    await rename(path, `${path}.1`)
    await writeFile(path, fileOf(line('22:00:02', 3)))
    const again = tailFrom(cursor)
    expect([...(await all(again)), ...(await all(again))]).toEqual(['22:00:01/0 2', '22:00:02/0 3'])
    expect(faults).toMatchObject([{ line: 4, message: expect.stringContaining(`as ${path}.1: `) }])
  })

  test('rotated while nobody read it, when all its rows had been read, has lost nothing and says nothing', async () => {
    await writeFile(path, fileOf(line('22:00:00', 1)))
    const tail = tailFrom()
    await all(tail)
    const cursor = await tail.cursor()
    await rename(path, `${path}.1`)
    await writeFile(path, fileOf(line('22:00:02', 3)))
    const again = tailFrom(cursor)
    expect([...(await all(again)), ...(await all(again))]).toEqual(['22:00:02/0 3'])
    expect(faults).toEqual([])
  })

  test('rotated and gone says that rows may be missing, and goes on with the new one', async () => {
    await writeFile(path, fileOf(line('22:00:00', 1), line('22:00:01', 2)))
    const tail = tailFrom()
    await all(tail)
    const cursor = await tail.cursor()
    await writeFile(path, fileOf(line('22:00:02', 3)))
    expect(await all(tailFrom(cursor))).toEqual(['22:00:02/0 3'])
    expect(faults).toEqual([
      {
        line: null,
        column: null,
        offset: cursor!.offset,
        message: expect.stringMatching(/read up to line 3, and no file/),
      },
    ])
  })

  test('replaced by a copy of itself with more rows goes on where it was', async () => {
    await writeFile(path, fileOf(line('22:00:00', 1)))
    const tail = tailFrom()
    await all(tail)
    await copyFile(path, `${path}.new`)
    await appendFile(`${path}.new`, line('22:00:01', 2))
    await rename(`${path}.new`, path)
    expect(await all(tail)).toEqual(['22:00:01/0 2'])
  })

  test('rewritten with the same rows gives the same ids again', async () => {
    const text = fileOf(line('22:00:00', 1), line('22:00:00', 2))
    await writeFile(path, text)
    const first = await all(tailFrom())
    await writeFile(path, text)
    expect(await all(tailFrom())).toEqual(first)
  })
})

describe('a fault', () => {
  test('is named with its line and column, and the other rows count', async () => {
    await writeFile(path, fileOf(line('22:00:00', 'fast'), line('22:00:01', 2), 'x\n', line('22:00:02', 3)))
    expect(await all(tailFrom())).toEqual(['22:00:01/0 2', '22:00:02/0 3'])
    expect(faults.map(({ line, column }) => [line, column])).toEqual([
      [2, 3],
      [4, null],
    ])
  })

  test('of the header is told once; a header that is put right is read', async () => {
    await writeFile(path, 'time,ms\n1,2\n')
    const tail = tailFrom()
    expect(await all(tail)).toEqual([])
    await appendFile(path, '3,4\n')
    expect(await all(tail)).toEqual([])
    expect(faults).toHaveLength(1)
    await writeFile(path, fileOf(line('22:00:00')))
    expect(await all(tail)).toHaveLength(1)
  })

  test('of bytes that are no UTF-8 or NUL costs its line only', async () => {
    const latin1 = Buffer.from('2026-06-27T22:00:00Z,a,5,caf\xe9\n', 'latin1')
    await writeFile(path, Buffer.concat([Buffer.from(HEADER), latin1, Buffer.from(`\0\0\0\n${line('22:00:01')}`)]))
    expect(await all(tailFrom())).toEqual(['22:00:01/0 5'])
    expect(faults.map(({ message }) => message)).toEqual([
      expect.stringContaining('byte 29 of the line (0xe9)'),
      expect.stringContaining('NUL'),
    ])
  })

  test('of a huge line costs that line only, in bounded memory', async () => {
    await writeFile(path, fileOf(line('22:00:00')))
    for (let i = 0; i < 40; i++) await appendFile(path, 'x'.repeat(1_000_000))
    await appendFile(path, `\n${line('22:00:01')}`)
    global.gc?.()
    expect(await all(tailFrom())).toEqual(['22:00:00/0 5', '22:00:01/0 5'])
    expect(faults).toEqual([
      expect.objectContaining({ line: 3, message: expect.stringContaining('longer than 65536 bytes') }),
    ])
  })

  test('of a line break in quotes costs its lines only', async () => {
    await writeFile(path, fileOf('"2026-06-27T22:00:00Z,a,1\n', line('22:00:01'), line('22:00:02')))
    expect(await all(tailFrom())).toEqual(['22:00:01/0 5', '22:00:02/0 5'])
  })
})

test('CRLF line ends and a byte order mark are read as they are meant', async () => {
  await writeFile(path, `\ufeff${fileOf(line('22:00:00', 1), line('22:00:01', 2))}`.replaceAll('\n', '\r\n'))
  expect(await all(tailFrom())).toEqual(['22:00:00/0 1', '22:00:01/0 2'])
  expect(faults).toEqual([])
})

test('a long file is read block by block, all of it, in order of time', async () => {
  const rows = Array.from(
    { length: 60_000 },
    (_, i) => `${new Date(at('00:00') + (i ^ 7) * 1000).toISOString()},a,${i}\n`,
  )
  await writeFile(path, fileOf(...rows))
  const tail = tailFrom()
  await tail.refresh()
  let taken = 0
  let last = Number.NEGATIVE_INFINITY
  for (;;) {
    while (tail.needsMore) await tail.readMore()
    const row = tail.take(Number.POSITIVE_INFINITY)
    if (!row) break
    expect(row.sample.scheduledAt).toBeGreaterThan(last)
    last = row.sample.scheduledAt
    taken++
  }
  expect(taken).toBe(60_000)
})

describe('our own projections', () => {
  test('are known by their place, also through links', async () => {
    await mkdir(join(dir, 'ops/signal_latency_archive/2026/06'), { recursive: true })
    const own = join(dir, 'ops/signal_latency.csv')
    expect(await isOwnProjection(own, dir)).toBe(true)
    expect(await isOwnProjection(join(dir, 'ops/../ops/signal_latency_rollup.csv'), dir)).toBe(true)
    expect(await isOwnProjection(join(dir, 'ops/signal_latency_archive/2026/06/x-1.csv'), dir)).toBe(true)
    expect(await isOwnProjection(join(dir, 'other.csv'), dir, [join(dir, 'other.csv')])).toBe(true)
    await writeFile(own, HEADER)
    await symlink(own, join(dir, 'link.csv'))
    await link(own, join(dir, 'hard.csv'))
    await symlink(join(dir, 'ops'), join(dir, 'elsewhere'))
    expect(await isOwnProjection(join(dir, 'link.csv'), dir)).toBe(true)
    expect(await isOwnProjection(join(dir, 'hard.csv'), dir)).toBe(true)
    expect(await isOwnProjection(join(dir, 'elsewhere/signal_latency.csv'), dir)).toBe(true)
  })

  test('are no others: neither in another folder nor of another name', async () => {
    await writeFile(join(dir, 'signal_latency.csv'), HEADER)
    expect(await isOwnProjection(join(dir, 'signal_latency.csv'), dir)).toBe(false)
    expect(await isOwnProjection(join(dir, 'ops/router.csv'), dir)).toBe(false)
  })
})
