import type { FileHandle } from 'node:fs/promises'
import { MAX_LINE_BYTES } from '../csv-rows.ts'

/** A complete line of a file: one that a line feed ends. */
export interface FileLine {
  /** Without line feed and carriage return; cut off when the line is too long. Valid until the next block is read. */
  readonly bytes: Buffer
  readonly isTooLong: boolean
  /** Where it begins, in bytes. */
  readonly offset: number
  /** From 1. */
  readonly line: number
}

/** The start of a line. */
export interface LinePlace {
  /** In bytes. */
  readonly offset: number
  /** Lines before it. */
  readonly line: number
}

export const FILE_START: LinePlace = { offset: 0, line: 0 }

const BLOCK_BYTES = 262_144
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
/** One byte for a carriage return and one to see that a line is too long. */
const KEPT_BYTES = MAX_LINE_BYTES + 2

/**
 * Reads the complete lines of a file block by block, in bounded memory however large the file or a line is. A last line
 * without a line feed may still be under way and is left until it is complete.
 */
export class LineReader {
  readonly #file: FileHandle
  readonly #endAt: number
  readonly #block = Buffer.allocUnsafe(BLOCK_BYTES)
  /** The begin of a line whose end has not been read. */
  #begun = Buffer.alloc(0)
  #place: LinePlace
  #readAt: number

  /** @param endAt nothing from this byte on is read; default: the end of the file, wherever it is when it is reached */
  constructor(file: FileHandle, from: LinePlace, endAt = Number.POSITIVE_INFINITY) {
    this.#file = file
    this.#place = from
    this.#readAt = from.offset
    this.#endAt = endAt
  }

  /** Behind the last complete line. */
  get place(): LinePlace {
    return this.#place
  }

  /** Whether something stands behind the last complete line. */
  get isWithinLine(): boolean {
    return this.#readAt > this.#place.offset
  }

  /** The lines that the next block completes, perhaps none; `null` at the end. Later there may be more. */
  async next(): Promise<readonly FileLine[] | null> {
    const wanted = Math.min(BLOCK_BYTES, this.#endAt - this.#readAt)
    if (wanted <= 0) return null
    const { bytesRead } = await this.#file.read(this.#block, 0, wanted, this.#readAt)
    if (bytesRead === 0) return null
    const lines = this.#split(this.#block.subarray(0, bytesRead))
    this.#readAt += bytesRead
    return lines
  }

  /** What stands behind the last complete line, taken for a line; `undefined`: nothing. */
  rest(): FileLine | undefined {
    return this.isWithinLine ? this.#complete(Buffer.alloc(0), this.#readAt) : undefined
  }

  #split(block: Buffer): readonly FileLine[] {
    const lines: FileLine[] = []
    let from = 0
    for (let feed = block.indexOf(LINE_FEED); feed >= 0; feed = block.indexOf(LINE_FEED, from)) {
      lines.push(this.#complete(block.subarray(from, feed), this.#readAt + feed + 1))
      from = feed + 1
    }
    this.#begun = join(this.#begun, block.subarray(from))
    return lines
  }

  #complete(rest: Buffer, endAt: number): FileLine {
    const joined = this.#begun.length === 0 ? rest : join(this.#begun, rest)
    const bytes = joined.at(-1) === CARRIAGE_RETURN ? joined.subarray(0, -1) : joined
    const { offset, line } = this.#place
    this.#begun = Buffer.alloc(0)
    this.#place = { offset: endAt, line: line + 1 }
    return { bytes, isTooLong: bytes.length > MAX_LINE_BYTES, offset, line: line + 1 }
  }
}

/** A copy of both, cut off where the line is too long already. */
function join(begun: Buffer, rest: Buffer): Buffer<ArrayBuffer> {
  return Buffer.concat([begun, rest.subarray(0, KEPT_BYTES - begun.length)])
}
