import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'
import { runBin, startBin } from '#tests/support/bin.ts'
import { freshDesk } from '#tests/support/desk.ts'
import { eventually } from '#tests/support/eventually.ts'

const history = fileURLToPath(new URL('../../examples/history.csv', import.meta.url))
const cwd = freshDesk(
  'sources: []\npage: {bind: "127.0.0.1:0"}\n',
  'rules:\n  - {id: p95, match: "*", threshold_ms: 5000}\n',
)

const behind = async (): Promise<{ readonly rollup: number; readonly alerter: number }> =>
  JSON.parse((await runBin(['status', '--json'], { cwd })).stdout).behind

test('status tells what rollup, and then what the alerter, has not folded yet', async () => {
  expect((await runBin(['import', history], { cwd })).code).toBe(0)
  const imported = await behind()
  expect(imported.rollup).toBeGreaterThan(96)
  expect(imported.alerter).toBe(0)

  const rollup = startBin(['serve', 'rollup'], { cwd, env: { OBS_QUIET: '1' } })
  await eventually(async () => (await behind()).rollup === 0, 60_000)
  rollup.kill('SIGINT')
  await new Promise((resolve) => rollup.once('close', resolve))
  expect((await behind()).alerter).toBeGreaterThanOrEqual(24)

  expect((await runBin(['latency'], { cwd })).code).toBe(0)
  expect(await behind()).toEqual({ rollup: 0, alerter: 0 })
}, 90_000)
