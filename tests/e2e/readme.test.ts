import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from '@jest/globals'

/** The README's shell blocks, run in order in a copy of the project, as a new user would type them. */

const root = fileURLToPath(new URL('../../', import.meta.url))
const blocks = [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(
  ([, block]) => block!.trim().split('\n'),
)

/** What has been done to get here (`npm ci`), or is being done (`npm test`). */
const UNDER_WAY = new Set(['npm ci', 'npm test'])

/** Commands that run until Ctrl-C, and the line after which a reader has seen what the README promised. */
const UNTIL: Readonly<Record<string, { readonly line: RegExp; readonly withinMs: number }>> = {
  'npm start': { line: /ALERT .*RESOLVED router_demo/, withinMs: 150_000 },
  'npx obstream --data-dir desk up': { line: / sample /, withinMs: 60_000 },
}

let project: string

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'obstream-readme-'))
  const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  })
  for (const path of tracked.split('\n'))
    if (path && existsSync(join(root, path))) cpSync(join(root, path), join(project, path), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(project, 'node_modules'))
})

afterAll(() => rmSync(project, { recursive: true, force: true }))

test('is short enough to be read', () => {
  expect(readFileSync(join(root, 'README.md'), 'utf8').split('\n').length).toBeLessThan(200)
})

test.each(blocks.flat().filter((command) => !UNDER_WAY.has(command)))(
  '%s',
  async (command) => {
    const until = UNTIL[command]
    const { code, text } = await (until ? runUntil(command, until) : run(command))
    expect({ command, code, text: code === 0 ? '' : text }).toEqual({ command, code: 0, text: '' })
  },
  180_000,
)

const STOPPED = /^stopped; the next start goes on here$/m

interface Ended {
  readonly code: number | null
  readonly text: string
}

function start(command: string): {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  readonly text: () => string
} {
  const env = { ...process.env, npm_config_loglevel: 'silent' }
  const child = spawn('bash', ['-c', command], { cwd: project, env, detached: true })
  let text = ''
  child.stdout.on('data', (data) => (text += data))
  child.stderr.on('data', (data) => (text += data))
  const ended = new Promise<Ended>((resolve) => child.on('close', (code) => resolve({ code, text })))
  return { child, ended, text: () => text }
}

const run = (command: string): Promise<Ended> => start(command).ended

/**
 * Presses Ctrl-C once the line is there: a terminal sends it to the whole process group, so the shell and npm die of it
 * while obstream stops; what it says last tells that it did.
 */
async function runUntil(
  command: string,
  { line, withinMs }: { readonly line: RegExp; readonly withinMs: number },
): Promise<Ended> {
  const { child, ended, text } = start(command)
  const send = (signal: NodeJS.Signals): void => void process.kill(-child.pid!, signal)
  const deadline = setTimeout(() => send('SIGKILL'), withinMs)
  let isPressed = false
  const watch = (): void => {
    if (isPressed || !line.test(text())) return
    isPressed = true
    send('SIGINT')
  }
  child.stdout?.on('data', watch)
  child.stderr?.on('data', watch)
  const result = await ended
  clearTimeout(deadline)
  return { ...result, code: line.test(result.text) && STOPPED.test(result.text) ? 0 : -1 }
}
