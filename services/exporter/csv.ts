/** A number is written in digits; `null` is an empty cell; text may need quotes. */
export type Cell = string | number | null

/** A spreadsheet takes a cell that starts like this for a formula and runs it. */
const EXECUTABLE = /^[=+\-@\t\r]/
const NEEDS_QUOTES = /[",\r\n]/

/**
 * One line of CSV as RFC 4180 has it, ended by LF. Text that a spreadsheet would execute gets a `'` in front; numbers are
 * ours and stay as they are.
 */
export function csvLine(cells: readonly Cell[]): string {
  return `${cells.map(csvCell).join(',')}\n`
}

function csvCell(cell: Cell): string {
  if (cell === null) return ''
  if (typeof cell === 'number') return String(cell)
  const text = EXECUTABLE.test(cell) ? `'${cell}` : cell
  return NEEDS_QUOTES.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** Order of text in files: by UTF-16 code units, the same in every locale. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
