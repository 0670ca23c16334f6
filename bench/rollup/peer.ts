/** One hour of one source as every side of the comparison writes it: `source,hour,count,errors,p50,p95,max`. */
export type HourLine = string

/** How somebody else fared with the same samples. */
export interface PeerRun {
  /** Of the program, with its version and how it read the samples. */
  readonly name: string
  readonly seconds: number
  /** `null`: not of one process, or not known. */
  readonly cpuSeconds: number | null
  readonly peakRssMiB: number | null
  /** Ascending. */
  readonly lines: readonly HourLine[]
}

/** A peer that could not take part, and what would bring it. */
export interface MissingPeer {
  readonly name: string
  readonly missing: string
}

/** Lines of a file that a peer has written, in the order that all sides use. */
export function sortedLines(text: string): readonly HourLine[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .toSorted()
}
