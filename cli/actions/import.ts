import { resolve } from 'node:path'
import { codecOf } from '#lib/runtime/environment.ts'
import { formatInstant } from '#lib/time.ts'
import { topics } from '#lib/topics.ts'
import { importRows } from '#services/sampler/import.ts'
import { createSamplerCounters } from '#services/sampler/metrics.ts'
import type { ImportFlags } from '../import.ts'
import type { CommandRun } from '../program.ts'
import { openDesk } from './desk.ts'
import { showProgress } from './progress.ts'

/** `obstream import FILE`. */
export const runImport: CommandRun<readonly [string, ImportFlags]> = async (session, file, flags) => {
  const env = await openDesk(session, 'import', flags)
  const bar = showProgress(session.terminal, 'bytes')
  try {
    const summary = await importRows(
      {
        file: resolve(session.dataDir, file),
        signal: session.interrupted(),
        onProgress: ({ phase, bytesDone, bytesTotal }) => bar.update(phase, bytesDone, bytesTotal),
      },
      {
        log: env.log,
        clock: env.clock,
        config: env.config,
        logger: env.logger,
        codecs: { sample: codecOf(env, topics.sample), plan: codecOf(env, topics.plan) },
        counters: createSamplerCounters(env.metrics),
      },
    )
    bar.stop()
    const { rows, sources, firstAt, lastAt, tickAt } = summary
    session.terminal.note(
      `${rows} rows of ${sources} sources are on the log; \`obstream latency\` folds them and writes the files`,
    )
    session.terminal.summary({
      rows_imported: rows,
      sources,
      first_at: formatInstant(firstAt),
      last_at: formatInstant(lastAt),
      tick_at: formatInstant(tickAt),
    })
  } finally {
    bar.stop()
    await env.close()
  }
  return undefined
}
