import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HOUR_MS, type Instant } from '#lib/time.ts'
import type { AlertRun } from './alerter/fold.ts'
import { writeWindows } from './alerter/windows.ts'
import { runChild } from './child.ts'
import { count, markdownTable, rate } from './results.ts'

/** How fast the alerter folds windows. Prints its section of the results. */

const SOURCES = 1_000
const HOURS = 240
/** 2026-06-01T00:00:00Z */
const BEGIN_AT: Instant = 1_780_272_000_000
const BAD_HOURS = 3
const EVERY_HOURS = 12

const folder = mkdtempSync(join(tmpdir(), 'obstream-bench-alerter-'))
try {
  const path = join(folder, 'log.db')
  await writeWindows(path, {
    sourceCount: SOURCES,
    windowCount: HOURS,
    beginAt: BEGIN_AT,
    lengthMs: HOUR_MS,
    isBad: (source, hour) => (hour + source) % EVERY_HOURS < BAD_HOURS,
  })
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
