import { parseArgs } from 'node:util'
import { admitKafkaPatient } from './faults/kafka-patient.ts'
import { deleteFiles, type FaultsReport, type FaultsRun, runFaults } from './faults/run-faults.ts'
import { SqlitePatient } from './faults/sqlite-patient.ts'
import { describeMachine } from './machine.ts'
import { count, markdownTable, writeSection } from './results.ts'

/**
 * `npm run faults [-- --log sqlite --kills 300 --seed 1]`: hurts a running obstream again and again, and proves from the log
 * that nothing was lost, doubled or changed. `--log kafka [--brokers 3]` starts brokers and a registry, and hurts those too.
 * Writes its section of `bench/results.md`; ends with 1 when there is a fault.
 */
interface Ward extends Pick<FaultsRun, 'admit' | 'partitions'> {
  readonly kills: number
  /** Section of the results, and how it begins. */
  readonly title: string
  readonly introduction: string
}

const { values } = parseArgs({
  options: {
    log: { type: 'string', default: 'sqlite' },
    brokers: { type: 'string', default: '3' },
    kills: { type: 'string' },
    seed: { type: 'string' },
  },
})

const wards: Readonly<Record<string, Ward>> = {
  sqlite: {
    admit: async (bed) => new SqlitePatient(bed, 2_000),
    partitions: 1,
    kills: 300,
    title: 'Kills',
    introduction: `\`obstream up\` in a process of its own is killed with SIGKILL at random moments, while it starts and while it runs, and started
again; a router and a file are measured meanwhile. After each kill a copy of the log, as the crash has left it, is hashed;
at the end those hashes, what an outside reader was given, the rows of the file, a count of the samples by simpler means,
a fold without faults and \`obstream replay --check\` must all agree with the log.`,
  },
  kafka: {
    admit: (bed) => admitKafkaPatient(bed, values.brokers === '1' ? 1 : 3),
    partitions: 4,
    kills: 100,
    title: 'Faults on Kafka',
    introduction: `Services in processes of their own, two of them rollups that share four partitions, on ${values.brokers === '1' ? 'one broker' : 'three brokers'} of Apache Kafka
and a schema registry; a router and a file are measured meanwhile, and somebody else writes samples too. They, the brokers,
the registry and the connections are hurt as the table says. At the end what an outside reader was given, each sample that
was acknowledged, the rows of the file, a count of the samples by simpler means, a fold without faults and
\`obstream replay --check\` must all agree with the log; and again after all commits of the services are lost.`,
  },
}

const ward = wards[values.log]
if (ward === undefined) throw new Error(`--log ${values.log} is none of ${Object.keys(wards).join(', ')}`)
const kills = Number(values.kills ?? ward.kills)
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(values.seed)

console.log(`${kills} times, seed ${seed} (again with --seed ${seed})`)
const report = await runFaults({
  ...ward,
  hurts: kills,
  seed,
  onHurt: (hurt, what) => {
    if (values.log === 'kafka' || hurt % 10 === 0) console.log(`${hurt}: ${what}`)
  },
})
for (const { kind, about } of report.faults) console.log(`FAULT ${kind}: ${about}`)
console.log(tableOf(report))
writeSection(ward.title, `${ward.introduction}\n\n${describeMachine()}.\n\n${tableOf(report)}`)
await report.patient.close()
if (report.faults.length > 0) {
  console.log(`look at ${report.dataDir}, and at the log as it was checked: ${report.logPath}`)
  process.exitCode = 1
} else deleteFiles(report)

function tableOf({ checked, ...report }: FaultsReport): string {
  const records = Object.entries(checked.counts).filter(([, records]) => records > 0)
  return markdownTable([
    ['what', 'count'],
    ['seed', String(report.seed)],
    ...[...report.hurts].toSorted().map(([what, times]) => [what, count(times)]),
    ['duration', `${count(report.seconds)} s`],
    ['rows of the csv file, each published', count(report.rows)],
    ['records that a reader was given or a writer was acknowledged, each still there', count(report.observed)],
    ...records.map(([topic, records]) => [topic, count(records)]),
    ['copies of facts that readers drop', count(checked.copies)],
    ['facts equal after a fold without faults', count(checked.refoldedEqual)],
    ['messages to receivers, each arrived', count(checked.messages)],
    ['requests with them', count(report.evidence.told!.arrivals.length)],
    ['faults found', count(report.faults.length)],
  ])
}
