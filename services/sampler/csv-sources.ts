import { join } from 'node:path'
import type { Config, CsvSource } from '#lib/config.ts'
import { ObstreamError } from '#lib/errors.ts'
import type { RunLogger } from '#lib/runtime/run.ts'
import { isOwnProjection } from './adapters/csv-file.ts'
import { CsvTail } from './adapters/csv-tail.ts'
import type { PlacedFault } from './adapters/open-csv.ts'
import type { CsvCursor } from './csv-cursor.ts'
import type { SamplerCounters } from './metrics.ts'

/** So many faults of one source are told one by one; the others are counted. */
const FAULTS_TOLD = 20

/** The csv sources of a configuration, and what is wrong with their files. */
export class CsvSources {
  readonly #config: Config
  readonly #logger: RunLogger
  readonly #counters: SamplerCounters
  readonly #faultCounts = new Map<string, number>()

  constructor(config: Config, logger: RunLogger, counters: SamplerCounters) {
    this.#config = config
    this.#logger = logger
    this.#counters = counters
  }

  /** Faults of a source since the start: lines, or a whole file, that could not be used. */
  faultCount(source: string): number {
    return this.#faultCounts.get(source) ?? 0
  }

  /** @throws OBS_CONFIG_INVALID when a source reads what obstream writes */
  async refuseOwnProjections(): Promise<void> {
    for (const source of this.#config.sources)
      if (source.kind === 'csv' && (await this.#isOwn(source.path)))
        throw new ObstreamError(
          'OBS_CONFIG_INVALID',
          `source ${source.id} reads ${source.path}, which obstream itself writes from the log; name the file of the program that measures`,
        )
  }

  tail(source: CsvSource, cursor: CsvCursor | null): CsvTail {
    return new CsvTail({
      source: source.id,
      path: source.path,
      cursor,
      report: (fault) => this.#report(source, fault),
      isRefused: (path) => this.#isOwn(path),
    })
  }

  #isOwn(path: string): Promise<boolean> {
    const { dataDir, jobs } = this.#config
    return isOwnProjection(path, dataDir, [join(dataDir, jobs.latency.rollupOutput)])
  }

  #report({ id, path }: CsvSource, fault: PlacedFault): void {
    const count = this.faultCount(id) + 1
    this.#faultCounts.set(id, count)
    this.#counters.csvFault()
    if (count > FAULTS_TOLD) return
    const { line, column, offset, message } = fault
    const place = line === null ? path : `${path}:${line}${column === null ? '' : `:${column}`}`
    const last = count === FAULTS_TOLD ? ' (further faults of this source are only counted)' : ''
    this.#logger.warn({ source: id, path, line, column, offset }, `${place}: ${message}${last}`)
  }
}
