import { readFileSync, rmSync } from 'node:fs'
import { mkdtemp, readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from '@jest/globals'
import { sha256Hex } from '#lib/codec/sha256.ts'
import { exitCodes } from '#lib/errors.ts'
import { holdFileLock } from '#lib/eventlog/file-lock.ts'
import { openSqliteLog } from '#lib/eventlog/sqlite.ts'
import { RecordedDesk } from '#tests/replay/recorded-desk.ts'
import { BEGINS_AT, plansOf, scenario } from '#tests/replay/scenario.ts'
import { runBin } from '#tests/support/bin.ts'
import { freshDesk } from '#tests/support/desk.ts'
import { ManualClock } from '#tests/support/manual-clock.ts'

let dataDir: string

/** A desk whose log, in a file, holds two days with midnight and an archive. */
beforeAll(async () => {
  dataDir = freshDesk()
  const clock = new ManualClock(BEGINS_AT)
  const log = openSqliteLog({ path: join(dataDir, 'log/obstream.db'), clock, partitions: 1 })
  const desk = await RecordedDesk.open(clock, { dataDir, log })
  await desk.publish(plansOf().friday, plansOf().sunday)
  await desk.play(scenario(plansOf(), Date.parse('2026-06-27T16:00:00Z')))
  await desk.env.close()
})

async function artefacts(folder: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const entry of await readdir(join(folder, 'ops'), { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile() && !path.endsWith('.lock')) found[path.slice(folder.length + 1)] = sha256Hex(readFileSync(path))
  }
  return found
}

test('--check proves every artefact and every fact, and prints the certificate as one line of JSON', async () => {
  const { code, stdout, stderr } = await runBin(['replay', '--check', '--data-dir', dataDir])
  const certificate = JSON.parse(stdout)
  expect({ code, certificate }).toMatchObject({
    code: exitCodes.ok,
    certificate: {
      verdict: 'equal',
      recomputed: 'all',
      recomputed_from: null,
      taken_because: [],
      facts: { different: [] },
    },
  })
  const recorded = await artefacts(dataDir)
  expect(
    Object.fromEntries(
      certificate.artefacts.map((file: Record<string, string>) => [file['artefact'], file['live_sha256']]),
    ),
  ).toEqual(recorded)
  expect(stderr).toContain('0 different')
})

test('--to gives every artefact back byte for byte, somewhere else and in place of deleted ones', async () => {
  const before = await artefacts(dataDir)
  expect(Object.keys(before).length).toBeGreaterThanOrEqual(6)
  const folder = await mkdtemp(join(tmpdir(), 'obstream-replayed-'))
  expect(await runBin(['replay', '--to', folder, '--data-dir', dataDir])).toMatchObject({ code: exitCodes.ok })
  expect(await artefacts(folder)).toEqual(before)
  rmSync(join(dataDir, 'ops'), { recursive: true })
  expect(await runBin(['replay', '--to', '.'], { cwd: dataDir })).toMatchObject({ code: exitCodes.ok })
  expect(await artefacts(dataDir)).toEqual(before)
})

test('a missing artefact ends --check with 65, and the certificate says that there is no live file', async () => {
  const copy = await mkdtemp(join(tmpdir(), 'obstream-replay-copy-'))
  await runBin(['replay', '--to', copy, '--data-dir', dataDir])
  const args = ['replay', '--check', '--data-dir', copy, '--log', `sqlite:${join(dataDir, 'log/obstream.db')}`]
  const config = ['--config', join(dataDir, 'obstream.yaml')]
  const alert = ['--alert-config', join(dataDir, 'configs/observability/latency_alert.yaml')]
  const all = [...args, ...config, ...alert]
  expect(await runBin(all)).toMatchObject({ code: exitCodes.ok })
  rmSync(join(copy, 'ops/signal_latency.csv'))
  const { code, stdout } = await runBin(all)
  expect(code).toBe(exitCodes.badData)
  expect(JSON.parse(stdout).artefacts).toContainEqual(
    expect.objectContaining({ artefact: 'ops/signal_latency.csv', live_sha256: null, verdict: 'different' }),
  )
})

describe('in the data directory itself', () => {
  test('no replay writes beside a running job', async () => {
    const held = holdFileLock(join(dataDir, 'ops/.latency.lock'))!
    const { code, stderr } = await runBin(['replay', '--to', '.'], { cwd: dataDir })
    held.release()
    expect({ code, stderr }).toEqual({
      code: exitCodes.tryAgain,
      stderr: expect.stringContaining('[OBS_LOG_GROUP_HELD]'),
    })
  })
})

test('where there is no log, none is made', async () => {
  const cwd = freshDesk()
  expect(await runBin(['replay', '--check'], { cwd })).toMatchObject({ code: exitCodes.missingInput })
  expect(await readdir(cwd)).not.toContain('log')
})
