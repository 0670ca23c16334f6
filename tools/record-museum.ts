/**
 * Records an exhibit of the museum in `tests/replay/museum`: the log of a scenario, and the hashes of what this build says
 * about it. Named by the engine; one that is there already is only replaced with `--overwrite`.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { sha256Hex } from '#lib/codec/sha256.ts'
import { openMemoryLog } from '#lib/eventlog/memory.ts'
import { ENGINE } from '#lib/plan.ts'
import { MUSEUM, writeExhibit } from '#tests/replay/exhibit.ts'
import { digests, RecordedDesk } from '#tests/replay/recorded-desk.ts'
import { BEGINS_AT, plansOf, scenario } from '#tests/replay/scenario.ts'
import { ManualClock } from '#tests/support/manual-clock.ts'

const { values } = parseArgs({
  options: { overwrite: { type: 'boolean', default: false }, partitions: { type: 'string', default: '3' } },
})
const name = `engine-${ENGINE}`
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
const plans = plansOf()
await desk.publish(plans.friday, plans.sunday)
await desk.play(scenario(plans))
const artefacts = readdirSync(dataDir, { recursive: true, encoding: 'utf8' })
  .filter((path) => statSync(join(dataDir, path)).isFile())
  .toSorted()
  .map((path) => [path, sha256Hex(readFileSync(join(dataDir, path)))])
const expected = { engine: ENGINE, topics: await digests(desk.env), artefacts: Object.fromEntries(artefacts) }
await writeExhibit(name, log, clock.now(), expected)
await desk.env.close()
rmSync(dataDir, { recursive: true })
console.log(`${name}: ${statSync(join(MUSEUM, name, 'log.jsonl.gz')).size} bytes`)
console.log(JSON.stringify(expected, null, 2))
