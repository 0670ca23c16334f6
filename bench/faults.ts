import { rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { parseArgs } from 'node:util'
import { type FaultsReport, runFaults } from './faults/run-faults.ts'
import { describeMachine } from './machine.ts'
import { count, markdownTable, writeSection } from './results.ts'

/**
 * `npm run faults [-- --kills 300 --seed 1]`: kills a running obstream again and again, and proves from the log that nothing
 * was lost, doubled or changed. Writes its section of `bench/results.md`; ends with 1 when there is a fault.
 */
const INTRODUCTION = `\`obstream up\` in a process of its own is killed with SIGKILL at random moments, while it starts and while it runs, and started
again; a router and a file are measured meanwhile. After each kill a copy of the log, as the crash has left it, is hashed;
at the end those hashes, what an outside reader was given, the rows of the file, a count of the samples by simpler means,
a fold without faults and \`obstream replay --check\` must all agree with the log.`

const { values } = parseArgs({
  options: { kills: { type: 'string', default: '300' }, seed: { type: 'string' } },
})
const kills = Number(values.kills)
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(values.seed)

console.log(`${kills} kills, seed ${seed} (again with --seed ${seed})`)
const report = await runFaults({
  kills,
  seed,
  longestLifeMs: 2_000,
  onKill: (kill) => {
    if (kill % 10 === 0) console.log(`killed ${kill} times`)
  },
})
for (const { kind, about } of report.faults) console.log(`FAULT ${kind}: ${about}`)
console.log(tableOf(report))
writeSection('Kills', `${INTRODUCTION}\n\n${describeMachine()}.\n\n${tableOf(report)}`)
if (report.faults.length > 0) {
  console.log(`look at ${report.dataDir}, and at the log as it was checked: ${report.logPath}`)
  process.exitCode = 1
} else for (const folder of [report.dataDir, dirname(report.logPath)]) rmSync(folder, { recursive: true })

function tableOf({ checked, ...report }: FaultsReport): string {
  const records = Object.entries(checked.counts).filter(([, records]) => records > 0)
  return markdownTable([
    ['what', 'count'],
    ['seed', String(report.seed)],
    ['SIGKILLs while starting', count(report.killedStarting)],
    ['SIGKILLs while running', count(report.killedRunning)],
    ['duration', `${count(report.seconds)} s`],
    ['rows of the csv file, each published', count(report.rows)],
    ['records that a reader was given meanwhile, each still there', count(report.observed)],
    ...records.map(([topic, records]) => [topic, count(records)]),
    ['copies of facts that readers drop', count(checked.copies)],
    ['facts equal after a fold without faults', count(checked.refoldedEqual)],
    ['faults found', count(report.faults.length)],
  ])
}
