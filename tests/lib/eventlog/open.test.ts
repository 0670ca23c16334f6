import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { openLog } from '#lib/eventlog/open.ts'
import { systemClock } from '#lib/runtime/clock.ts'
import { topics } from '#lib/topics.ts'

const options = { clock: systemClock, partitions: 1, dataDir: tmpdir() }

test('sqlite: opens a file below the data directory', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'obs-open-'))
  const log = await openLog('sqlite:log/obstream.db', { ...options, dataDir })
  expect(existsSync(join(dataDir, 'log', 'obstream.db'))).toBe(true)
  await log.close()
  rmSync(dataDir, { recursive: true })
})

test('memory: opens a log with as many partitions as asked', async () => {
  const log = await openLog('memory:', { ...options, partitions: 4 })
  await log.topics.apply([topics.sample])
  expect(await log.offsets(topics.sample.name)).toHaveLength(4)
  await log.close()
})

test.each(['', 'obstream.db', 'postgres://localhost', 'sqlite:', 'memory:x', 'toString:x', '__proto__:'])(
  '"%s" names no log, and the refusal says what does',
  async (url) => {
    await expect(openLog(url, options)).rejects.toMatchObject({
      code: 'OBS_LOG_UNSUPPORTED',
      message: expect.stringMatching(/sqlite:<path> .* memory:/),
    })
  },
)
