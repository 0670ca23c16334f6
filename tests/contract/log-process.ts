import { setTimeout as wait } from 'node:timers/promises'
import { openSqliteLog } from '#lib/eventlog/sqlite.ts'
import { systemClock } from '#lib/runtime/clock.ts'

/**
 * Another process on a SQLite log, for tests: `node log-process.ts <append|hold> <path> <topic> [how many]`.
 *
 * `append` appends batches of three records whose value is their number, and prints each base offset once it is
 * acknowledged; an error's code ends it. `hold` joins the group `rollup`, prints `held` and waits to be killed.
 */
const [task, path, topic, count = 'Infinity'] = process.argv.slice(2) as [string, string, string, string?]
const say = (line: string | number): void => void process.stdout.write(`${line}\n`)

try {
  const log = openSqliteLog({ path, clock: systemClock, partitions: 1 })
  if (task === 'hold') {
    await log.subscribe('rollup', topic, { assigned: async () => 0, batch: async () => null, revoked: () => {} })
    say('held')
    await wait(60_000)
  }
  for (let i = 0; i < Number(count); i++) {
    const records = [0, 1, 2].map((k) => ({ key: Buffer.from(`k${k}`), value: Buffer.from(`${i * 3 + k}`) }))
    say((await log.append(topic, 0, records)).baseOffset)
  }
  await log.close()
} catch (error) {
  say((error as { code: string }).code)
}
