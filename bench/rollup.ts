import { copyFileSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { runChild } from './child.ts'
import { count, markdownTable, median, rate } from './results.ts'
import { runDuckDb } from './rollup/duckdb.ts'
import type { FoldRun } from './rollup/fold.ts'
import { writeScene } from './rollup/generate.ts'
import type { HourLine, MissingPeer, PeerRun } from './rollup/peer.ts'
import { runPostgres } from './rollup/postgres.ts'
import { readWindowLines } from './rollup/window-lines.ts'

/**
 * How fast rollup folds, beside programs that compute the same hours from the same samples. Prints its section of the
 * results; ends with 1 when one of them computes something else.
 */

const SOURCE_COUNTS = [16, 1_000]
const RUNS = 3
/** What a window's figures are compared in. */
const COMPARED = 'count, errors, p50, p95 and max'

const { values } = parseArgs({ options: { samples: { type: 'string', default: '10000000' } } })

console.log(`The service itself, as \`obstream up\` runs it: reads the SQLite log, checks each batch's CRC32C, drops copies by their id, counts,
and appends each closed window, durable, with the ids it holds. One probe of each source and one tick each second, windows
of an hour; one sample in a hundred comes twice. "Wall" is from the open log to the last window and the progress on the
disk, the median of ${RUNS} runs, each in a fresh process. The peers read the same samples from a file or a table of their own and
write the same hours (${COMPARED}) to a file; loading is not counted.`)
for (const sourceCount of SOURCE_COUNTS) await measure(sourceCount, Number(values.samples))

async function measure(sourceCount: number, samples: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'obstream-bench-rollup-'))
  try {
    const logPath = join(folder, 'log.db')
    const csvPath = join(folder, 'samples.csv')
    const size = await writeScene({ sourceCount, samples, logPath, csvPath })
    const runs: FoldRun[] = []
    const folded = join(folder, 'folded.db')
    for (let i = 0; i < RUNS; i++) {
      for (const suffix of ['', '-wal', '-shm']) rmSync(`${folded}${suffix}`, { force: true })
      copyFileSync(logPath, folded)
      runs.push(await runChild<FoldRun>(new URL('rollup/fold.ts', import.meta.url), [folded]))
    }
    const ours = runOf(runs)
    const { lines, others } = await readWindowLines(folded)
    const peers = [...runDuckDb(folder, csvPath), runPostgres(folder, csvPath)]
    console.log(`
### ${count(sourceCount)} sources, ${count(size.samples)} samples, ${count(size.ticks)} ticks

${tableOf(ours, size.samples, peers)}

${correctness(lines, others, peers)}
The log is ${count(statSync(logPath).size / 1e6)} MB, the CSV file ${count(statSync(csvPath).size / 1e6)} MB.`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function runOf(runs: readonly FoldRun[]): FoldRun {
  return {
    wallSeconds: median(runs.map(({ wallSeconds }) => wallSeconds)),
    cpuSeconds: median(runs.map(({ cpuSeconds }) => cpuSeconds)),
    peakRssMiB: Math.max(...runs.map(({ peakRssMiB }) => peakRssMiB)),
  }
}

function tableOf(ours: FoldRun, samples: number, peers: readonly (PeerRun | MissingPeer)[]): string {
  const { wallSeconds, cpuSeconds, peakRssMiB } = ours
  return markdownTable([
    ['who', 'wall', 'CPU', 'peak RSS', 'samples a second', 'obstream is'],
    ['obstream rollup', ...figures(wallSeconds, cpuSeconds, peakRssMiB), rate(samples / wallSeconds), ''],
    ...peers.map((peer) => {
      if ('missing' in peer) return [peer.name, `MISSING: ${peer.missing}`, '', '', '', '']
      const { name, seconds, cpuSeconds, peakRssMiB } = peer
      return [name, ...figures(seconds, cpuSeconds, peakRssMiB), rate(samples / seconds), ratio(seconds / wallSeconds)]
    }),
  ])
}

function figures(wallSeconds: number, cpuSeconds: number | null, peakRssMiB: number | null): readonly string[] {
  return [
    `${wallSeconds.toFixed(2)} s`,
    cpuSeconds === null ? '' : `${cpuSeconds.toFixed(2)} s`,
    peakRssMiB === null ? '' : `${count(peakRssMiB)} MiB`,
  ]
}

function ratio(times: number): string {
  return times >= 1 ? `${times.toFixed(2)} times as fast` : `${(1 / times).toFixed(2)} times slower`
}

function correctness(lines: readonly HourLine[], others: number, peers: readonly (PeerRun | MissingPeer)[]): string {
  const verdicts = peers.flatMap((peer) => {
    if ('missing' in peer) return []
    const different = differences(lines, peer.lines)
    if (different > 0) process.exitCode = 1
    return different === 0 ? [] : [`${peer.name} differs in ${count(different)}`]
  })
  if (others > 0) {
    process.exitCode = 1
    verdicts.push(`rollup told ${count(others)} things more`)
  }
  const compared = new Set(peers.flatMap((peer) => ('missing' in peer ? [] : [peer.name.split(',')[0]])))
  if (compared.size === 0) return 'Correctness: NOT COMPARED, no peer is installed.'
  const against = [...compared].join(' and ')
  return `Correctness: ${count(lines.length)} hours of a source, ${COMPARED}, against ${against}: ${verdicts.length === 0 ? 'all equal.' : `${verdicts.join('; ')}.`}`
}

function differences(a: readonly HourLine[], b: readonly HourLine[]): number {
  const [left, right] = [new Set(a), new Set(b)]
  return a.filter((line) => !right.has(line)).length + b.filter((line) => !left.has(line)).length
}
