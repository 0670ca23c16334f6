/**
 * Records an exhibit of the museum in `tests/replay/museum`: the log of a scenario, and the hashes of what this build says
 * about it. Named by the engine, and by the number of sources when `--sources` tells one; an exhibit that is there already
 * is only replaced with `--overwrite`. Of each engine there are two: `engine-1` and `engine-1-50-sources`.
 */
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openMemoryLog } from '#lib/eventlog/memory.ts'
import { ENGINE } from '#lib/plan.ts'
import { MUSEUM, writeExhibit } from '#tests/replay/exhibit.ts'
import { outcomeOf } from '#tests/replay/outcome.ts'
import { RecordedDesk } from '#tests/replay/recorded-desk.ts'
import { BEGINS_AT, plansOf, scenario } from '#tests/replay/scenario.ts'
import { ManualClock } from '#tests/support/manual-clock.ts'

const { values } = parseArgs({
  options: {
    overwrite: { type: 'boolean', default: false },
    partitions: { type: 'string', default: '3' },
    sources: { type: 'string' },
  },
})
const name = values.sources === undefined ? `engine-${ENGINE}` : `engine-${ENGINE}-${values.sources}-sources`
if (existsSync(join(MUSEUM, name)) && !values.overwrite) {
  console.error(
    `${name} is in the museum. Behaviour that was released stays: raise ENGINE in lib/plan.ts, then record.`,
  )
  console.error('Only an exhibit that was never released may be replaced, with --overwrite.')
  process.exit(1)
}

const dataDir = mkdtempSync(join(tmpdir(), 'obstream-museum-'))
const clock = new ManualClock(BEGINS_AT)
const log = openMemoryLog({ clock, partitions: Number(values.partitions) })
const desk = await RecordedDesk.open(clock, { dataDir, log })
const plans = plansOf(ENGINE, values.sources === undefined ? undefined : Number(values.sources))
await desk.publish(plans.friday, plans.sunday)
await desk.play(scenario(plans))
const expected = { engine: ENGINE, ...(await outcomeOf(desk)) }
await writeExhibit(name, log, clock.now(), expected)
await desk.env.close()
rmSync(dataDir, { recursive: true })
console.log(`${name}: ${statSync(join(MUSEUM, name, 'log.jsonl.gz')).size} bytes`)
console.log(JSON.stringify(expected, null, 2))
