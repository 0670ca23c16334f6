import { spawnSync } from 'node:child_process'
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { type Cell, csvLine } from '#services/exporter/csv.ts'

test('cells are separated by commas and the line ends with LF', () => {
  expect(csvLine(['a', 1, null, 'b'])).toBe('a,1,,b\n')
})

test('only cells with a comma, a quote or a line break are quoted, quotes doubled', () => {
  expect(csvLine(['a,b', 'say "hi"', 'two\nlines', 'c\r', ' spaces ', ''])).toBe(
    '"a,b","say ""hi""","two\nlines","c\r", spaces ,\n',
  )
})

test.each(['=1+1', '+1', '-1', '@cmd', '\tx', '\rx'])(
  'text that a spreadsheet would execute gets an apostrophe: %j',
  (text) => {
    expect(pythonRows(csvLine([text]))).toEqual([[`'${text}`]])
  },
)

test('a number is never taken for a formula', () => {
  expect(csvLine([-5, '-5'])).toBe("-5,'-5\n")
})

test("Python's csv module reads back every cell, and none of text can be executed", () => {
  const text = fc.string({ unit: fc.constantFrom('a', ',', '"', '\n', '\r', '=', '-', "'", ' ', 'é', '口') })
  const cell = fc.oneof(text, fc.nat(), fc.constant(null))
  const rows = fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 30 })
  fc.assert(
    fc.property(rows, (cells) => {
      const expected = cells.map((row) => row.map(asText))
      expect(pythonRows(cells.map(csvLine).join(''))).toEqual(expected)
    }),
    { numRuns: 15 },
  )
})

function asText(cell: Cell): string {
  if (typeof cell !== 'string') return cell === null ? '' : String(cell)
  return /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell
}

function pythonRows(csv: string): unknown {
  const script =
    'import csv,io,json,sys; print(json.dumps(list(csv.reader(io.StringIO(sys.stdin.buffer.read().decode(), newline="")))))'
  const run = spawnSync('python3', ['-c', script], { input: csv, encoding: 'utf8' })
  if (run.status !== 0) throw new Error(run.stderr)
  return JSON.parse(run.stdout)
}
