import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from '@jest/globals'
import { holdFileLock } from '#lib/eventlog/file-lock.ts'

const folder = mkdtempSync(join(tmpdir(), 'file-lock-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('one holder at a time, also within a process; after release the next one gets it', () => {
  const path = join(folder, 'a', 'deep', '.lock')
  const first = holdFileLock(path)
  expect(first).not.toBeNull()
  expect(holdFileLock(path)).toBeNull()
  expect(holdFileLock(path)).toBeNull()
  first!.release()
  first!.release()
  const second = holdFileLock(path)
  expect(second).not.toBeNull()
  second!.release()
})

test('a lock ends with its process, however it ends', async () => {
  const path = join(folder, 'killed.lock')
  const script = `
    import { holdFileLock } from '#lib/eventlog/file-lock.ts'
    globalThis.lock = holdFileLock(process.argv[1])
    console.log(globalThis.lock ? 'held' : 'not held')
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  expect(String((await once(child.stdout, 'data'))[0])).toBe('held\n')
  expect(holdFileLock(path)).toBeNull()
  child.kill('SIGKILL')
  await once(child, 'exit')
  const mine = holdFileLock(path)
  expect(mine).not.toBeNull()
  mine!.release()
})

test('a file that is no lock, or a folder that cannot be made, is an error with exit 73', () => {
  const text = join(folder, 'text')
  writeFileSync(
    text,
    'this is a text, and a longer one than a header of SQLite has bytes, so nobody takes it for empty',
  )
  for (const path of [text, join(text, 'below'), folder]) {
    const attempt = expect(() => holdFileLock(path))
    attempt.toThrow(expect.objectContaining({ code: 'OBS_ARTEFACT_CANNOT_CREATE', exitCode: 73 }))
  }
})
