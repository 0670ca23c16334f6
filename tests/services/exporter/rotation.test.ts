import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { compareRows, type LatencyRow, latencyCsv } from '#services/exporter/latency-csv.ts'
import {
  emptyRotation,
  MAX_FILE_BYTES,
  type MadeFile,
  nextRotationBytes,
  type RotationJob,
  type RotationState,
  rotate,
} from '#services/exporter/rotation.ts'

const at = (time: string): number => Date.parse(time)
const DAY = 86_400_000

function job(cut: string, fields: Partial<RotationJob> = {}): RotationJob {
  const cutTickAt = at(cut)
  return {
    jobId: `${cut.replaceAll(/[-:]/g, '')}-latency`,
    cutTickAt,
    generatedAt: cutTickAt,
    rawRetentionDays: 14,
    ...fields,
  }
}

const row = (time: string, source = 'a'): LatencyRow => ({ scheduledAt: at(time), source, ordinal: 0, latencyMs: 1 })

/** A row whose line has that many bytes. */
const rowOfBytes = (bytes: number, time: string): LatencyRow =>
  row(time, 'x'.repeat(bytes - '2026-06-27T00:00:00Z,,1\n'.length))

const HEADER = 'timestamp_utc,source,latency_ms\n'.length
const sizeOf = (rows: readonly LatencyRow[]): number => latencyCsv(rows).length
const madeIn = ({ archive }: RotationState): MadeFile[] => archive.filter((file): file is MadeFile => 'rows' in file)
const pathsOf = (state: RotationState): string[] => state.archive.map((file) => file.path)

/** Ten rows of one hour whose file has that many bytes. */
function fileOf(bytes: number): LatencyRow[] {
  const rows = Array.from({ length: 9 }, (_, i) => rowOfBytes(1_000_000, `2026-06-27T10:00:0${i}Z`))
  return [...rows, rowOfBytes(bytes - HEADER - 9_000_000, '2026-06-27T10:00:09Z')]
}

describe('a file of ten million bytes', () => {
  test.each([9_999_999, 10_000_000])('%i bytes stay where they are', (bytes) => {
    const state = rotate(emptyRotation, job('2026-06-27T11:00:00Z'), fileOf(bytes))
    expect(sizeOf(state.current)).toBe(bytes)
    expect(state.currentSizeBytes).toBe(bytes)
    expect(state.archive).toEqual([])
    expect(nextRotationBytes(state.currentSizeBytes)).toBe(10_000_000 - bytes)
  })

  test('10 000 001 bytes are rotated: all but the newest row go to one file', () => {
    const rows = fileOf(10_000_001)
    const state = rotate(emptyRotation, job('2026-06-27T11:00:00Z'), rows)
    expect(madeIn(state).map((file) => file.rows.length)).toEqual([9])
    expect(state.current).toEqual(rows.slice(9))
    expect(pathsOf(state)).toEqual(['ops/signal_latency_archive/2026/06/20260627T110000Z-latency-1.csv'])
    expect(nextRotationBytes(state.currentSizeBytes)).toBe(10_000_000 - sizeOf(state.current))
  })

  test('the byte that does not fit may come with a later job', () => {
    const rows = fileOf(10_000_001)
    const before = rotate(emptyRotation, job('2026-06-27T11:00:00Z'), rows.slice(1))
    expect(before.archive).toEqual([])
    const after = rotate(before, job('2026-06-27T12:00:00Z'), rows.slice(0, 1))
    expect(madeIn(after)[0]!.rows).toEqual(rows.slice(0, 9))
  })

  test('what is many times too large becomes numbered files that are as full as they can be', () => {
    const rows = Array.from({ length: 35 }, (_, i) =>
      rowOfBytes(1_000_000, `2026-06-27T10:00:${String(i).padStart(2, '0')}Z`),
    )
    const state = rotate(emptyRotation, job('2026-06-27T11:00:00Z'), rows)
    expect(madeIn(state).map((file) => file.rows.length)).toEqual([9, 9, 9])
    expect(pathsOf(state).map((path) => path.slice(-6))).toEqual(['-1.csv', '-2.csv', '-3.csv'])
    expect(state.current).toHaveLength(8)
  })
})

test.each([
  [10_000_000, [10]],
  [10_000_001, [9, 1]],
])('an archive file may have ten million bytes and no more: %i', (bytes, rowsPerFile) => {
  const state = rotate(emptyRotation, job('2026-06-28T00:00:00Z'), fileOf(bytes))
  expect(madeIn(state).map((file) => file.rows.length)).toEqual(rowsPerFile)
  expect(state.current).toEqual([])
})

describe('midnight UTC', () => {
  const rows = [row('2026-06-27T23:59:59.999Z'), row('2026-06-28T00:00:00Z')]

  test('a cut one millisecond before it keeps the day in the current file', () => {
    const state = rotate(emptyRotation, job('2026-06-27T23:59:59.999Z'), rows)
    expect(state.current).toEqual(rows)
    expect(state.archive).toEqual([])
  })

  test('a cut at midnight moves the day before to the archive', () => {
    const state = rotate(emptyRotation, job('2026-06-28T00:00:00Z'), rows)
    expect(state.current).toEqual(rows.slice(1))
    expect(madeIn(state)[0]!.rows).toEqual(rows.slice(0, 1))
  })

  test('the folder is year and month of the cut, not of the rows', () => {
    const state = rotate(emptyRotation, job('2027-01-01T00:15:00Z'), [row('2026-12-31T23:45:00Z')])
    expect(pathsOf(state)).toEqual(['ops/signal_latency_archive/2027/01/20270101T001500Z-latency-1.csv'])
  })

  test('a late row of an earlier day goes straight to the archive, beside what is there', () => {
    const first = rotate(emptyRotation, job('2026-06-28T00:00:00Z'), rows)
    const second = rotate(first, job('2026-06-28T00:15:00Z'), [row('2026-06-20T12:00:00Z')])
    expect(madeIn(second).map((file) => file.rows.length)).toEqual([1, 1])
    expect(second.archive[0]).toBe(first.archive[0])
  })

  test('a day that is rotated while today is too large: yesterday first, then today, in one numbering', () => {
    const state = rotate(emptyRotation, job('2026-06-27T11:00:00Z'), [
      row('2026-06-26T10:00:00Z'),
      ...fileOf(10_000_001),
    ])
    expect(madeIn(state).map((file) => [file.path.at(-5), file.rows.length])).toEqual([
      ['1', 1],
      ['2', 9],
    ])
  })
})

describe('retention of archive files', () => {
  const yesterday = [row('2026-06-26T10:00:00Z'), row('2026-06-26T22:00:00Z')]
  const made = rotate(emptyRotation, job('2026-06-27T00:00:00Z'), yesterday)

  test('counts from the newest row of the file to the now of the job', () => {
    const kept = rotate(made, job('2026-07-10T22:00:00Z'), [])
    expect(kept.archive).toHaveLength(1)
    const gone = rotate(made, job('2026-07-10T22:00:00.001Z'), [])
    expect(gone.archive).toEqual([])
    expect(gone.retired).toEqual(pathsOf(made))
  })

  test('a file that is gone stays gone when a later job keeps files longer', () => {
    const gone = rotate(made, job('2026-07-11T00:00:00Z'), [])
    const later = rotate(gone, job('2026-07-11T00:15:00Z', { rawRetentionDays: 400 }), [])
    expect(later.archive).toEqual([])
    expect(later.retired).toEqual(pathsOf(made))
  })

  test('a file that is too old when it is made is never kept', () => {
    const state = rotate(emptyRotation, job('2026-06-27T00:00:00Z'), [row('2026-01-01T00:00:00Z')])
    expect(state.archive).toEqual([])
    expect(state.retired).toEqual(['ops/signal_latency_archive/2026/06/20260627T000000Z-latency-1.csv'])
  })
})

describe('whatever the jobs and rows', () => {
  const start = at('2026-06-27T20:00:00Z')
  const rows = fc.array(
    fc.record({
      scheduledAt: fc.nat(3 * DAY).map((ms) => start - DAY + ms),
      source: fc.constantFrom('a', 'b'),
      ordinal: fc.nat(),
      latencyMs: fc.nat(9),
    }),
    { maxLength: 6 },
  )
  const steps = fc.array(fc.record({ afterMs: fc.nat(DAY / 2), rows }), { maxLength: 8 })

  test('every row is in exactly one file, files are sorted and no row of an earlier day is current', () => {
    fc.assert(
      fc.property(steps, (plan) => {
        let cutAt = start
        let state = emptyRotation
        for (const [i, step] of plan.entries()) {
          cutAt += step.afterMs
          state = rotate(
            state,
            job(new Date(cutAt).toISOString(), { jobId: `job-${i}`, rawRetentionDays: 400 }),
            step.rows,
          )
          expect(state.currentSizeBytes).toBe(sizeOf(state.current))
          for (const file of [state.current, ...madeIn(state).map((one) => one.rows)]) {
            expect(file).toEqual(file.toSorted(compareRows))
            expect(sizeOf(file)).toBeLessThanOrEqual(MAX_FILE_BYTES)
          }
          expect(state.current.every((one) => one.scheduledAt >= Math.floor(cutAt / DAY) * DAY)).toBe(true)
        }
        const all = [...madeIn(state).flatMap((file) => file.rows), ...state.current]
        expect(all.toSorted(byText)).toEqual(plan.flatMap((step) => step.rows).toSorted(byText))
        expect(new Set(pathsOf(state)).size).toBe(state.archive.length)
      }),
    )
  })
})

function byText(a: LatencyRow, b: LatencyRow): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1
}
