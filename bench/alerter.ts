import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AlertRun } from './alerter/fold.ts'
import { writeWindows } from './alerter/windows.ts'
import { runChild } from './child.ts'
import { count, markdownTable, rate } from './results.ts'

/** How fast the alerter folds windows. Prints its section of the results. */

const SOURCES = 1_000
const HOURS = 240

const folder = mkdtempSync(join(tmpdir(), 'obstream-bench-alerter-'))
try {
  const path = join(folder, 'log.db')
  await writeWindows(path, SOURCES, HOURS)
  const run = await runChild<AlertRun>(new URL('alerter/fold.ts', import.meta.url), [path])
  const { windows, alerts, wallSeconds, cpuSeconds, peakRssMiB } = run
  console.log(`${count(SOURCES)} sources, ${HOURS} hours, four samples an hour; every source has three bad hours in twelve, so alerts open, escalate,
are reminded and resolve. One process, on the SQLite log, every transition durable and the progress committed.

${markdownTable([
  ['windows', 'alert records', 'wall', 'CPU', 'peak RSS', 'windows a second'],
  [
    count(windows),
    count(alerts),
    `${wallSeconds.toFixed(1)} s`,
    `${cpuSeconds.toFixed(1)} s`,
    `${count(peakRssMiB)} MiB`,
    rate(windows / wallSeconds),
  ],
])}`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
