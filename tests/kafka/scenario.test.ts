import { mkdtempSync, readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { openKafkaLog } from '#lib/eventlog/kafka/kafka-log.ts'
import { sha256Hex } from '#lib/codec/sha256.ts'
import { ManualClock } from '#tests/support/manual-clock.ts'
import { digests, RecordedDesk } from '#tests/replay/recorded-desk.ts'
import { BEGINS_AT, plansOf, scenario } from '#tests/replay/scenario.ts'
import { randomUUID } from 'node:crypto'

const plans = plansOf()
async function played(kafka: boolean, partitions: number) {
  const clock = new ManualClock(BEGINS_AT)
  const dataDir = mkdtempSync(join(tmpdir(), 'obstream-laws-'))
  const log = kafka ? { log: await openKafkaLog({ clock, brokers: ['127.0.0.1:19092'], prefix: `${randomUUID().slice(0,8)}.`, partitions, clientId: 'x' }) } : {}
  const desk = await RecordedDesk.open(clock, { dataDir, partitions, ...log })
  await desk.publish(plans.friday, plans.sunday)
  await desk.play(scenario(plans), 500)
  const files: Record<string, string> = {}
  for (const path of (await readdir(join(dataDir, 'ops'), { recursive: true })).toSorted())
    if (/\.(csv|json|log)$|SHA256SUMS$/.test(path)) files[path] = sha256Hex(readFileSync(join(dataDir, 'ops', path)))
  const result = { facts: await digests(desk.env), files }
  await desk.env.close()
  return result
}
test('kafka as memory', async () => {
  const expected = await played(false, 1)
  console.error(JSON.stringify(expected, null, 1).slice(0, 400))
  expect(await played(true, 1)).toEqual(expected)
  expect(await played(true, 8)).toEqual(expected)
}, 200000)
