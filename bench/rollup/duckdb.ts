import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type MissingPeer, type PeerRun, sortedLines } from './peer.ts'

const SCRIPT = fileURLToPath(new URL('duckdb.py', import.meta.url))

/** Runs DuckDB over the samples: a Python with the package `duckdb`, `OBS_BENCH_PYTHON` or else `python3`. */
export function runDuckDb(folder: string, csvPath: string): readonly (PeerRun | MissingPeer)[] {
  const python = process.env['OBS_BENCH_PYTHON'] ?? 'python3'
  if (spawnSync(python, ['-c', 'import duckdb']).status !== 0)
    return [{ name: 'DuckDB', missing: `\`pip install duckdb\` in a venv, and its Python as OBS_BENCH_PYTHON` }]
  const result = join(folder, 'duckdb.csv')
  const { status, stdout, stderr } = spawnSync(python, [SCRIPT, csvPath, join(folder, 'samples.parquet'), result], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`DuckDB ended with ${status}:\n${stderr}`)
  const lines = sortedLines(readFileSync(result, 'utf8'))
  return stdout
    .trim()
    .split('\n')
    .map((line) => {
      const { name, seconds, cpu, rss } = JSON.parse(line)
      return { name, seconds, cpuSeconds: cpu, peakRssMiB: rss, lines }
    })
}
