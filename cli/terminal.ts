import { closeSync, openSync } from 'node:fs'
import { styleText } from 'node:util'

/** Where a command's text goes. */
export interface Streams {
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream
}

/**
 * What a command says. stdout is for results that another program may read: one JSON object, or the table or lines that
 * were asked for. Everything else goes to stderr. Colour only on a terminal, never with `NO_COLOR`.
 */
export class Terminal {
  readonly #streams: Streams
  readonly #quiet: boolean
  readonly json: boolean

  constructor(streams: Streams, options: { readonly quiet: boolean; readonly json: boolean }) {
    this.#streams = streams
    this.#quiet = options.quiet
    this.json = options.json
  }

  /** One JSON object on one line of stdout. */
  summary(result: object): void {
    this.print(JSON.stringify(result))
  }

  /** A line of the result. */
  print(line: string): void {
    this.#streams.stdout.write(`${line}\n`)
  }

  /** For people; `--quiet` leaves it out. */
  note(line: string): void {
    if (!this.#quiet) this.#streams.stderr.write(`${line}\n`)
  }

  warn(line: string): void {
    this.#streams.stderr.write(`${this.#style('yellow', 'warning:')} ${line}\n`)
  }

  error(line: string): void {
    this.#streams.stderr.write(`${this.#style('red', 'error:')} ${line}\n`)
  }

  /** Whether people watch, so that a live view or a progress bar makes sense. */
  get isInteractive(): boolean {
    return !this.#quiet && this.#isOnTerminal
  }

  /** Whether the terminal that this was started on has been closed. */
  get isGone(): boolean {
    if (!this.#isOnTerminal) return false
    try {
      closeSync(openSync('/dev/tty', 'r'))
      return false
    } catch {
      return true
    }
  }

  get #isOnTerminal(): boolean {
    return (this.#streams.stderr as NodeJS.WriteStream).isTTY === true
  }

  #style(colour: 'yellow' | 'red', text: string): string {
    return styleText(colour, text, { stream: this.#streams.stderr as NodeJS.WriteStream })
  }
}

/** Columns as wide as their widest cell; numbers should come as text. The first row is the head. */
export function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => [...(row[column] ?? '')].length)))
  return rows.map((row) =>
    row
      .map((cell, column) => cell + ' '.repeat(widths[column]! - [...cell].length))
      .join('  ')
      .trimEnd(),
  )
}
