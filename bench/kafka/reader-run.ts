import type { HourLine } from '../rollup/peer.ts'

/** How one program fared with all records of the topic. */
export interface ReaderRun {
  readonly seconds: number
  readonly cpuSeconds: number
  readonly peakRssMiB: number
  /** Ascending; `null`: it computes nothing. */
  readonly lines: readonly HourLine[] | null
}
